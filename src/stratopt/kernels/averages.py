"""Moving averages and the regression line, in TA-Lib's conventions.

Float64 arrays of shape (n,) in, a new array of shape (n,) out, NaN before the first complete window. ``first`` is the position of
the first value of ``values`` that is not NaN, so that averages of averages can be taken.
"""

from __future__ import annotations

import math

import numpy as np

from stratopt.kernels.arrays import Float64Array1D
from stratopt.kernels.jit import jit, jit_bare
from stratopt.kernels.rolling import RESYNC_BARS, TINY, blank

SMA, EMA, WMA, HMA = range(4)
SHORT_WINDOW = 8


@jit
def window_mean(values: Float64Array1D, start: int, stop: int) -> float:
    """Mean of ``values[start:stop]``, taken of distances to the last value: equal values give that value without rounding."""
    base = values[stop - 1]
    total = 0.0
    for i in range(start, stop):
        total += values[i] - base
    return base + total / (stop - start)


@jit
def sma(values: Float64Array1D, period: int, first: int) -> Float64Array1D:
    """Simple moving average; first at ``first + period - 1``. Equal prices average to that price without rounding."""
    n = values.size
    start = first + period - 1
    out = blank(n, start)
    if period <= SHORT_WINDOW:
        # Short windows are summed afresh at each bar, so that a run of zeros (an oscillator on flat prices) gives zero at once.
        for i in range(start, n):
            base = values[i]
            total = 0.0
            for k in range(i - period + 1, i):
                total += values[k] - base
            out[i] = base + total / period
        return out
    at = start
    while at + 4 * RESYNC_BARS <= n:
        _four_runs(values, period, at, out)
        at += 4 * RESYNC_BARS
    while at < n:
        _run(values, period, at, min(at + RESYNC_BARS, n), out)
        at += RESYNC_BARS
    return out


@jit_bare
def _run(values: Float64Array1D, period: int, at: int, stop: int, out: Float64Array1D) -> None:
    """Averages of the bars [at, stop) from one running sum of distances to the first of them."""
    base = values[at]
    total = 0.0
    for k in range(at - period + 1, at):
        total += values[k] - base
    out[at] = base + total / period
    for i in range(at + 1, stop):
        total += values[i] - values[i - period]
        out[i] = base + total / period


@jit_bare
def _four_runs(values: Float64Array1D, period: int, at: int, out: Float64Array1D) -> None:
    """Four runs of ``RESYNC_BARS`` side by side: one sum alone waits for each of its additions."""
    gap = RESYNC_BARS
    one, two, three, four = values[at:], values[at + gap :], values[at + 2 * gap :], values[at + 3 * gap :]
    base = (one[0], two[0], three[0], four[0])
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    before = values[at - period + 1 :]
    for k in range(period - 1):
        a += before[k] - base[0]
        b += before[k + gap] - base[1]
        c += before[k + 2 * gap] - base[2]
        d += before[k + 3 * gap] - base[3]
    done = out[at : at + 4 * gap]
    done[0], done[gap], done[2 * gap], done[3 * gap] = a, b, c, d
    for k in range(1, gap):
        a += one[k] - values[at - period + k]
        b += two[k] - values[at - period + k + gap]
        c += three[k] - values[at - period + k + 2 * gap]
        d += four[k] - values[at - period + k + 3 * gap]
        done[k], done[k + gap], done[k + 2 * gap], done[k + 3 * gap] = a, b, c, d
    for run in range(4):
        totals = done[run * gap : (run + 1) * gap]
        for k in range(gap):
            totals[k] = base[run] + totals[k] / period


@jit
def _smoothed(values: Float64Array1D, period: int, first: int, weight: float) -> Float64Array1D:
    n = values.size
    start = first + period - 1
    out = blank(n, start)
    if start >= n:
        return out
    average = window_mean(values, first, start + 1)
    out[start] = average
    for i in range(start + 1, n):
        average += (values[i] - average) * weight
        out[i] = average
    return out


@jit
def ema(values: Float64Array1D, period: int, first: int) -> Float64Array1D:
    """Exponential moving average seeded by the mean of the first ``period`` values; first at ``first + period - 1``."""
    return _smoothed(values, period, first, 2.0 / (period + 1))


@jit
def wilder(values: Float64Array1D, period: int, first: int) -> Float64Array1D:
    """Wilder's average (weight 1/period) seeded by the mean of the first ``period`` values; first at ``first + period - 1``.

    The step multiplies by 1/period: dividing costs three times as much and differs by rounding only.
    """
    return _smoothed(values, period, first, 1.0 / period)


@jit
def wma(values: Float64Array1D, period: int, first: int) -> Float64Array1D:
    """Linearly weighted moving average, the newest value weighs ``period``; first at ``first + period - 1``."""
    n = values.size
    start = first + period - 1
    out = blank(n, start)
    weights = period * (period + 1) / 2.0
    base = 0.0
    weighted = 0.0
    total = 0.0
    for i in range(start, n):
        if (i - start) % RESYNC_BARS == 0:
            base = values[i]
            weighted = 0.0
            total = 0.0
            for k in range(period):
                away = values[i - period + 1 + k] - base
                weighted += away * (k + 1)
                total += away
        else:
            weighted += (values[i] - base) * period - total
            total += values[i] - values[i - period]
        out[i] = base + weighted / weights
    return out


