"""Spaces through JSON and back: nothing changes, and samples stay the same."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hyperopt import hp, space_eval
from hyperopt.base import Domain, Trials
from hyperopt.pyll import as_apply, scope
from hyperopt.pyll.stochastic import sample
from hyperopt.rand import suggest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from stratopt.errors import ParameterSpaceError
from stratopt.search.algorithms import make_sampler
from stratopt.search.distribution import Distribution
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, Fixed, FloatRange, IntRange
from stratopt.search.prior import from_unit
from stratopt.search.serializer import ParameterSpaceSerializer

SERIALIZER = ParameterSpaceSerializer()
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

number = st.floats(-50, 50, allow_nan=False).map(lambda v: round(v, 3))
width = st.floats(0.01, 20).map(lambda v: round(v, 3) + 0.01)
small = st.floats(-3, 2).map(lambda v: round(v, 3))
scalar = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text("abc", max_size=3), number)


class Labels:
    """Fresh labels, and leaves already made, to use them again."""

    def __init__(self):
        self.count = 0
        self.made = []

    def new(self):
        self.count += 1
        return f"p{self.count}"


@st.composite
def leaf(draw, labels):
    if labels.made and draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from(labels.made))
    low, spread, q, label = draw(number), draw(width), draw(width), labels.new()
    mu, sigma = draw(small), draw(st.floats(0.05, 1).map(lambda v: round(v, 3)))
    whole = draw(st.integers(-5, 5))
    count = draw(st.integers(1, 8))
    make = draw(
        st.sampled_from(
            [
                lambda: hp.uniform(label, low, low + spread),
                lambda: hp.quniform(label, low, low + spread, q),
                lambda: hp.uniformint(label, whole, whole + count),
                lambda: hp.randint(label, count),
                lambda: hp.randint(label, whole, whole + count),
                lambda: hp.loguniform(label, mu, mu + sigma),
                lambda: hp.qloguniform(label, mu, mu + sigma + 1, 0.5),
                lambda: hp.normal(label, low, sigma),
                lambda: hp.qnormal(label, low, spread, q),
                lambda: hp.lognormal(label, mu, sigma),
                lambda: hp.qlognormal(label, mu + 1, sigma, 0.25),
                lambda: scope.int(hp.quniform(label, whole, whole + count, 1)),
                lambda: scope.int(hp.qlognormal(label, mu + 2, sigma, 1)),
            ]
        )
    )
    expression = make()
    labels.made.append(expression)
    return expression


@st.composite
def hyperopt_space(draw, labels=None, depth=0):
    labels = labels or Labels()
    inner = lambda: draw(hyperopt_space(labels, depth + 1))  # noqa: E731
    kind = draw(st.sampled_from(["leaf", "leaf", "value", "dict", "list", "tuple", "choice", "pchoice"]))
    if depth == 0:
        kind = "dict"
    if depth >= 3 and kind not in {"leaf", "value"}:
        kind = "leaf"
    size = draw(st.integers(1, 3))
    if kind == "leaf":
        return draw(leaf(labels))
    if kind == "value":
        return draw(scalar)
    if kind == "dict":
        return {f"k{i}": inner() for i in range(size)}
    if kind in {"list", "tuple"}:
        items = [inner() for _ in range(size)]
        return items if kind == "list" else tuple(items)
    label = labels.new()
    options = [inner() for _ in range(size)]
    if kind == "choice":
        return hp.choice(label, options)
    weights = np.array([draw(st.integers(1, 5)) for _ in options], dtype=float)
    return hp.pchoice(label, list(zip((weights / weights.sum()).tolist(), options, strict=True)))


@quick
@given(hyperopt_space())
def test_hyperopt_spaces_survive_json_node_for_node(space):
    """The rebuilt graph prints the same and is written to the same JSON again, through real JSON text."""
    document = json.loads(json.dumps(SERIALIZER.to_json(space)))
    rebuilt = SERIALIZER.to_hyperopt(document)
    assert str(as_apply(rebuilt)) == str(as_apply(space))
    assert json.loads(json.dumps(SERIALIZER.to_json(rebuilt))) == document
    assert SERIALIZER.is_serializable(space)


@quick
@given(hyperopt_space(), st.integers(0, 2**31 - 1))
def test_samples_are_the_same_for_the_same_seed(space, seed):
    """hyperopt draws equal values from the original and from the rebuilt space."""
    rebuilt = SERIALIZER.to_hyperopt(SERIALIZER.to_json(space))
    drawn, again = (sample(as_apply(s), np.random.default_rng(seed)) for s in (space, rebuilt))
    assert repr(drawn) == repr(again)


@quick
@given(hyperopt_space())
def test_flattened_spaces_have_every_label_and_survive_json(space):
    """A hyperopt space becomes a ParameterSpace of its labels, whose own JSON is an identity."""
    flat = SERIALIZER.from_hyperopt(space)
    assert set(flat.parameters) == set(Domain(lambda p: 0.0, space).params)
    assert SERIALIZER.from_json(json.loads(json.dumps(SERIALIZER.to_json(flat)))) == flat
    for params in (s.params for s in make_sampler("random", flat, seed=1).ask(5)):
        assert flat.validate(params) == params


def _sampled_by_hyperopt(space, count):
    """Values of every label over ``count`` random trials of hyperopt; a label that is not active has no value."""
    domain, trials = Domain(lambda p: 0.0, space), Trials()
    documents = suggest(trials.new_trial_ids(count), domain, trials, 7)
    values = {}
    for document in documents:
        for label, drawn in document["misc"]["vals"].items():
            values.setdefault(label, []).extend(drawn)
    return values


def test_our_draws_have_hyperopts_distributions():
    """For every kind of prior, values drawn by us and by hyperopt pass a two-sample test, and branches are equally frequent."""
    space = {
        "u": hp.uniform("u", -2, 5),
        "qu": hp.quniform("qu", 0, 7, 2),
        "ui": hp.uniformint("ui", 1, 6),
        "r": hp.randint("r", 3, 9),
        "lu": hp.loguniform("lu", -2, 3),
        "qlu": hp.qloguniform("qlu", 0, 3, 1),
        "n": hp.normal("n", 1, 2),
        "qn": hp.qnormal("qn", 1, 2, 0.5),
        "ln": hp.lognormal("ln", 0, 0.7),
        "qln": hp.qlognormal("qln", 1, 0.7, 0.5),
        "c": hp.choice("c", ["x", {"inner": hp.uniform("i", 0, 1)}, hp.randint("j", 4)]),
        "p": hp.pchoice("p", [(0.2, 1), (0.8, hp.normal("k", 0, 1))]),
    }
    count = 3000
    theirs = _sampled_by_hyperopt(space, count)
    flat = SERIALIZER.from_hyperopt(space)
    latents = flat.latents()
    generator = np.random.default_rng(3)
    ours = {}
    for _ in range(count):
        drawn = {name: from_unit(latent, generator.random()) for name, latent in latents.items()}
        for name, value in flat.unresolve(flat.resolve(drawn)).items():
            ours.setdefault(name, []).append(value)
    assert set(ours) == set(theirs)
    for name, values in ours.items():
        assert abs(len(values) - len(theirs[name])) < 5 * np.sqrt(count), name
        assert stats.ks_2samp(values, np.asarray(theirs[name], dtype=float)).pvalue > 1e-3, name


@st.composite
def parameter_space(draw):
    parameters = {"kind": Choice(["a", "b", "c"], weights=draw(st.sampled_from([None, (1, 2, 3)])))}
    for k in range(draw(st.integers(1, 4))):
        low, high = draw(st.integers(1, 5)), draw(st.integers(6, 40))
        when = draw(st.sampled_from([None, {"kind": "a"}, [{"kind": "a"}, {"kind": "b"}]]))
        log = draw(st.booleans())
        parameters[f"p{k}"] = draw(
            st.sampled_from(
                [
                    IntRange(low, high, log=log, default=low, when=when),
                    IntRange(low, high, step=2, when=when, minimum=1),
                    FloatRange(low + 0.5, high, log=log, when=when),
                    FloatRange(low, high, step=0.25, when=when, maximum=99),
                    Choice([low, "x", None, True, 2.5], ordered=log, when=when),
                    Fixed(low, when=when),
                    Distribution("qlognormal", mu=0.1, sigma=0.5, q=0.5, whole=False, when=when, default=1),
                    Distribution("randint", high=high, when=when),
                ]
            )
        )
    if draw(st.booleans()):
        parameters["top"] = IntRange(1, 90, above="base") if "base" in parameters else IntRange(1, 90)
    return ParameterSpace(parameters, draw(st.sampled_from([(), ("kind != 'c' or 1 < 2",)])))


@quick
@given(parameter_space())
def test_our_spaces_survive_json(space):
    """Writing and reading is an identity, through real JSON text."""
    assert SERIALIZER.from_json(json.loads(json.dumps(SERIALIZER.to_json(space)))) == space


@quick
@given(parameter_space(), st.integers(0, 1000))
def test_latent_values_and_parameters_are_inverse(space, seed):
    """What unresolve gives resolves to the same point."""
    for suggestion in make_sampler("random", space, seed=seed).ask(5):
        assert space.resolve(space.unresolve(suggestion.params)) == suggestion.params


def test_our_spaces_become_hyperopt_spaces_with_the_same_points():
    """Branches move into their choice; hyperopt's samples are points of the space, nested under their branch."""
    space = ParameterSpace(
        {
            "kind": Choice(["a", "b"], weights=[1, 3]),
            "period": IntRange(2, 9),
            "odd": IntRange(3, 9, step=2, when={"kind": "a"}),
            "rate": FloatRange(0.1, 2, log=True, when=[{"kind": "a"}, {"kind": "b"}]),
            "noise": Distribution("normal", mu=0, sigma=1, when={"kind": "b"}),
            "fixed": Fixed(4),
        }
    )
    tree = SERIALIZER.to_hyperopt(space)
    for seed in range(40):
        drawn = sample(as_apply(tree), np.random.default_rng(seed))
        flat = {**{k: v for k, v in drawn.items() if k != "kind"}, **drawn["kind"]}
        assert space.validate(flat) == flat


