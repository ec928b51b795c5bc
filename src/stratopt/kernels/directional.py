"""Wilder's directional movement system and parabolic stop, in TA-Lib's conventions.

Float64 arrays of shape (n,) in, new arrays of shape (n,) out, NaN before the first complete window.
"""

from __future__ import annotations

import numpy as np

from stratopt.kernels.arrays import Float64Array1D, Int8Array1D
from stratopt.kernels.jit import jit
from stratopt.kernels.rolling import TINY, blank


@jit
def directional_movement(
    high: Float64Array1D, low: Float64Array1D, period: int
) -> tuple[Float64Array1D, Float64Array1D]:
    """Wilder sums of upward and downward movement (+DM, -DM); first at ``period - 1``, needs period >= 2."""
    n = high.size
    plus = blank(n, period - 1)
    minus = blank(n, period - 1)
    keep = 1.0 - 1.0 / period
    up = 0.0
    down = 0.0
    for i in range(1, n):
        if i >= period:
            up *= keep
            down *= keep
        rise = high[i] - high[i - 1]
        fall = low[i - 1] - low[i]
        if rise > 0.0 and rise > fall:
            up += rise
        elif fall > 0.0 and fall > rise:
            down += fall
        if i >= period - 1:
            plus[i] = up
            minus[i] = down
    return plus, minus


@jit
def directional_system(
    high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, period: int
) -> tuple[Float64Array1D, Float64Array1D, Float64Array1D, Float64Array1D]:
    """+DI, -DI and DX (first at ``period``) and ADX (first at ``2 period - 1``), all 0..100; needs period >= 2 (Wilder 1978).

    Where nothing moved, the DI are 0 and DX and ADX keep their last value.
    """
    n = close.size
    plus = blank(n, period)
    minus = blank(n, period)
    index = blank(n, period)
    average = blank(n, 2 * period - 1)
    up, down = directional_movement(high, low, period)
    keep = 1.0 - 1.0 / period
    weight = 1.0 / period
    span = 0.0
    last = 0.0
    total = 0.0
    for i in range(1, n):
        before = close[i - 1]
        if i >= period:
            span *= keep
        span += max(high[i] - low[i], abs(high[i] - before), abs(low[i] - before))
        if i < period:
            continue
        moved = abs(span) >= TINY
        plus[i] = 100.0 * (up[i] / span) if moved else 0.0
        minus[i] = 100.0 * (down[i] / span) if moved else 0.0
        both = plus[i] + minus[i]
        valid = abs(both) >= TINY
        if valid:
            last = 100.0 * (abs(minus[i] - plus[i]) / both)
        index[i] = last
        if i < 2 * period:
            total += last if valid else 0.0
            if i == 2 * period - 1:
                total /= period
                average[i] = total
        else:
            if valid:
                total += (last - total) * weight
            average[i] = total
    return plus, minus, index, average


@jit
def parabolic_sar(
    high: Float64Array1D, low: Float64Array1D, step: float, maximum: float
) -> tuple[Float64Array1D, Int8Array1D]:
    """Wilder's stop-and-reverse level and the side after each bar (+1, -1; 0 on bar 0); first at 1.

    The first side follows the larger directional movement of the first two bars, up on a tie. The level never enters the range
    of the last two bars; touching it reverses.
    """
    n = high.size
    level = blank(n, 1)
    side = np.zeros(n, np.int8)
    if n < 2:
        return level, side
    step = min(step, maximum)
    fall = low[0] - low[1]
    trend = -1 if fall > 0.0 and fall > high[1] - high[0] else 1
    extreme = high[1] if trend == 1 else low[1]
    stop = low[0] if trend == 1 else high[0]
    speed = step
    for i in range(1, n):
        previous = max(i - 1, 1)
        ceiling = max(high[previous], high[i])
        floor = min(low[previous], low[i])
        touched = low[i] <= stop if trend == 1 else high[i] >= stop
        if touched:
            trend = -trend
            stop = min(extreme, floor) if trend == 1 else max(extreme, ceiling)
            level[i] = stop
            speed = step
            extreme = high[i] if trend == 1 else low[i]
        else:
            level[i] = stop
            if (trend == 1 and high[i] > extreme) or (trend == -1 and low[i] < extreme):
                extreme = high[i] if trend == 1 else low[i]
                speed = min(speed + step, maximum)
        stop += speed * (extreme - stop)
        stop = min(stop, floor) if trend == 1 else max(stop, ceiling)
        side[i] = trend
    return level, side