@jit
def hma(values: Float64Array1D, period: int) -> Float64Array1D:
    """Hull moving average: WMA(√p) of 2 WMA(p/2) - WMA(p); first at ``period + floor(√period) - 2`` (Hull 2005)."""
    half = wma(values, max(period // 2, 1), 0)
    full = wma(values, period, 0)
    for i in range(values.size):
        full[i] = 2.0 * half[i] - full[i]
    return wma(full, int(math.sqrt(period)), period - 1)


@jit
def dema(values: Float64Array1D, period: int) -> Float64Array1D:
    """Double exponential average 2 e1 - e2 of nested EMAs; first at ``2 (period - 1)`` (Mulloy 1994)."""
    one = ema(values, period, 0)
    two = ema(one, period, period - 1)
    for i in range(values.size):
        two[i] = 2.0 * one[i] - two[i]
    return two


@jit
def tema(values: Float64Array1D, period: int) -> Float64Array1D:
    """Triple exponential average 3 e1 - 3 e2 + e3 of nested EMAs; first at ``3 (period - 1)`` (Mulloy 1994)."""
    one = ema(values, period, 0)
    two = ema(one, period, period - 1)
    three = ema(two, period, 2 * (period - 1))
    for i in range(values.size):
        three[i] = 3.0 * one[i] - 3.0 * two[i] + three[i]
    return three


@jit
def trix(values: Float64Array1D, period: int) -> Float64Array1D:
    """One-bar change in per cent of the triple nested EMA; first at ``3 (period - 1) + 1``."""
    start = 3 * (period - 1)
    triple = ema(ema(ema(values, period, 0), period, period - 1), period, 2 * (period - 1))
    n = values.size
    out = blank(n, start + 1)
    for i in range(start + 1, n):
        out[i] = (triple[i] / triple[i - 1] - 1.0) * 100.0 if triple[i - 1] != 0.0 else 0.0
    return out


@jit
def kama(values: Float64Array1D, period: int) -> Float64Array1D:
    """Kaufman's adaptive average: weight from the efficiency ratio of ``period`` bars between 2/31 and 2/3; first at ``period``.

    Seeded by the value of bar ``period - 1`` (Kaufman 1995).
    """
    n = values.size
    out = blank(n, period)
    if n <= period:
        return out
    slow = 2.0 / 31.0
    spread = 2.0 / 3.0 - slow
    path = 0.0
    for i in range(1, period):
        path += abs(values[i] - values[i - 1])
    average = values[period - 1]
    for i in range(period, n):
        path += abs(values[i] - values[i - 1])
        change = values[i] - values[i - period]
        # TA-Lib compares the signed change, so a fall beyond rounding never counts as fully efficient by this branch.
        efficiency = 1.0 if path <= change or abs(path) < TINY else abs(change / path)
        weight = efficiency * spread + slow
        average += (values[i] - average) * weight * weight
        out[i] = average
        path -= abs(values[i - period + 1] - values[i - period])
    return out


@jit
def linear_regression(values: Float64Array1D, period: int, first: int) -> tuple[Float64Array1D, Float64Array1D]:
    """Least-squares line through the last ``period`` values: its value at the current bar, and its slope a bar.

    First at ``first + period - 1``.
    """
    n = values.size
    start = first + period - 1
    line = blank(n, start)
    slope = blank(n, start)
    middle = (period - 1) / 2.0
    spread = period * (period * period - 1.0) / 12.0
    total = 0.0
    moment = 0.0
    for i in range(start, n):
        if (i - start) % RESYNC_BARS == 0:
            total = 0.0
            moment = 0.0
            for k in range(period):
                total += values[i - period + 1 + k]
                moment += values[i - period + 1 + k] * k
        else:
            oldest = values[i - period]
            moment += (period - 1) * values[i] - (total - oldest)
            total += values[i] - oldest
        steep = (moment - middle * total) / spread if period > 1 else 0.0
        slope[i] = steep
        line[i] = total / period + steep * middle
    return line, slope


@jit
def moving_average(values: Float64Array1D, period: int, kind: int) -> Float64Array1D:
    """The average of ``kind``: 0 SMA, 1 EMA, 2 WMA, 3 HMA."""
    if kind == SMA:
        return sma(values, period, 0)
    if kind == EMA:
        return ema(values, period, 0)
    if kind == WMA:
        return wma(values, period, 0)
    return hma(values, period)


def moving_average_first(period: int, kind: int) -> int:
    """Position of the first value of ``moving_average``."""
    return period + math.isqrt(period) - 2 if kind == HMA else period - 1


@jit
def difference(left: Float64Array1D, right: Float64Array1D) -> Float64Array1D:
    """``left - right``, bar by bar."""
    out = np.empty(left.size)
    for i in range(left.size):
        out[i] = left[i] - right[i]
    return out
