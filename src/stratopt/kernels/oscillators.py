"""Momentum oscillators of one price series or of high, low and close, in TA-Lib's conventions.

Float64 arrays of shape (n,) in, new arrays of shape (n,) out, NaN before the first complete window. Where a denominator is zero
(flat prices) the value is 0, as in TA-Lib.
"""

from __future__ import annotations

import numpy as np

from stratopt.kernels.arrays import Float64Array1D
from stratopt.kernels.averages import difference, ema, sma
from stratopt.kernels.bands import typical_price
from stratopt.kernels.jit import jit
from stratopt.kernels.rolling import (
    TINY,
    bars_since_max,
    bars_since_min,
    blank,
    rolling_max,
    rolling_mean_std,
    rolling_min,
    rolling_sum,
)


@jit
def rsi(values: Float64Array1D, period: int) -> Float64Array1D:
    """Wilder's relative strength index, 0..100: means of gains and losses of the first ``period`` changes, then Wilder's average.

    First at ``period``; 0 where nothing moved.
    """
    n = values.size
    out = blank(n, period)
    if n <= period:
        return out
    gain = 0.0
    loss = 0.0
    for i in range(1, period + 1):
        change = values[i] - values[i - 1]
        gain += max(change, 0.0)
        loss += max(-change, 0.0)
    gain /= period
    loss /= period
    weight = 1.0 / period
    for i in range(period, n):
        if i > period:
            change = values[i] - values[i - 1]
            gain += (max(change, 0.0) - gain) * weight
            loss += (max(-change, 0.0) - loss) * weight
        total = gain + loss
        out[i] = 100.0 * gain / total if total >= TINY else 0.0
    return out


@jit
def stochastic_fast(
    high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, k_period: int, d_period: int
) -> tuple[Float64Array1D, Float64Array1D]:
    """Raw %K of ``k_period`` bars and %D, its SMA; both first at ``k_period + d_period - 2``."""
    k = _raw_stochastic(high, low, close, k_period)
    d = sma(k, d_period, k_period - 1)
    k[: min(k_period + d_period - 2, k.size)] = np.nan
    return k, d


@jit
def stochastic(
    high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, k_period: int, smooth_period: int, d_period: int
) -> tuple[Float64Array1D, Float64Array1D]:
    """Slow %K (SMA of the raw one) and %D (SMA of %K); both first at ``k_period + smooth_period + d_period - 3`` (Lane)."""
    k = sma(_raw_stochastic(high, low, close, k_period), smooth_period, k_period - 1)
    d = sma(k, d_period, k_period + smooth_period - 2)
    k[: min(k_period + smooth_period + d_period - 3, k.size)] = np.nan
    return k, d


@jit
def _raw_stochastic(high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, period: int) -> Float64Array1D:
    n = close.size
    highest = rolling_max(high, period)
    lowest = rolling_min(low, period)
    out = blank(n, period - 1)
    for i in range(period - 1, n):
        span = (highest[i] - lowest[i]) / 100.0
        out[i] = (close[i] - lowest[i]) / span if span != 0.0 else 0.0
    return out


@jit
def williams_r(high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, period: int) -> Float64Array1D:
    """Williams %R, -100..0; first at ``period - 1``."""
    n = close.size
    highest = rolling_max(high, period)
    lowest = rolling_min(low, period)
    out = blank(n, period - 1)
    for i in range(period - 1, n):
        span = (highest[i] - lowest[i]) / -100.0
        out[i] = (highest[i] - close[i]) / span if span != 0.0 else 0.0
    return out


@jit
def macd(
    values: Float64Array1D, fast_period: int, slow_period: int, signal_period: int
) -> tuple[Float64Array1D, Float64Array1D, Float64Array1D]:
    """MACD line, its signal and their difference; all first at ``slow_period + signal_period - 2`` (needs fast <= slow).

    The fast average is seeded by the mean of its bars that end where the slow one starts, as in TA-Lib.
    """
    n = values.size
    start = slow_period + signal_period - 2
    slow = ema(values, slow_period, 0)
    line = difference(ema(values, fast_period, slow_period - fast_period), slow)
    signal = ema(line, signal_period, slow_period - 1)
    line[: min(start, n)] = np.nan
    return line, signal, difference(line, signal)


