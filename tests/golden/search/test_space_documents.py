"""Documents of earlier releases keep loading, and mean what they meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hyperopt import hp
from hyperopt.pyll import as_apply, scope

from stratopt.search.distribution import Distribution
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, Fixed, FloatRange, IntRange
from stratopt.search.serializer import ParameterSpaceSerializer

SERIALIZER = ParameterSpaceSerializer()

SPACES = {
    "space_version_1": ParameterSpace(
        {
            "fast_period": IntRange(2, 50, default=10, minimum=1, maximum=500),
            "slow_period": IntRange(5, 200, above="fast_period", default=30),
            "threshold": FloatRange(0.001, 1.0, log=True),
            "level": FloatRange(0.0, 1.0, step=0.25),
            "ma_type": Choice(["sma", "ema"], weights=[1, 3]),
            "alpha": FloatRange(0.0, 1.0, when={"ma_type": "ema"}),
            "mode": Fixed("long"),
        }
    ),
    "space_version_2": ParameterSpace(
        {
            "fast_period": IntRange(2, 50),
            "slow_period": IntRange(5, 200, ratio_of="fast_period"),
            "ma_type": Choice(["sma", "ema", "wma"], ordered=True),
            "alpha": FloatRange(0.0, 1.0, when=[{"ma_type": "ema"}, {"ma_type": "wma"}]),
            "noise": Distribution("qlognormal", mu=0.5, sigma=1.0, q=0.25, default=1.0),
            "count": Distribution("randint", low=2, high=9),
            "bars": Distribution("uniformint", low=1, high=9, q=1.0),
        },
        ["slow_period < 3 * count or ma_type == 'ema'"],
    ),
}


def document(name):
    return json.loads(Path(__file__).with_name(f"{name}.json").read_text())


@pytest.mark.parametrize("name", SPACES)
def test_a_stored_document_loads_as_the_space_it_was(name):
    """Every spelling that was ever written is read."""
    assert SERIALIZER.from_json(document(name)) == SPACES[name]


def test_the_current_form_is_written_as_stored():
    """What is written today equals the golden file."""
    assert SERIALIZER.to_json(SPACES["space_version_2"]) == document("space_version_2")


def test_a_first_form_is_written_in_the_current_one():
    """Only the version number differs."""
    assert SERIALIZER.to_json(SPACES["space_version_1"]) == {**document("space_version_1"), "version": 2}


def test_a_stored_hyperopt_tree_is_built_and_written_as_stored():
    """The tree and hp expressions are each other's form."""
    space = {
        "model": hp.choice("model", [{"x": hp.loguniform("x", -3.0, 1.0)}, (7, hp.qnormal("y", 0.0, 1.0, 0.5)), None]),
        "kind": hp.pchoice("kind", [(0.25, "a"), (0.75, "b")]),
        "whole": scope.int(hp.quniform("whole", 1, 9, 2)),
    }
    stored = document("space_version_2_tree")
    assert SERIALIZER.to_json(space) == stored
    assert str(as_apply(SERIALIZER.to_hyperopt(stored))) == str(as_apply(space))
