"""The canary refuses strategies that know the future and lets all others pass."""

from __future__ import annotations

import numpy as np
import pytest

import stratopt
from stratopt.errors import StratoptError
from stratopt.search.parameters import IntRange
from stratopt.strategies.catalogue import BUILT_IN
from stratopt.strategies.look_ahead import refuse_look_ahead
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


@pytest.mark.parametrize("peeking", [NextClose, WholeMean, CentredMean])
def test_a_backtest_refuses_a_strategy_that_peeks(peeking, bars):
    """Unless it is wanted: what perfect knowledge would earn can still be looked at."""
    with pytest.raises(StratoptError, match="looks ahead") as caught:
        stratopt.backtest(bars, peeking)
    assert caught.value.code == "look_ahead"
    with pytest.raises(StratoptError, match="looks ahead"):
        stratopt.check_look_ahead(peeking, bars)
    assert stratopt.backtest(bars, peeking, look_ahead=True).metrics["trade_count"] > 0


def test_a_backtest_asks_an_honest_strategy_a_few_times_on_few_bars(bars):
    """The check costs some calls on a bounded number of bars, whatever the length of the series."""
    asked = []

    @strategy(space={"period": IntRange(2, 20)}, warmup=lambda params: params["period"])
    def Rising(bars, params):
        asked.append(len(bars))
        period = params["period"]
        target = np.zeros(len(bars), dtype=int)
        target[period:] = bars.close[period:] > bars.close[:-period]
        return target

    stratopt.backtest(bars, Rising, {"period": 9})
    assert asked[0] == len(bars) > 2000
    assert 3 <= len(asked) - 1 <= 7
    assert max(asked[1:]) <= 1509
    asked.clear()
    stratopt.backtest(bars, Rising, look_ahead=True)
    assert asked == [len(bars)]


def test_the_catalogue_is_not_asked_again_in_a_backtest(bars):
    """Its strategies are tested here; a backtest of one is one call."""
    quick = stratopt.backtest(bars, "RSI")
    assert quick.metrics == stratopt.backtest(bars, "RSI", look_ahead=True).metrics
