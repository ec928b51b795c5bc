"""What every engine keeps to."""

from __future__ import annotations

import math
import os
from importlib import import_module
from importlib.util import find_spec

import pytest

from stratopt.errors import ParameterSpaceError
from stratopt.search.algorithms import ALGORITHMS, check_algorithm, make_sampler
from stratopt.search.distribution import Distribution
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, Fixed, FloatRange, IntRange


def is_usable(algorithm):
    """Whether its package can be loaded: lightgbm needs a library of the system, too."""
    try:
        return algorithm.needs is None or bool(import_module(algorithm.needs))
    except (ImportError, OSError):
        return False


INSTALLED = [name for name, algorithm in ALGORITHMS.items() if is_usable(algorithm)]
MISSING = [name for name, algorithm in ALGORITHMS.items() if not algorithm.is_installed]
NEVER_REPEAT = ["tpe", "auto", "random", "qmc", "grid", "exhaustive"]

MANY_KINDS = ParameterSpace(
    {
        "fast": IntRange(2, 50),
        "slow": IntRange(5, 200, above="fast"),
        "ratio": FloatRange(1.5, 3, ratio_of="fast"),
        "level": FloatRange(0, 1, step=0.25),
        "odd": IntRange(5, 21, step=2),
        "rate": FloatRange(0.001, 1, log=True),
        "lag": IntRange(1, 300, log=True),
        "kind": Choice(["sma", "ema"], weights=[1, 3]),
        "size": Choice(["s", "m", "l"], ordered=True),
        "alpha": FloatRange(0, 1, when={"kind": "ema"}),
        "noise": Distribution("qnormal", mu=0, sigma=2, q=0.5),
        "one": IntRange(7, 7),
        "mode": Fixed("x"),
    },
    ["noise + level < 6"],
)


def many_kinds(name):
    """All kinds that the engine takes: ATPE knows no rounded normal."""
    noise = Distribution("normal", mu=0, sigma=2) if name == "hyperopt_atpe" else MANY_KINDS.parameters["noise"]
    return ParameterSpace({**MANY_KINDS.parameters, "noise": noise}, ["noise + level < 6"])


SMALL = ParameterSpace({"x": IntRange(0, 11), "y": IntRange(0, 11)})


def loss(params):
    return float((params.get("x", params.get("fast", 0)) - 7) ** 2 + params.get("level", 0))


def walk(sampler, total, batch):
    """Ask and tell in batches; the points in order."""
    points = []
    while len(points) < total:
        asked = sampler.ask(min(batch, total - len(points)))
        if not asked:
            break
        points.extend(s.params for s in asked)
        for suggestion in asked:
            sampler.tell(suggestion.number, [loss(suggestion.params)])
    return points


@pytest.mark.parametrize("name", INSTALLED)
def test_every_point_is_valid_and_obeys_the_constraints(name):
    """Points pass the space's own check, inactive parameters are absent, constraints hold."""
    for params in walk(make_sampler(name, many_kinds(name), seed=1, startup_trials=10, budget=40), 40, 4):
        assert many_kinds(name).validate(params) == params
        assert many_kinds(name).allows(params)
        assert ("alpha" in params) == (params["kind"] == "ema")
        assert params["slow"] > params["fast"]
        assert params["odd"] % 2 == 1
        assert params["one"] == 7


@pytest.mark.parametrize("name", INSTALLED)
def test_the_same_seed_gives_the_same_points(name):
    """Two engines of one seed and one sequence of calls agree."""
    first, second = (
        walk(make_sampler(name, many_kinds(name), seed=5, startup_trials=10, budget=30), 30, 3) for _ in range(2)
    )
    assert first == second
    assert len(first) == 30


@pytest.mark.parametrize("name", ["tpe", "random", "qmc", "hyperopt_tpe", "hyperopt_anneal", "optuna_tpe"])
def test_another_seed_gives_other_points(name):
    """The seed matters."""
    assert walk(make_sampler(name, many_kinds(name), seed=5), 5, 5) != walk(
        make_sampler(name, many_kinds(name), seed=6), 5, 5
    )


@pytest.mark.parametrize("name", INSTALLED)
def test_losses_may_be_told_late_and_in_any_order(name):
    """Points of several asks are told backwards; the engine goes on."""
    sampler = make_sampler(name, many_kinds(name), seed=2, startup_trials=4, budget=60)
    asked = [suggestion for _ in range(6) for suggestion in sampler.ask(4)]
    assert len({suggestion.number for suggestion in asked}) == 24
    for suggestion in reversed(asked):
        sampler.tell(suggestion.number, [loss(suggestion.params)])
    assert sampler.ask(2)


@pytest.mark.parametrize("name", INSTALLED)
def test_points_evaluated_elsewhere_can_be_told(name):
    """An engine accepts observed points before and between its own."""
    sampler = make_sampler(name, many_kinds(name), seed=2, startup_trials=4, budget=60)
    others = make_sampler("random", MANY_KINDS, seed=9).ask(12)
    for other in others[:8]:
        sampler.observe(other.params, [loss(other.params)])
    walk(sampler, 8, 2)
    for other in others[8:]:
        sampler.observe(other.params, [1e9])
    assert sampler.ask(1)


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("name", NEVER_REPEAT)
def test_144_points_are_all_visited_once_and_then_nothing_is_left(name, batch):
    """On a finite space an engine of ours never repeats a point, in batches of any size, and says when it is done."""
    sampler = make_sampler(name, SMALL, seed=3, budget=144)
    points = walk(sampler, 500, batch)
    assert len(points) == 144
    assert len({(p["x"], p["y"]) for p in points}) == 144
    assert sampler.ask(1) == []