@pytest.mark.parametrize(
    ("space", "where"),
    [
        ({"a": [1, hp.uniform("u", 0, 1) + 1]}, r"space\['a'\]\[1\].*'add'"),
        ({"a": hp.choice("c", [1, {"f": len}])}, r"space\['a'\].options\[1\]\['f'\].*builtin"),
        ({"a": object()}, r"space\['a'\].*object"),
        ({1: 2}, "the key 1"),
        ({"a": float("nan")}, r"space\['a'\]"),
        ({"a": hp.uniform("u", 0, 1), "b": hp.uniform("u", 0, 2)}, "label 'u' is used for two"),
        ({"a": hp.uniform("u", 0, hp.uniform("v", 0, 1))}, r"space\['a'\].*not a number"),
        ({"a": scope.switch(1, 2, 3)}, r"space\['a'\]"),
    ],
)
def test_what_json_cannot_carry_is_named(space, where):
    """The error says which node and why; is_serializable says no."""
    with pytest.raises(ParameterSpaceError, match=where):
        SERIALIZER.to_json(space)
    assert not SERIALIZER.is_serializable(space)


@pytest.mark.parametrize(
    ("space", "where"),
    [
        (ParameterSpace({"a": IntRange(1, 5), "b": IntRange(2, 9, above="a")}), "b has bounds that depend"),
        (ParameterSpace({"a": IntRange(1, 5), "b": IntRange(2, 9)}, ["a + b < 9"]), "constraint 'a \\+ b < 9'"),
        (ParameterSpace({"a": IntRange(1, 5, log=True)}), "a has logarithmic steps"),
        (ParameterSpace({"a": FloatRange(0, 1, step=1e-4)}), "a has 10001 steps"),
    ],
)
def test_what_hyperopt_cannot_carry_is_named(space, where):
    """The error names the parameter."""
    with pytest.raises(ParameterSpaceError, match=where) as caught:
        SERIALIZER.to_hyperopt(space)
    assert caught.value.code == "not_serializable"


