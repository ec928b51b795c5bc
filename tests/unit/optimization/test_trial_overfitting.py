"""Overfitting is a matter of choice: where all trials are the same, nothing was chosen."""

from __future__ import annotations

import numpy as np
import pytest

import stratopt
from stratopt.market.bars import Bars
from stratopt.optimization.evidence import trial_overfitting
from stratopt.reporting.explanations import without_overfitting


@pytest.fixture(scope="module")
def returns() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(64, 4))


@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_trials_that_are_the_same_have_none(returns: np.ndarray, scale: float, kind: type) -> None:
    """Also beside trials that stand still, and where they differ in size only: each is as good as the other in every block."""
    same = np.column_stack([returns[:, 0], scale * returns[:, 0], np.zeros(64), returns[:, 0]]).astype(kind)
    assert trial_overfitting(same) is None


def test_one_trial_that_differs_is_enough(returns: np.ndarray) -> None:
    found = trial_overfitting(np.column_stack([returns[:, 0]] * 3 + [returns[:, 1]]))
    assert found is not None
    assert found["trials"] == 4


def test_the_opposite_of_a_trial_is_another_one(returns: np.ndarray) -> None:
    assert trial_overfitting(np.column_stack([returns[:, 0], -returns[:, 0]])) is not None


def test_the_report_says_why_there_is_none() -> None:
    assert "fewer than two trials differ" in without_overfitting(1.0)
    assert "too few buckets" in without_overfitting(7.5)
    assert "without statistical_tests" in without_overfitting(None)


@stratopt.strategy(space={"unused": stratopt.IntRange(2, 50, default=10)})
def IgnoresItsParameter(bars: Bars, params: dict[str, int]) -> object:
    return np.arange(len(bars)) % 4 > 0


def test_a_strategy_that_ignores_its_parameters_has_none() -> None:
    """One effective trial of many points."""
    bars = stratopt.load_bars("BTC")[:900]
    result = stratopt.optimize(bars, IgnoresItsParameter, max_evals=8, cross_validation=False)
    trials = result.to_dict()["evidence"]["trials"]
    assert trials["effective"] == pytest.approx(1.0)
    assert trials["pbo"] is None
