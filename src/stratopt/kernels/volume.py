"""Indicators of price and volume, in TA-Lib's conventions; VWAP with an anchor is ours.

Float64 arrays of shape (n,) in, new arrays of shape (n,) out, NaN before the first complete window.
"""

from __future__ import annotations

import math

import numpy as np

from stratopt.kernels.arrays import Float64Array1D, Int64Array1D
from stratopt.kernels.averages import ema
from stratopt.kernels.bands import typical_price
from stratopt.kernels.jit import jit
from stratopt.kernels.rolling import RESYNC_BARS, TINY, blank

ENOUGH_DIGITS = 1e-6
"""A running sum that fell below this share of its greatest value is taken afresh."""


@jit
def on_balance_volume(close: Float64Array1D, volume: Float64Array1D) -> Float64Array1D:
    """Running volume, added on a rise and subtracted on a fall; starts at the first bar's volume (Granville 1963)."""
    n = close.size
    out = np.empty(n)
    total = 0.0
    for i in range(n):
        if i == 0 or close[i] > close[i - 1]:
            total += volume[i]
        elif close[i] < close[i - 1]:
            total -= volume[i]
        out[i] = total
    return out


@jit
def _money_flow(high: float, low: float, close: float, volume: float) -> float:
    span = high - low
    return ((close - low) - (high - close)) / span * volume if span > 0.0 else 0.0


@jit
def accumulation_distribution(
    high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, volume: Float64Array1D
) -> Float64Array1D:
    """Running sum of volume times the close's place in its bar (-1..1); 0 is added where high equals low (Chaikin)."""
    n = close.size
    out = np.empty(n)
    total = 0.0
    for i in range(n):
        total += _money_flow(high[i], low[i], close[i], volume[i])
        out[i] = total
    return out


@jit
def chaikin_oscillator(
    high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, volume: Float64Array1D, fast: int, slow: int
) -> Float64Array1D:
    """Fast minus slow EMA of accumulation/distribution, both seeded by its first value; first at ``max(fast, slow) - 1``."""
    n = close.size
    first = max(fast, slow) - 1
    out = blank(n, first)
    line = accumulation_distribution(high, low, close, volume)
    if n == 0:
        return out
    quick = line[0]
    steady = line[0]
    quick_weight = 2.0 / (fast + 1)
    steady_weight = 2.0 / (slow + 1)
    for i in range(n):
        quick = quick_weight * line[i] + (1.0 - quick_weight) * quick
        steady = steady_weight * line[i] + (1.0 - steady_weight) * steady
        if i >= first:
            out[i] = quick - steady
    return out


@jit
def chaikin_money_flow(
    high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, volume: Float64Array1D, period: int
) -> Float64Array1D:
    """Money flow over volume of the last ``period`` bars, -1..1; 0 without volume; first at ``period - 1`` (Chaikin)."""
    n = close.size
    out = blank(n, period - 1)
    flow = np.empty(n)
    flows = 0.0
    volumes = 0.0
    for i in range(n):
        flow[i] = _money_flow(high[i], low[i], close[i], volume[i])
        flows += flow[i]
        volumes += volume[i]
        if i >= period - 1:
            out[i] = flows / volumes if volumes >= TINY else 0.0
            flows -= flow[i - period + 1]
            volumes -= volume[i - period + 1]
    return out


@jit
def money_flow_index(
    high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, volume: Float64Array1D, period: int
) -> Float64Array1D:
    """Share of rising money (typical price x volume) of the last ``period`` bars, 0..100; first at ``period``.

    0 where less than one unit of money moved, as in TA-Lib (Quong, Soudack 1989).
    """
    n = close.size
    out = blank(n, period)
    typical = typical_price(high, low, close)
    rising = np.zeros(n)
    falling = np.zeros(n)
    up = 0.0
    down = 0.0
    for i in range(1, n):
        money = typical[i] * volume[i]
        if typical[i] > typical[i - 1]:
            rising[i] = money
        elif typical[i] < typical[i - 1]:
            falling[i] = money
        if i > period:
            up -= rising[i - period]
            down -= falling[i - period]
        up += rising[i]
        down += falling[i]
        if i >= period:
            # Rounding may leave a window without rising money a hair below zero.
            out[i] = 100.0 * (max(up, 0.0) / (up + down)) if up + down >= 1.0 else 0.0
    return out


@jit
def anchored_vwap(
    high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, volume: Float64Array1D, session: Int64Array1D
) -> tuple[Float64Array1D, Float64Array1D]:
    """Volume-weighted mean and deviation of the typical price since the session's first bar.

    NaN until the session has volume. Sums are taken of distances to the session's first price, so that the deviation keeps its
    digits.
    """
    n = close.size
    mean = np.empty(n)
    deviation = np.empty(n)
    base = 0.0
    weight = 0.0
    moment = 0.0
    squares = 0.0
    for i in range(n):
        price = (high[i] + low[i] + close[i]) / 3.0
        if i == 0 or session[i] != session[i - 1]:
            base = price
            weight = 0.0
            moment = 0.0
            squares = 0.0
        away = price - base
        weight += volume[i]
        moment += volume[i] * away
        squares += volume[i] * away * away
        if weight > 0.0:
            shift = moment / weight
            mean[i] = base + shift
            deviation[i] = math.sqrt(max(squares / weight - shift * shift, 0.0))
        else:
            mean[i] = np.nan
            deviation[i] = np.nan
    return mean, deviation


@jit
def rolling_vwap(
    high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, volume: Float64Array1D, period: int
) -> tuple[Float64Array1D, Float64Array1D]:
    """Volume-weighted mean and deviation of the typical price of the last ``period`` bars; first at ``period - 1``.

    NaN where the window has no volume. Running sums are of distances to a recent price.
    """
    n = close.size
    mean = blank(n, period - 1)
    deviation = blank(n, period - 1)
    typical = typical_price(high, low, close)
    base, weight, moment, squares, most_weight, most_squares = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(period - 1, n):
        stale = (i - period + 1) % RESYNC_BARS == 0
        if not stale:
            away, oldest = typical[i] - base, typical[i - period] - base
            weight += volume[i] - volume[i - period]
            moment += volume[i] * away - volume[i - period] * oldest
            squares += volume[i] * away * away - volume[i - period] * oldest * oldest
            # Little volume or spread after much of it: nearly all digits cancelled.
            stale = (
                weight <= ENOUGH_DIGITS * most_weight
                or squares - moment * moment / weight < ENOUGH_DIGITS * most_squares
            )
        if stale:
            base, weight, moment, squares = typical[i], 0.0, 0.0, 0.0
            most_weight, most_squares = 0.0, 0.0
            for k in range(i - period + 1, i + 1):
                away = typical[k] - base
                weight += volume[k]
                moment += volume[k] * away
                squares += volume[k] * away * away
        most_weight, most_squares = max(most_weight, weight), max(most_squares, squares)
        if weight > 0.0:
            shift = moment / weight
            mean[i] = base + shift
            deviation[i] = math.sqrt(max(squares / weight - shift * shift, 0.0))
        else:
            mean[i] = np.nan
            deviation[i] = np.nan
    return mean, deviation


@jit
def obv_with_average(
    close: Float64Array1D, volume: Float64Array1D, period: int
) -> tuple[Float64Array1D, Float64Array1D]:
    """On-balance volume and its EMA (first at ``period - 1``)."""
    line = on_balance_volume(close, volume)
    return line, ema(line, period, 0)