@jit
def momentum(values: Float64Array1D, period: int) -> Float64Array1D:
    """Change over ``period`` bars, in price; first at ``period``."""
    n = values.size
    out = blank(n, period)
    for i in range(period, n):
        out[i] = values[i] - values[i - period]
    return out


@jit
def rate_of_change(values: Float64Array1D, period: int) -> Float64Array1D:
    """Change over ``period`` bars in per cent; first at ``period``."""
    n = values.size
    out = blank(n, period)
    for i in range(period, n):
        before = values[i - period]
        out[i] = (values[i] / before - 1.0) * 100.0 if before != 0.0 else 0.0
    return out


@jit
def cci(high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, period: int) -> Float64Array1D:
    """Commodity channel index: deviation of the typical price from its mean in units of 0.015 mean deviations.

    First at ``period - 1`` (Lambert 1980).
    """
    n = close.size
    out = blank(n, period - 1)
    typical = typical_price(high, low, close)
    mean = rolling_mean_std(typical, period, 0)[0]
    even = period - period % 4
    for i in range(period - 1, n):
        window = typical[i - period + 1 : i + 1]
        middle = mean[i]
        # Four running sums: one alone would wait for itself at every step.
        one = two = three = four = 0.0
        for k in range(0, even, 4):
            one += abs(window[k] - middle)
            two += abs(window[k + 1] - middle)
            three += abs(window[k + 2] - middle)
            four += abs(window[k + 3] - middle)
        for k in range(even, period):
            one += abs(window[k] - middle)
        spread = (one + two) + (three + four)
        # The mean of equal prices differs from them by rounding; without the bound a flat window would give ±66.7.
        flat = spread <= 1e-12 * middle
        out[i] = 0.0 if flat else (typical[i] - middle) / (0.015 * (spread / period))
    return out


@jit
def ultimate_oscillator(
    high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, short: int, medium: int, long: int
) -> Float64Array1D:
    """Williams' ultimate oscillator, 0..100: buying pressure over true range of three windows, weighted 4:2:1.

    First at ``long``; needs short <= medium <= long.
    """
    n = close.size
    pressure = np.zeros(n)
    span = np.zeros(n)
    for i in range(1, n):
        floor = min(low[i], close[i - 1])
        pressure[i] = close[i] - floor
        span[i] = max(high[i], close[i - 1]) - floor
    quick = _ratio_of_sums(pressure, span, short)
    steady = _ratio_of_sums(pressure, span, medium)
    slow = _ratio_of_sums(pressure, span, long)
    out = blank(n, long)
    for i in range(long, n):
        out[i] = 100.0 * (4.0 * quick[i] + 2.0 * steady[i] + slow[i]) / 7.0
    return out


@jit
def _ratio_of_sums(upper: Float64Array1D, lower: Float64Array1D, period: int) -> Float64Array1D:
    upper_sum = rolling_sum(upper, period, 1)
    lower_sum = rolling_sum(lower, period, 1)
    for i in range(min(period, upper.size), upper.size):
        upper_sum[i] = upper_sum[i] / lower_sum[i] if abs(lower_sum[i]) >= TINY else 0.0
    return upper_sum


@jit
def aroon(high: Float64Array1D, low: Float64Array1D, period: int) -> tuple[Float64Array1D, Float64Array1D]:
    """Aroon down and up, 0..100: how recent the extremes of the last ``period + 1`` bars are; first at ``period`` (Chande 1995)."""
    n = high.size
    down = blank(n, period)
    up = blank(n, period)
    since_high = bars_since_max(high, period + 1)
    since_low = bars_since_min(low, period + 1)
    scale = 100.0 / period
    for i in range(period, n):
        down[i] = scale * (period - since_low[i])
        up[i] = scale * (period - since_high[i])
    return down, up


@jit
def true_strength_index(values: Float64Array1D, first_period: int, second_period: int) -> Float64Array1D:
    """100 times the doubly smoothed change over the doubly smoothed absolute change; first at ``first + second - 1`` (Blau 1991)."""
    n = values.size
    changes = momentum(values, 1)
    sizes = np.empty(n)
    for i in range(n):
        sizes[i] = abs(changes[i])
    change = ema(ema(changes, first_period, 1), second_period, first_period)
    size = ema(ema(sizes, first_period, 1), second_period, first_period)
    out = blank(n, first_period + second_period - 1)
    for i in range(first_period + second_period - 1, n):
        out[i] = 100.0 * change[i] / size[i] if abs(size[i]) >= TINY else 0.0
    return out
