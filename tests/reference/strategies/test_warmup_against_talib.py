"""Warm-ups follow TA-Lib's lookbacks: one bar more where the rule needs a crossing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from talib.abstract import Function

from stratopt.strategies.catalogue import get_strategy


def lookback(name: str, **parameters: Any) -> int:
    """Bars before TA-Lib's first value."""
    function = Function(name)
    function.parameters = parameters
    return int(function.lookback)


Expected = Callable[[dict[str, Any]], int]

CROSSINGS: dict[str, tuple[Expected, dict[str, Any]]] = {
    "MovingAverageCrossover": (
        lambda p: lookback(p["ma_type"].upper(), timeperiod=p["slow_period"]),
        {"ma_type": "hma"},
    ),
    "MACD": (
        lambda p: lookback(
            "MACD",
            fastperiod=p["fast_period"],
            slowperiod=p["slow_period"],
            signalperiod=p["signal_period"],
        ),
        {"signal_period": 4},
    ),
    "RSI": (lambda p: lookback("RSI", timeperiod=p["period"]), {"period": 9}),
    "BollingerBands": (lambda p: lookback("BBANDS", timeperiod=p["period"]), {"period": 31}),
    "Stochastic": (
        lambda p: lookback(
            "STOCH", fastk_period=p["k_period"], slowk_period=p["smooth_period"], slowd_period=p["d_period"]
        ),
        {"k_period": 9},
    ),
    "WilliamsR": (lambda p: lookback("WILLR", timeperiod=p["period"]), {"period": 9}),
    "CCI": (lambda p: lookback("CCI", timeperiod=p["period"]), {"period": 9}),
    "ROC": (lambda p: lookback("ROC", timeperiod=p["period"]), {"period": 9}),
    "MFI": (lambda p: lookback("MFI", timeperiod=p["period"]), {"period": 9}),
    "KAMA": (lambda p: lookback("KAMA", timeperiod=p["period"]), {"period": 9}),
    "Aroon": (lambda p: lookback("AROON", timeperiod=p["period"]), {"period": 9}),
    "Supertrend": (lambda p: lookback("SUPERTREND", timeperiod=p["period"]), {"period": 9}),
    "ParabolicSAR": (lambda _: lookback("SAR"), {}),
    "UltimateOscillator": (lambda p: lookback("ULTOSC", timeperiod3=p["long_period"]), {"long_period": 40}),
    "KeltnerChannel": (
        lambda p: lookback("KC", timeperiod=p["period"], atrperiod=p["atr_period"]),
        {"atr_period": 28},
    ),
    "OBV": (lambda p: lookback("EMA", timeperiod=p["period"]), {"period": 9}),
    "TRIX": (
        lambda p: lookback("TRIX", timeperiod=p["period"]) + lookback("EMA", timeperiod=p["signal_period"]),
        {"period": 6},
    ),
    "TSI": (
        lambda p: (
            lookback("TSI", firstperiod=p["long_period"], secondperiod=p["short_period"])
            + lookback("EMA", timeperiod=p["signal_period"])
        ),
        {"short_period": 6},
    ),
    "ATR": (lambda p: lookback("ATR", timeperiod=p["period"]), {"period": 9}),
}
LEVELS: dict[str, tuple[Expected, dict[str, Any]]] = {
    "MovingAverageTiming": (lambda p: lookback("SMA", timeperiod=p["period"]), {"period": 60}),
    "MovingAverageRibbon": (lambda p: lookback("EMA", timeperiod=p["slow_period"]), {"slow_period": 60}),
    "ADX": (lambda p: lookback("ADX", timeperiod=p["period"]), {"period": 9}),
    "ZScore": (lambda p: lookback("STDDEV", timeperiod=p["period"]), {"period": 33}),
    "CMF": (lambda p: lookback("CMF", timeperiod=p["period"]), {"period": 33}),
    "Momentum": (lambda p: lookback("MOM", timeperiod=p["period"]), {"period": 33}),
    "RSI2": (lambda p: lookback("SMA", timeperiod=p["trend_period"]), {"trend_period": 150}),
}


@pytest.mark.parametrize("name", CROSSINGS)
def test_crossings_need_one_bar_more_than_the_indicator(name: str) -> None:
    """A crossing compares two bars with values, so its first signal comes one bar after the first value."""
    expected, other = CROSSINGS[name]
    strategy = get_strategy(name)
    for given in ({}, other):
        params = strategy.validate(given)
        assert strategy.warmup(params) == expected(params) + 1


@pytest.mark.parametrize("name", LEVELS)
def test_levels_need_the_indicator_only(name: str) -> None:
    """A comparison with a level may signal on the first bar with a value."""
    expected, other = LEVELS[name]
    strategy = get_strategy(name)
    for given in ({}, other):
        params = strategy.validate(given)
        assert strategy.warmup(params) == expected(params)
