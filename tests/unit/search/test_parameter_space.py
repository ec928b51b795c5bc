"""Spaces: branches, relations, constraints, sizes."""

from __future__ import annotations

import itertools

import pytest

from stratopt.errors import ParameterSpaceError
from stratopt.search.distribution import Distribution
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, Fixed, FloatRange, IntRange
from stratopt.strategies.catalogue import BUILT_IN


def test_a_simple_constraint_is_built_into_the_range():
    """``fast < slow`` becomes a relation of slow: no drawn point breaks it."""
    space = ParameterSpace({"fast": IntRange(2, 50), "slow": IntRange(5, 200)}, ["fast < slow"])
    assert space.constraints == ()
    assert space == ParameterSpace({"fast": IntRange(2, 50), "slow": IntRange(5, 200, above="fast")})
    assert space == ParameterSpace({"fast": IntRange(2, 50), "slow": IntRange(5, 200)}, ["slow > fast"])


@pytest.mark.parametrize(
    "constraint", ["slow < fast", "fast + 1 < slow", "fast <= slow", "fast < wide", "fast < tied", "fast < level"]
)
def test_any_other_constraint_stays_an_expression(constraint):
    """Where the range cannot carry it, points are checked instead."""
    space = ParameterSpace(
        {
            "fast": IntRange(2, 50),
            "slow": IntRange(5, 200),
            "wide": IntRange(1, 50),
            "tied": IntRange(1, 99, at_most="slow"),
            "level": FloatRange(0, 100),
        },
        [constraint],
    )
    assert [c.text for c in space.constraints] == [constraint]
    assert any(not space.allows(point) for point in _corner_points(space))


def _corner_points(space):
    yield {"fast": 2, "slow": 200, "wide": 1, "tied": 1, "level": 0.0}
    yield {"fast": 50, "slow": 5, "wide": 50, "tied": 5, "level": 100.0}


def test_an_unknown_name_in_a_constraint_is_refused():
    """The message lists the parameters."""
    with pytest.raises(ParameterSpaceError, match="known: fast"):
        ParameterSpace({"fast": IntRange(2, 50)}, ["fast < slow"])


def test_a_parameter_may_exist_in_several_branches():
    """A list of conditions means any of them."""
    space = ParameterSpace(
        {
            "kind": Choice(["a", "b", "c"]),
            "x": IntRange(1, 3, when=[{"kind": "a"}, {"kind": "c"}]),
            "y": IntRange(1, 3, when={"kind": "a", "x": 2}),
        }
    )
    assert space.size() == (2 + 3) + 1 + 3
    assert [p for p in space.grid(None) if p["kind"] == "b"] == [{"kind": "b"}]


def test_a_dependence_on_a_later_parameter_is_refused():
    """Parents come first."""
    with pytest.raises(ParameterSpaceError, match="not declared before"):
        ParameterSpace({"x": IntRange(1, 3, when={"kind": "a"}), "kind": Choice(["a"])})


@pytest.mark.parametrize(
    ("parameters", "constraints", "size"),
    [
        ({"a": IntRange(1, 10), "b": IntRange(0, 10, step=5)}, [], 30),
        ({"a": IntRange(1, 10), "b": IntRange(1, 12)}, ["a < b"], 10 * 12 - 55),
        ({"a": IntRange(1, 4), "b": IntRange(1, 4)}, ["a * b <= 4"], 8),
        ({"a": FloatRange(0, 1, step=0.1), "b": Fixed(3)}, [], 11),
        ({"a": FloatRange(0, 1)}, [], None),
        ({"a": Distribution("randint", low=2, high=7)}, [], 5),
        ({"a": Distribution("uniformint", low=1, high=9, q=1.0)}, [], 9),
        ({"a": Distribution("quniform", low=0, high=1, q=0.25)}, [], 5),
        ({"a": Distribution("qnormal", mu=0, sigma=1, q=1.0)}, [], None),
        ({"a": Distribution("loguniform", low=0, high=1)}, [], None),
    ],
)
def test_size_counts_points_or_says_endless(parameters, constraints, size):
    """The size is the number of allowed points; None where there is no last one."""
    space = ParameterSpace(parameters, constraints)
    assert space.size() == size
    if size is not None:
        points = list(space.grid(None))
        assert len(points) == len({space.key(p) for p in points}) == size


def test_counting_stops_at_the_limit():
    """A large dependent space is not enumerated to its end."""
    space = ParameterSpace({"a": IntRange(1, 10**6), "b": IntRange(1, 2 * 10**6, above="a")})
    assert space.size(1000) is None


def test_options_that_compare_equal_are_different_points():
    """1 and True are two options."""
    space = ParameterSpace({"a": Choice([1, True, 0, False])})
    assert len({space.key(p) for p in space.grid(None)}) == 4


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("gamma", {}, "unknown distribution"),
        ("uniform", {"low": 0}, "high is missing"),
        ("uniform", {"low": 0, "high": 1, "q": 1}, "q is not one of them"),
        ("uniform", {"low": 1, "high": 1}, "must be less than"),
        ("normal", {"mu": 0, "sigma": 0}, "sigma must be > 0"),
        ("qnormal", {"mu": 0, "sigma": 1, "q": -1}, "q must be > 0"),
        ("normal", {"mu": float("nan"), "sigma": 1}, "finite"),
        ("normal", {"mu": True, "sigma": 1}, "finite"),
        ("randint", {"high": 2.5}, "whole numbers"),
    ],
)
def test_impossible_distributions_are_refused(kind, arguments, message):
    """The message says which argument and why."""
    with pytest.raises(ParameterSpaceError, match=message):
        Distribution(kind, **arguments)


def test_defaults_of_priors_are_their_medians():
    """A distribution without a default starts in its middle."""
    space = ParameterSpace(
        {"a": Distribution("normal", mu=3, sigma=1), "b": Distribution("lognormal", mu=0, sigma=1, default=2)}
    )
    assert space.defaults() == {"a": pytest.approx(3.0), "b": 2.0}


@pytest.mark.parametrize("strategy", BUILT_IN, ids=lambda s: s.name)
@pytest.mark.parametrize("points_per_range", [3, 4, 7])
def test_every_grid_point_of_the_catalogue_is_valid(strategy, points_per_range):
    """Rounding carries no point over the bound that another parameter sets."""
    for params in itertools.islice(strategy.space.grid(points_per_range), 2000):
        assert strategy.space.validate(params) == params