@pytest.mark.parametrize("name", NEVER_REPEAT)
def test_points_told_before_are_not_asked_again(name):
    """Observed points of a finite space are left out."""
    sampler = make_sampler(name, SMALL, seed=3, budget=144)
    for k in range(12):
        sampler.observe({"x": k, "y": k}, [1.0])
    points = walk(sampler, 500, 4)
    assert len(points) == 132
    assert all(p["x"] != p["y"] for p in points)


def test_a_constrained_and_conditional_space_is_exhausted_too():
    """The default engine finds every allowed point of a small space with branches."""
    space = ParameterSpace(
        {"kind": Choice(["a", "b"]), "x": IntRange(0, 9), "y": IntRange(0, 9, when={"kind": "b"})}, ["x + y != 9"]
    )
    points = walk(make_sampler("tpe", space, seed=1), 500, 3)
    assert len(points) == 10 + 100 - 10


def test_a_grid_below_its_size_covers_the_whole_range():
    """The first points of a grid reach every quarter of every parameter."""
    points = walk(make_sampler("grid", SMALL, seed=0, budget=24), 24, 6)
    for name in ("x", "y"):
        assert {p[name] // 3 for p in points} == {0, 1, 2, 3}


def test_an_endless_grid_is_thinned_to_the_budget():
    """A grid over real ranges has about as many points as the budget allows, ends included."""
    space = ParameterSpace({"a": FloatRange(0, 1), "b": FloatRange(0, 1)})
    points = walk(make_sampler("grid", space, seed=0, budget=100), 1000, 10)
    assert len(points) == 100
    assert {0.0, 1.0} <= {p["a"] for p in points}


def test_auto_is_exhaustive_where_the_space_is_cheaper_than_the_budget():
    """The budget decides between the grid and the model."""
    assert type(make_sampler("auto", SMALL, seed=0, budget=144)).__name__ == "GridSampler"
    assert type(make_sampler("auto", SMALL, seed=0, budget=143)).__name__ == "TpeSampler"
    assert type(make_sampler("auto", MANY_KINDS, seed=0, budget=10**6)).__name__ == "TpeSampler"


@pytest.mark.parametrize("name", ["optuna_nsga2", "optuna_nsga3"])
def test_evolution_takes_several_losses(name):
    """The multi-objective engines accept one loss for each objective."""
    sampler = make_sampler(name, SMALL, seed=0, startup_trials=8, objectives=2)
    for _ in range(5):
        for suggestion in sampler.ask(8):
            sampler.tell(suggestion.number, [suggestion.params["x"], -suggestion.params["y"]])
    assert len(sampler.ask(3)) == 3


def test_an_engine_for_one_objective_refuses_two():
    """The message names engines that take several."""
    with pytest.raises(ParameterSpaceError, match="optuna_nsga2") as caught:
        make_sampler("tpe", SMALL, seed=0, objectives=2)
    assert caught.value.code == "too_many_objectives"


def test_an_unknown_engine_is_named_with_what_was_meant():
    """Did you mean."""
    with pytest.raises(ParameterSpaceError, match="unknown algorithm") as caught:
        make_sampler("tpee", SMALL, seed=0)
    assert caught.value.context["suggestion"] == "tpe"


def test_engines_without_their_package_name_the_extra(monkeypatch):
    """An engine whose package is missing says which extra installs it, before anything runs."""
    monkeypatch.setattr("stratopt.search.algorithms.find_spec", lambda name: None)
    for name, extra in (("hyperopt_atpe", "atpe"), ("optuna_cmaes", "cmaes"), ("optuna_gp", "gp")):
        with pytest.raises(ParameterSpaceError, match=rf"stratopt\[{extra}\]") as caught:
            check_algorithm(name)
        assert caught.value.code == "missing_extra"


def test_atpe_refuses_a_rounded_normal():
    """By name, instead of failing inside the library."""
    with pytest.raises(ParameterSpaceError, match="hyperopt_atpe cannot search noise"):
        make_sampler("hyperopt_atpe", MANY_KINDS, seed=1)


def test_ci_has_every_engine_but_the_gaussian_process():
    """That one needs torch, gigabytes of it."""
    if os.environ.get("CI") == "true":
        assert set(ALGORITHMS) - set(INSTALLED) <= {"optuna_gp"}
    assert {"tpe", "random", "hyperopt_tpe", "optuna_tpe"} <= set(INSTALLED)


def test_the_list_of_engines_says_what_is_installed():
    """Availability is the presence of the engine's package."""
    assert {a.needs for n, a in ALGORITHMS.items() if n in MISSING} == {
        a.needs for a in ALGORITHMS.values() if a.needs and find_spec(a.needs) is None
    }
    assert {"tpe", "random", "qmc", "grid", "exhaustive", "auto", "hyperopt_tpe", "optuna_tpe"} <= set(INSTALLED)


def test_pending_points_spread_a_batch():
    """Points of one batch differ from each other also where the model has one clear favourite."""
    space = ParameterSpace({"x": IntRange(0, 1000)})
    sampler = make_sampler("tpe", space, seed=1)
    for k in range(30):
        sampler.observe({"x": 500 + k}, [float(k)])
    batch = [s.params["x"] for s in sampler.ask(16)]
    assert len(set(batch)) == 16
    assert not math.isclose(min(batch), max(batch))
