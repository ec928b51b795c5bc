"""Each indicator equals TA-Lib: values to 1e-9 relative, the same NaN, on random, trending, partly flat, constant and short input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import talib

from stratopt.kernels import averages, bands, directional, oscillators, rolling, volume

PERIODS = (2, 5, 14, 20, 50)
LENGTHS = (1, 2, 3, 7, 35, 2000)


class Series:
    """Made-up bars of one character."""

    def __init__(self, kind: str, n: int) -> None:
        rng = np.random.default_rng(len(kind) + n)
        returns = rng.normal(0.002 if kind == "trending" else 0.0, 0.015, n)
        wicks = np.abs(rng.normal(0.0, 0.01, n))
        if kind == "partly flat":
            still = (np.arange(n) // 40) % 2 == 0
            returns[still] = wicks[still] = 0.0
        if kind == "constant":
            returns[:] = wicks[:] = 0.0
        self.close = 100.1 * np.exp(np.cumsum(returns))
        before = np.concatenate([self.close[:1], self.close[:-1]])
        self.high = np.maximum(before, self.close) * (1.0 + wicks)
        self.low = np.minimum(before, self.close) * (1.0 - 0.7 * wicks)
        self.volume = rng.integers(0, 10_000, n).astype(float)
        self.hlc = (self.high, self.low, self.close)
        self.hlcv = (*self.hlc, self.volume)


Case = tuple[Callable[[Series, int], Any], Callable[[Series, int], Any], float]

# name: ours, TA-Lib's, and the absolute error that rounding may leave where the value itself is (nearly) zero, for prices of about 100.
CASES: dict[str, Case] = {
    "sum": (lambda s, p: rolling.rolling_sum(s.close, p, 0), lambda s, p: talib.SUM(s.close, p), 0.0),
    "std": (lambda s, p: rolling.rolling_std(s.close, p, 0), lambda s, p: talib.STDDEV(s.close, p), 2e-11),
    "max": (lambda s, p: rolling.rolling_max(s.close, p), lambda s, p: talib.MAX(s.close, p), 0.0),
    "min": (lambda s, p: rolling.rolling_min(s.close, p), lambda s, p: talib.MIN(s.close, p), 0.0),
    "sma": (lambda s, p: averages.sma(s.close, p, 0), lambda s, p: talib.SMA(s.close, p), 0.0),
    "ema": (lambda s, p: averages.ema(s.close, p, 0), lambda s, p: talib.EMA(s.close, p), 0.0),
    "wilder": (lambda s, p: averages.wilder(s.close, p, 0), lambda s, p: talib.RMA(s.close, p), 0.0),
    "wma": (lambda s, p: averages.wma(s.close, p, 0), lambda s, p: talib.WMA(s.close, p), 0.0),
    "hma": (lambda s, p: averages.hma(s.close, p), lambda s, p: talib.HMA(s.close, p), 0.0),
    "dema": (lambda s, p: averages.dema(s.close, p), lambda s, p: talib.DEMA(s.close, p), 0.0),
    "tema": (lambda s, p: averages.tema(s.close, p), lambda s, p: talib.TEMA(s.close, p), 0.0),
    "trix": (lambda s, p: averages.trix(s.close, p), lambda s, p: talib.TRIX(s.close, p), 1e-12),
    "kama": (lambda s, p: averages.kama(s.close, p), lambda s, p: talib.KAMA(s.close, p), 0.0),
    "linear_regression": (
        lambda s, p: averages.linear_regression(s.close, p, 0),
        lambda s, p: (talib.LINEARREG(s.close, p), talib.LINEARREG_SLOPE(s.close, p)),
        1e-11,
    ),
    "rsi": (lambda s, p: oscillators.rsi(s.close, p), lambda s, p: talib.RSI(s.close, p), 0.0),
    "momentum": (lambda s, p: oscillators.momentum(s.close, p), lambda s, p: talib.MOM(s.close, p), 0.0),
    "rate_of_change": (lambda s, p: oscillators.rate_of_change(s.close, p), lambda s, p: talib.ROC(s.close, p), 0.0),
    "stochastic_fast": (
        lambda s, p: oscillators.stochastic_fast(*s.hlc, p, 3),
        lambda s, p: talib.STOCHF(*s.hlc, p, 3),
        1e-10,
    ),
    "stochastic": (
        lambda s, p: oscillators.stochastic(*s.hlc, p, 3, 4),
        lambda s, p: talib.STOCH(*s.hlc, p, 3, 0, 4, 0),
        1e-10,
    ),
    "williams_r": (lambda s, p: oscillators.williams_r(*s.hlc, p), lambda s, p: talib.WILLR(*s.hlc, p), 0.0),
    "macd": (
        lambda s, p: oscillators.macd(s.close, p, 2 * p + 1, 9),
        lambda s, p: talib.MACD(s.close, p, 2 * p + 1, 9),
        1e-12,
    ),
    "cci": (lambda s, p: oscillators.cci(*s.hlc, p), lambda s, p: talib.CCI(*s.hlc, p), 1e-10),
    "ultimate_oscillator": (
        lambda s, p: oscillators.ultimate_oscillator(*s.hlc, p, 2 * p, 4 * p),
        lambda s, p: talib.ULTOSC(*s.hlc, p, 2 * p, 4 * p),
        1e-10,
    ),
    "aroon": (
        lambda s, p: oscillators.aroon(s.high, s.low, p),
        lambda s, p: talib.AROON(s.high, s.low, p),
        1e-12,
    ),
    "true_strength_index": (
        lambda s, p: oscillators.true_strength_index(s.close, p, 5),
        lambda s, p: talib.TSI(s.close, p, 5),
        1e-11,
    ),
    "true_range": (lambda s, _: bands.true_range(*s.hlc), lambda s, _: talib.TRANGE(*s.hlc), 0.0),
    "atr": (lambda s, p: bands.atr(*s.hlc, p), lambda s, p: talib.ATR(*s.hlc, p), 0.0),
    "bollinger": (
        lambda s, p: bands.bollinger(s.close, p, 2.5),
        lambda s, p: talib.BBANDS(s.close, p, 2.5, 2.5),
        0.0,
    ),
    "keltner": (lambda s, p: bands.keltner(*s.hlc, p, 10, 2.0), lambda s, p: talib.KC(*s.hlc, p, 10, 2.0), 0.0),
    "donchian": (
        lambda s, p: bands.donchian(s.high, s.low, p),
        lambda s, p: talib.DONCHIAN(s.high, s.low, p),
        0.0,
    ),
    "supertrend": (
        lambda s, p: bands.supertrend(*s.hlc, p, 3.0),
        lambda s, p: _zero_before_first(*talib.SUPERTREND(*s.hlc, p, 3.0)),
        0.0,
    ),
    "directional_movement": (
        lambda s, p: directional.directional_movement(s.high, s.low, p),
        lambda s, p: (talib.PLUS_DM(s.high, s.low, p), talib.MINUS_DM(s.high, s.low, p)),
        0.0,
    ),
    "directional_system": (
        lambda s, p: directional.directional_system(*s.hlc, p),
        lambda s, p: tuple(f(*s.hlc, p) for f in (talib.PLUS_DI, talib.MINUS_DI, talib.DX, talib.ADX)),
        1e-11,
    ),
    "parabolic_sar": (
        lambda s, p: directional.parabolic_sar(s.high, s.low, 0.002 * p, 0.2)[0],
        lambda s, p: talib.SAR(s.high, s.low, 0.002 * p, 0.2),
        0.0,
    ),
    "on_balance_volume": (
        lambda s, _: volume.on_balance_volume(s.close, s.volume),
        lambda s, _: talib.OBV(s.close, s.volume),
        0.0,
    ),
    "accumulation_distribution": (
        lambda s, _: volume.accumulation_distribution(*s.hlcv),
        lambda s, _: talib.AD(*s.hlcv),
        1e-6,
    ),
    "chaikin_oscillator": (
        lambda s, p: volume.chaikin_oscillator(*s.hlcv, 3, p + 3),
        lambda s, p: talib.ADOSC(*s.hlcv, 3, p + 3),
        1e-6,
    ),
    "chaikin_money_flow": (
        lambda s, p: volume.chaikin_money_flow(*s.hlcv, p),
        lambda s, p: talib.CMF(*s.hlcv, p),
        1e-12,
    ),
    "money_flow_index": (
        lambda s, p: volume.money_flow_index(*s.hlcv, p),
        lambda s, p: talib.MFI(*s.hlcv, p),
        1e-10,
    ),
    "anchored_vwap": (
        lambda s, _: volume.anchored_vwap(*s.hlcv, np.zeros(s.close.size, np.int64))[0],
        lambda s, _: talib.VWAP(*s.hlcv),
        0.0,
    ),
}


def _zero_before_first(line: Any, side: Any) -> tuple[Any, Any]:
    return line, np.nan_to_num(side)


def _lines(result: Any) -> tuple[Any, ...]:
    return tuple(np.asarray(line, dtype=float) for line in (result if isinstance(result, tuple) else (result,)))


def _assert_equal(name: str, series: Series, period: int) -> None:
    ours, theirs, absolute = CASES[name]
    absolute *= max(1.0, float(series.close.max()) / 100.0)
    pairs = zip(_lines(ours(series, period)), _lines(theirs(series, period)), strict=True)
    for got, expected in pairs:
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=absolute, equal_nan=True)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ["random", "trending", "partly flat", "constant"])
def test_equals_talib(name: str, kind: str) -> None:
    """Values and NaN are TA-Lib's for every length and period, also where the input is too short for one value."""
    for n in LENGTHS:
        for period in PERIODS:
            _assert_equal(name, Series(kind, n), period)


@pytest.mark.parametrize("name", CASES)
def test_does_not_drift(name: str) -> None:
    """After 100,000 bars running sums have not moved away from TA-Lib's."""
    series = Series("random", 100_000)
    for period in (5, 50):
        _assert_equal(name, series, period)


@pytest.mark.parametrize("name", CASES)
def test_no_bars(name: str) -> None:
    """Without bars there are no values and no error."""
    for line in _lines(CASES[name][0](Series("random", 0), 5)):
        assert line.size == 0
