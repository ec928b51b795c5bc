"""Moving sums, deviations and extremes over a window of the last ``period`` bars.

Every function takes float64 arrays of shape (n,) without NaN from ``first`` on and returns a new array of shape (n,).
Values before the first complete window are NaN; input that is too short gives NaN everywhere.
"""

from __future__ import annotations

import math

import numpy as np

from stratopt.kernels.arrays import Float64Array1D, Int64Array1D
from stratopt.kernels.jit import jit

TINY = 1e-14
"""TA-Lib's bound below which a variance or a denominator counts as zero."""

RESYNC_BARS = 64
"""Running sums are taken afresh after so many bars, so that rounding does not add up."""


@jit
def blank(size: int, first: int) -> Float64Array1D:
    """An array of ``size`` whose elements before ``first`` are NaN and whose others are not yet set."""
    out = np.empty(size)
    out[: max(0, min(first, size))] = np.nan
    return out


@jit
def scaled(values: Float64Array1D, factor: float) -> Float64Array1D:
    """``values`` times ``factor``, in a new array."""
    out = np.empty(values.size)
    for i in range(values.size):
        out[i] = values[i] * factor
    return out


@jit
def rolling_sum(values: Float64Array1D, period: int, first: int) -> Float64Array1D:
    """Sum of the last ``period`` values; first at ``first + period - 1``."""
    n = values.size
    start = first + period - 1
    out = blank(n, start)
    total = 0.0
    for i in range(first, min(start, n)):
        total += values[i]
    for i in range(start, n):
        total += values[i]
        out[i] = total
        total -= values[i - period + 1]
    return out


@jit
def rolling_std(values: Float64Array1D, period: int, first: int) -> Float64Array1D:
    """Population deviation (ddof 0) of the last ``period`` values; a variance below 1e-14 counts as 0 (TA-Lib STDDEV)."""
    return rolling_mean_std(values, period, first)[1]


@jit
def rolling_mean_std(values: Float64Array1D, period: int, first: int) -> tuple[Float64Array1D, Float64Array1D]:
    """Mean and population deviation of the last ``period`` values; both first at ``first + period - 1``.

    Sums are of distances to a recent value: sums of squared prices would leave few digits for a small deviation.
    """
    n = values.size
    start = first + period - 1
    mean = blank(n, start)
    deviation = blank(n, start)
    base = 0.0
    total = 0.0
    squares = 0.0
    for i in range(start, n):
        stale = (i - start) % RESYNC_BARS == 0
        if not stale:
            away = values[i] - base
            oldest = values[i - period] - base
            total += away - oldest
            squares += away * away - oldest * oldest
            shift = total / period
            variance = squares / period - shift * shift
            # Nearly all digits cancelled: a tight or flat window far from the base.
            stale = variance < 1e-6 * (shift * shift)
        if stale:
            base = values[i]
            total = 0.0
            squares = 0.0
            for k in range(i - period + 1, i + 1):
                away = values[k] - base
                total += away
                squares += away * away
            shift = total / period
            variance = squares / period - shift * shift
        mean[i] = base + shift
        deviation[i] = math.sqrt(variance) if variance >= TINY else 0.0
    return mean, deviation


@jit
def rolling_max(values: Float64Array1D, period: int) -> Float64Array1D:
    """Highest of the last ``period`` values, the current one included; first at ``period - 1``.

    Windows are covered by the running maximum of one block and the suffix maximum of the block before: three comparisons
    a bar whatever the period and the data (van Herk 1992; Gil, Werman 1993).
    """
    n = values.size
    out = blank(n, period - 1)
    suffix = np.empty(n)
    for begin in range(0, n, period):
        end = min(begin + period, n)
        best = values[end - 1]
        for i in range(end - 1, begin - 1, -1):
            best = max(best, values[i])
            suffix[i] = best
    for begin in range(0, n, period):
        running = values[begin]
        for i in range(begin, min(begin + period, n)):
            running = max(running, values[i])
            if i >= period - 1:
                out[i] = max(running, suffix[i - period + 1])
    return out


@jit
def rolling_min(values: Float64Array1D, period: int) -> Float64Array1D:
    """Lowest of the last ``period`` values, the current one included; first at ``period - 1``. See ``rolling_max``."""
    n = values.size
    out = blank(n, period - 1)
    suffix = np.empty(n)
    for begin in range(0, n, period):
        end = min(begin + period, n)
        best = values[end - 1]
        for i in range(end - 1, begin - 1, -1):
            best = min(best, values[i])
            suffix[i] = best
    for begin in range(0, n, period):
        running = values[begin]
        for i in range(begin, min(begin + period, n)):
            running = min(running, values[i])
            if i >= period - 1:
                out[i] = min(running, suffix[i - period + 1])
    return out


@jit
def bars_since_max(values: Float64Array1D, period: int) -> Int64Array1D:
    """How many bars ago the highest of the last ``period`` values was (the latest one of equals); -1 before ``period - 1``.

    A monotonic queue of candidate positions: O(n) whatever the data.
    """
    n = values.size
    out = np.full(n, -1)
    queue = np.empty(max(n, 1), np.int64)
    head = 0
    tail = 0
    for i in range(n):
        while tail > head and values[queue[tail - 1]] <= values[i]:
            tail -= 1
        queue[tail] = i
        tail += 1
        if queue[head] <= i - period:
            head += 1
        if i >= period - 1:
            out[i] = i - queue[head]
    return out


@jit
def bars_since_min(values: Float64Array1D, period: int) -> Int64Array1D:
    """How many bars ago the lowest of the last ``period`` values was (the latest one of equals); -1 before ``period - 1``."""
    return bars_since_max(scaled(values, -1.0), period)
