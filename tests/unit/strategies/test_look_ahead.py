"""The canary refuses strategies that know the future and lets all others pass."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import stratopt
from stratopt.errors import StratoptError
from stratopt.search.parameters import Choice, IntRange
from stratopt.strategies.catalogue import BUILT_IN
from stratopt.strategies.look_ahead import CUTS, LATER_CUTS, PARAMETER_SETS, refuse_look_ahead
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


def counted():
    """An honest strategy, and the list of the numbers of bars that it was asked about."""
    asked = []

    @strategy(space={"period": IntRange(2, 20)}, warmup=lambda params: params["period"])
    def Rising(bars, params):
        asked.append(len(bars))
        period = params["period"]
        target = np.zeros(len(bars), dtype=int)
        target[period:] = bars.close[period:] > bars.close[:-period]
        return target

    return asked, Rising


def test_a_backtest_asks_an_honest_strategy_a_few_times_on_few_bars(bars):
    """The check costs some calls on a bounded number of bars, whatever the length of the series."""
    asked, Rising = counted()
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


@strategy(
    space={"period": IntRange(2, 50, default=10), "cheat": Choice(list(range(8)))},
    warmup=lambda params: params["period"],
)
def PeeksAtSeven(bars, params):
    """Honest for all values of one parameter but the last."""
    period = params["period"]
    target = np.zeros(len(bars), dtype=int)
    if params["cheat"] == 7:
        target[:-1] = bars.close[1:] > bars.close[:-1]
    else:
        target[period:] = bars.close[period:] > bars.close[:-period]
    target[:period] = 0
    return target


@strategy(
    space={"period": IntRange(2, 50, default=10), "smooth": Choice(["none", "ema", "centered"])},
    warmup=lambda params: params["period"] + 1,
)
def SmoothsBySeveralMeans(bars, params):
    """One of the averages is centred on its bar."""
    closes = pd.Series(bars.close)
    if params["smooth"] == "centered":
        closes = closes.rolling(5, center=True, min_periods=1).mean()
    elif params["smooth"] == "ema":
        closes = closes.ewm(span=3).mean()
    target = (closes.diff() > 0).astype(int).to_numpy(copy=True)
    target[: params["period"] + 1] = 0
    return target


@pytest.mark.parametrize(("found", "text"), [(PeeksAtSeven, "cheat=7"), (SmoothsBySeveralMeans, "smooth='centered'")])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("cross_validation", [True, False])
def test_a_strategy_that_peeks_at_some_parameters_is_refused_when_they_win(bars, found, text, seed, cross_validation):
    """Whatever the seed: the points that a search chose are looked at, and named."""
    with pytest.raises(StratoptError, match="looks ahead") as caught:
        stratopt.optimize(bars, found, max_evals=60, seed=seed, cross_validation=cross_validation)
    assert caught.value.code == "look_ahead"
    assert text in caught.value.message
    assert text.split("=")[0] in caught.value.context["params"]


def test_a_peeking_winner_of_one_fold_is_refused(bars):
    """Also where the last search chose an honest point."""
    turn = len(bars) // 2

    @strategy(space={"cheat": Choice(list(range(40)))})
    def PeeksEarly(bars, params):
        """Right about the first half of the series, wrong about the second."""
        rises = np.append(np.diff(bars.close) > 0, False)
        honest = np.arange(len(bars)) % 4 > 0
        cheating = np.where(np.arange(len(bars)) < turn, rises, ~rises)
        return (cheating if params["cheat"] == 39 else honest).astype(int)

    with pytest.raises(StratoptError, match="PeeksEarly with cheat=39 looks ahead"):
        stratopt.optimize(bars, PeeksEarly, algorithm="exhaustive", max_evals=40)


def test_a_point_of_the_front_that_peeks_is_refused(bars):
    """Of several objectives the result tells more points than the best one by the first."""
    wanted = {"objectives": ["-trade_count", "sharpe_ratio"], "algorithm": "random"}
    with pytest.raises(StratoptError, match="cheat=7"):
        stratopt.optimize(bars, PeeksAtSeven, max_evals=60, seed=2, cross_validation=False, **wanted)


@strategy(space={"period": IntRange(2, 50, default=10)})
def PeeksLate(bars, params):
    """Honest up to bar 1600."""
    period = params["period"]
    target = np.zeros(len(bars), dtype=int)
    target[period:] = bars.close[period:] > bars.close[:-period]
    if len(bars) > 1600:
        target[1600:-1] = bars.close[1601:] > bars.close[1600:-1]
    return target


@pytest.mark.parametrize("seed", range(3))
def test_a_strategy_that_peeks_late_in_a_long_series_is_refused(seed):
    """Prefixes are spread over all bars, not only over the first ones."""
    long = stratopt.load_bars("MSFT")
    assert len(long) > 7000
    with pytest.raises(StratoptError, match="looks ahead"):
        refuse_look_ahead(PeeksLate, PeeksLate.space, long, direction="long_only", warmup=0, seed=seed)
    with pytest.raises(StratoptError, match="looks ahead"):
        stratopt.check_look_ahead(PeeksLate, long)


def test_an_honest_strategy_is_asked_a_few_times_on_all_bars():
    """Most prefixes are short: what the later bars cost is bounded by some evaluations a parameter set."""
    asked, Rising = counted()
    long = stratopt.load_bars("MSFT")
    refuse_look_ahead(Rising, Rising.space, long, direction="long_only", warmup=20, seed=1)
    short = [size for size in asked if size <= 1520]
    assert len(short) <= PARAMETER_SETS * (1 + CUTS + CUTS // 3)
    assert PARAMETER_SETS * 3 <= len(asked) - len(short) <= PARAMETER_SETS * (2 + LATER_CUTS)
    assert sum(asked) < PARAMETER_SETS * 7 * len(long)
