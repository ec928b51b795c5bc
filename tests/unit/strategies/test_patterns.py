"""Patterns drawn by hand: when each rule that remembers something enters and leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import talib

from stratopt.market.bars import Bars
from stratopt.strategies.catalogue import get_strategy


def bars_of(close: Sequence[float], high: Any = None, low: Any = None, volume: Any = None) -> Bars:
    """Daily bars that open at their close; high and low are the close unless given."""
    price = np.asarray(close, dtype=float)
    return Bars.from_arrays(
        symbol="DRAWN",
        timeframe="1d",
        open_time=np.arange(price.size) * 86_400_000,
        open=price,
        high=price if high is None else np.asarray(high, dtype=float),
        low=price if low is None else np.asarray(low, dtype=float),
        close=price,
        volume=volume,
    )


DOUBLE = {"swing_bars": 1, "tolerance": 0.02, "min_width": 2, "max_width": 10}


@pytest.mark.parametrize(
    ("close", "expected"),
    [
        pytest.param([10, 8, 9.5, 8.1, 9, 9.6, 10.5, 11.2], [0, 0, 0, 0, 0, 1, 1, 0], id="reaches its target of 11"),
        pytest.param([10, 8, 9.5, 8.1, 9, 9.6, 8.5, 7.9], [0, 0, 0, 0, 0, 1, 1, 0], id="leaves below the lows"),
        pytest.param([10, 8, 9.5, 8.1, 9, 7.0, 9.6, 10], [0] * 8, id="lows broken before the neckline"),
        pytest.param([10, 8, 9.5, 8.3, 9, 9.6, 10.5, 11.2], [0] * 8, id="lows too far apart"),
        pytest.param([10, 8, 9.5, 8.1, 9, 11.5, 12, 12], [0] * 8, id="jumped over the target"),
    ],
)
def test_double_bottom(close: list[float], expected: list[int]) -> None:
    """Buys over the neckline of two confirmed lows, leaves at the pattern's height above it or below the lows."""
    strategy = get_strategy("DoubleTopBottom")
    assert strategy.target(bars_of(close), DOUBLE).tolist() == expected
    if expected[5]:
        tops = 20.0 - np.array(close)
        wide = {**DOUBLE, "tolerance": 0.05}
        assert strategy.target(bars_of(tops), wide, "short_only").tolist() == [-x for x in expected]


def test_fibonacci_pullback() -> None:
    """Buys when a pullback of half the swing is over, leaves at the swing's high; the swing counts only once confirmed."""
    quiet = [100.0, 101.0] * 10
    swing = [99.0, 101.0, 103.0, 106.0, 109.0, 107.0, 106.0]
    after = [103.5, 104.5, 107.0, 109.5, 104.5]
    target = get_strategy("FibonacciRetracement").target(
        bars_of([*quiet, *swing, *after]), {"swing_bars": 2, "retracement": 0.5, "min_swing_atr": 3.0}
    )
    assert target[: len(quiet) + len(swing)].tolist() == [0] * (len(quiet) + len(swing))
    assert target[len(quiet) + len(swing) :].tolist() == [0, 1, 1, 0, 0]


def test_fibonacci_pullback_fails_below_the_swing() -> None:
    """A close below the swing's low ends the trade."""
    quiet = [100.0, 101.0] * 10
    rest = [99.0, 101.0, 103.0, 106.0, 109.0, 107.0, 106.0, 103.5, 104.5, 101.0, 98.5, 104.5]
    target = get_strategy("FibonacciRetracement").target(
        bars_of([*quiet, *rest]), {"swing_bars": 2, "retracement": 0.5, "min_swing_atr": 3.0}
    )
    assert target[-5:].tolist() == [0, 1, 1, 0, 0]


def test_support_resistance_needs_touches() -> None:
    """A level of two swing highs is bought when a close crosses it; one of a single swing high is not."""
    start = [100.0, 101.0] * 8 + [100.0]
    two_tops = [102.0, 105.0, 102.0, 103.0, 105.1, 103.0, 104.0, 106.0, 107.0]
    params = {"swing_bars": 2, "min_touches": 2, "tolerance_atr": 0.2}
    target = get_strategy("SupportResistance").target(bars_of(start + two_tops), params)
    assert target[-3:].tolist() == [0, 1, 1]
    one_top = [102.0, 105.0, 102.0, 103.0, 103.5, 102.9, 104.0, 106.0, 107.0]
    assert get_strategy("SupportResistance").target(bars_of(start + one_top), params)[-3:].tolist() == [0, 0, 0]


def test_historical_volatility_contraction() -> None:
    """Buys a close above an inside bar of a contracted market and leaves after the holding time."""
    rng = np.random.default_rng(1)
    wild = list(100.0 + np.cumsum(rng.normal(0.0, 2.0, 70)))
    last = wild[-1]
    calm = [last + 0.1 * (-1) ** k for k in range(12)]
    out = [last + 1.0, last + 1.5, last + 2.0, last + 2.5, last + 3.0]
    close = np.array([*wild, *calm, *out])
    half = np.full(close.size, 1.0)
    half[80] = 0.3
    target = get_strategy("HistoricalVolatility").target(
        bars_of(close, close + half, close - half),
        {"short_period": 6, "long_period": 60, "max_ratio": 0.5, "holding_bars": 3},
    )
    assert target[80:].tolist() == [0, 0, 1, 1, 1, 0, 0]


def test_ultimate_oscillator_leaves_when_strength_fades() -> None:
    """After having been above 50, a fall below 45 ends the trade, though overbought was never reached."""
    rng = np.random.default_rng(3)
    close = 100.0 + np.cumsum(rng.normal(0.0, 1.0, 3000)) + 400.0
    bars = bars_of(close, close + 0.5, close - 0.5)
    value = talib.ULTOSC(bars.high, bars.low, bars.close, 7, 14, 28)
    position, armed, expected, faded = 0, False, [0], 0
    for i in range(1, len(bars)):
        weak = armed and value[i - 1] >= 45 > value[i]
        if position and (value[i] > 70 or weak):
            faded += value[i] <= 70
            position, armed = 0, False
        elif not position and value[i - 1] <= 40 < value[i] <= 70:
            position, armed = 1, False
        armed = armed or (position == 1 and value[i] > 50)
        expected.append(position)
    assert faded > 0
    assert get_strategy("UltimateOscillator").target(bars, {"oversold": 40.0}).tolist() == expected


def test_vwap_of_the_session_starts_again_each_month() -> None:
    """On daily bars a close below the month's mean by the deviations is bought, and sold at the mean."""
    close = np.array([100.0] * 31 + [100.0, 102.0, 100.0, 102.0, 97.0, 99.0, 101.0, 102.0])
    target = get_strategy("VWAP").target(bars_of(close, volume=np.ones(close.size)), {"num_std": 1.5})
    # The month's mean on its fifth day is 100.2 with a deviation of 1.83: 97 is 1.75 deviations below.
    assert target[31:].tolist() == [0, 0, 0, 0, 1, 1, 0, 0]