def test_optuna_distributions_there_and_back():
    """Every distribution of Optuna has its counterpart; what has none is named."""
    space = ParameterSpace(
        {
            "a": FloatRange(0.5, 2, log=True),
            "b": FloatRange(0, 1, step=0.1),
            "c": IntRange(1, 9, step=2),
            "d": IntRange(1, 100, log=True),
            "e": Choice(["x", 1, None]),
        }
    )
    there = SERIALIZER.to_optuna(space)
    assert SERIALIZER.from_optuna(there) == space
    assert SERIALIZER.to_optuna(SERIALIZER.from_optuna(there)) == there
    with pytest.raises(ParameterSpaceError, match="a has a prior"):
        SERIALIZER.to_optuna(ParameterSpace({"a": Distribution("normal", mu=0, sigma=1)}))


def test_points_of_a_flattened_space_can_be_used_in_the_original():
    """hyperopt's space_eval takes our latent values."""
    space = {"m": hp.choice("m", [{"x": hp.uniform("x", 0, 1)}, {"y": hp.randint("y", 5)}])}
    flat = SERIALIZER.from_hyperopt(space)
    for suggestion in make_sampler("tpe", flat, seed=0).ask(6):
        drawn = {k: (v if k == "x" else int(v)) for k, v in flat.unresolve(suggestion.params).items()}
        inner = space_eval(space, drawn)["m"]
        assert inner == {k: v for k, v in suggestion.params.items() if k != "m"}


@pytest.mark.parametrize("document", [None, [], {}, {"version": 3}, {"version": 1}, {"version": 2, "parameters": [1]}])
def test_unreadable_documents_are_refused(document):
    """A wrong version or shape is a named error."""
    with pytest.raises(ParameterSpaceError, match=r"version|list of objects"):
        SERIALIZER.from_json(document)
