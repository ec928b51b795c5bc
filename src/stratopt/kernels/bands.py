"""True range, volatility and the channels built on them, in TA-Lib's conventions.

Float64 arrays of shape (n,) in, new arrays of shape (n,) out, NaN before the first complete window.
"""

from __future__ import annotations

import math

import numpy as np

from stratopt.kernels.arrays import Float64Array1D, Int8Array1D
from stratopt.kernels.averages import wilder
from stratopt.kernels.jit import jit
from stratopt.kernels.rolling import blank, rolling_max, rolling_mean_std, rolling_min


@jit
def true_range(high: Float64Array1D, low: Float64Array1D, close: Float64Array1D) -> Float64Array1D:
    """Wilder's true range; the first bar has none (NaN)."""
    n = close.size
    out = blank(n, 1)
    for i in range(1, n):
        before = close[i - 1]
        out[i] = max(high[i] - low[i], abs(high[i] - before), abs(low[i] - before))
    return out


@jit
def atr(high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, period: int) -> Float64Array1D:
    """Average true range: mean of the true ranges of bars 1..period, then Wilder's average; first at ``period``."""
    return wilder(true_range(high, low, close), period, 1)


@jit
def bollinger(
    values: Float64Array1D, period: int, deviations: float
) -> tuple[Float64Array1D, Float64Array1D, Float64Array1D]:
    """Upper, middle and lower Bollinger band: SMA ± ``deviations`` population deviations; first at ``period - 1``."""
    middle, width = rolling_mean_std(values, period, 0)
    n = values.size
    upper = np.empty(n)
    for i in range(n):
        away = deviations * width[i]
        upper[i] = middle[i] + away
        width[i] = middle[i] - away
    return upper, middle, width


@jit
def typical_price(high: Float64Array1D, low: Float64Array1D, close: Float64Array1D) -> Float64Array1D:
    """Mean of high, low and close."""
    out = np.empty(close.size)
    for i in range(close.size):
        out[i] = (high[i] + low[i] + close[i]) / 3.0
    return out


@jit
def keltner(
    high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, period: int, atr_period: int, multiple: float
) -> tuple[Float64Array1D, Float64Array1D, Float64Array1D]:
    """Upper, middle and lower Keltner channel: EMA of the typical price ± ``multiple`` Wilder ATR.

    Both averages are seeded so that they start together, at ``max(period - 1, atr_period)``.
    """
    n = close.size
    start = max(period - 1, atr_period)
    upper = blank(n, start)
    middle = blank(n, start)
    lower = blank(n, start)
    if start >= n:
        return upper, middle, lower
    typical = typical_price(high, low, close)
    ranges = true_range(high, low, close)
    average = 0.0
    for i in range(start - period + 1, start + 1):
        average += typical[i]
    average /= period
    width = 0.0
    for i in range(start - atr_period + 1, start + 1):
        width += ranges[i]
    width /= atr_period
    weight = 2.0 / (period + 1)
    atr_weight = 1.0 / atr_period
    for i in range(start, n):
        if i > start:
            average += (typical[i] - average) * weight
            width += (ranges[i] - width) * atr_weight
        upper[i] = average + multiple * width
        middle[i] = average
        lower[i] = average - multiple * width
    return upper, middle, lower


@jit
def donchian(
    high: Float64Array1D, low: Float64Array1D, period: int
) -> tuple[Float64Array1D, Float64Array1D, Float64Array1D]:
    """Highest high, middle and lowest low of the last ``period`` bars, the current one included; first at ``period - 1``."""
    upper = rolling_max(high, period)
    lower = rolling_min(low, period)
    middle = np.empty(high.size)
    for i in range(high.size):
        middle[i] = (upper[i] + lower[i]) / 2.0
    return upper, middle, lower


@jit
def supertrend(
    high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, period: int, multiple: float
) -> tuple[Float64Array1D, Int8Array1D]:
    """The Supertrend line and its side (+1 below price, -1 above, 0 before the first value); first at ``period``, up.

    Each band moves towards the price only, until a close beyond it frees it.
    """
    n = close.size
    width = atr(high, low, close, period)
    line = blank(n, period)
    side = np.zeros(n, np.int8)
    upper = np.inf
    lower = -np.inf
    trend = 1
    for i in range(period, n):
        middle = (high[i] + low[i]) / 2.0
        band = multiple * width[i]
        if i == period or middle + band < upper or close[i - 1] > upper:
            upper = middle + band
        if i == period or middle - band > lower or close[i - 1] < lower:
            lower = middle - band
        if i > period and trend == 1 and close[i] < lower:
            trend = -1
        elif i > period and trend == -1 and close[i] > upper:
            trend = 1
        side[i] = trend
        line[i] = lower if trend == 1 else upper
    return line, side


@jit
def historical_volatility(close: Float64Array1D, period: int) -> Float64Array1D:
    """Sample deviation (ddof 1) of the last ``period`` log returns, not annualised; first at ``period``."""
    n = close.size
    out = blank(n, period)
    if period < 2:
        out[:] = np.nan
        return out
    returns = np.empty(n)
    total = 0.0
    squares = 0.0
    for i in range(1, n):
        change = math.log(close[i] / close[i - 1])
        returns[i] = change
        total += change
        squares += change * change
        if i >= period:
            variance = (squares - total * total / period) / (period - 1)
            out[i] = math.sqrt(variance) if variance > 0.0 else 0.0
            total -= returns[i - period + 1]
            squares -= returns[i - period + 1] * returns[i - period + 1]
    return out
