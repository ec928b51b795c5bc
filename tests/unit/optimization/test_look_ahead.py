"""The canary refuses strategies that know the future and lets all others pass."""

from __future__ import annotations

import numpy as np
import pytest

import stratopt
from stratopt.errors import StratoptError
from stratopt.optimization.look_ahead import refuse_look_ahead
from stratopt.search.parameters import IntRange
from stratopt.strategies.catalogue import BUILT_IN
from stratopt.strategies.own import strategy


def check(found, bars):
    refuse_look_ahead(found, found.space, bars, direction="long_short", warmup=100, seed=1)


@pytest.fixture(scope="module")
def bars():
    return stratopt.load_bars("AAPL")


@strategy(space={"period": IntRange(2, 20)})
def NextClose(bars, params):
    """Long when tomorrow closes higher."""
    return np.append((np.diff(bars.close) > 0).astype(int), 0)


@strategy()
def WholeMean(bars, params):
    """Above the mean of all closes, later ones too."""
    return (bars.close > bars.close.mean()).astype(int)


@strategy()
def CentredMean(bars, params):
    """A moving mean that is centred on its bar."""
    return (bars.close > np.convolve(bars.close, np.ones(5) / 5, mode="same")).astype(int)


@pytest.mark.parametrize("peeking", [NextClose, WholeMean, CentredMean])
def test_a_strategy_that_peeks_is_refused(peeking, bars):
    """With a code and a sentence that names the bar."""
    with pytest.raises(StratoptError) as caught:
        check(peeking, bars)
    assert caught.value.code == "look_ahead"
    assert "looks ahead" in caught.value.message


@pytest.mark.parametrize("found", BUILT_IN, ids=lambda s: s.name)
def test_no_strategy_of_the_catalogue_is_refused(found, bars):
    """All of them decide from the past."""
    check(found, bars)


def test_a_strategy_that_needs_many_bars_is_not_blamed_for_short_prefixes(bars):
    """What cannot be computed on a prefix proves nothing."""

    @strategy()
    def Demanding(bars, params):
        if len(bars) < 1500:
            raise ValueError("too few bars")
        return np.zeros(len(bars), dtype=int)

    check(Demanding, bars)


def test_a_peeking_strategy_fails_its_optimisation(bars):
    """Before the search, whatever its results would have been."""
    with pytest.raises(StratoptError) as caught:
        stratopt.optimize(bars, NextClose, max_evals=5)
    assert caught.value.code == "look_ahead"
