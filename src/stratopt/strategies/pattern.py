"""Patterns of swings and levels. A swing is known only ``swing_bars`` bars after its extreme, and the rules never use it earlier.

Rules that remember a pattern are written once, for the long side; the short side runs the same rule on negated prices.
"""

from __future__ import annotations

import numpy as np

from stratopt.kernels.arrays import (
    CLOSE,
    HIGH,
    LONG_ONLY,
    LOW,
    OPEN_TIME,
    SHORT_ONLY,
    Float64Array1D,
    Float64Array2D,
    Int8Array1D,
)
from stratopt.kernels.bands import atr
from stratopt.kernels.jit import jit, jit_bare
from stratopt.kernels.rolling import scaled
from stratopt.kernels.swings import SPACING_BARS, previous_session_range, session_numbers, swing_highs, swing_lows
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice
from stratopt.strategies.base import Category, Strategy
from stratopt.strategies.positions import merge_sides, next_position
from stratopt.strategies.ranges import bars, positive

SWING_ATR_PERIOD = 14
REMEMBERED_SWINGS = 20
RETRACEMENTS = (0.382, 0.5, 0.618)
PIVOT_KINDS = ("classic", "fibonacci", "woodie", "camarilla")


@jit
def pivot_levels(kind: int, high: float, low: float, close: float) -> tuple[float, float, float, float, float]:
    """Second and first support, pivot, first and second resistance of a session with this range."""
    span = high - low
    pivot = (high + low + 2.0 * close) / 4.0 if kind == 2 else (high + low + close) / 3.0
    if kind == 1:
        return pivot - 0.618 * span, pivot - 0.382 * span, pivot, pivot + 0.382 * span, pivot + 0.618 * span
    if kind == 3:
        near = span * 1.1 / 12.0
        far = span * 1.1 / 6.0
        return close - far, close - near, pivot, close + near, close + far
    return pivot - span, 2.0 * pivot - high, pivot, 2.0 * pivot - low, pivot + span


def _pivot_points(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    high, low, close = matrix[HIGH], matrix[LOW], matrix[CLOSE]
    tops, bottoms, finals = previous_session_range(high, low, close, session_numbers(matrix[OPEN_TIME]))
    kind = int(params[0])
    breakout = params[1] == 0.0
    above = 1.0 + params[2]
    below = 1.0 - params[2]
    position = 0
    out[:SPACING_BARS] = 0
    for i in range(SPACING_BARS, out.size):
        s2, s1, pivot, r1, r2 = pivot_levels(kind, tops[i], bottoms[i], finals[i])
        if breakout:
            enter_long = close[i - 1] <= r1 * above and close[i] > r1 * above
            exit_long = close[i] < pivot or close[i] >= r2
            enter_short = close[i - 1] >= s1 * below and close[i] < s1 * below
            exit_short = close[i] > pivot or close[i] <= s2
        else:
            enter_long = low[i] <= s1 * above and close[i] > s1
            exit_long = close[i] >= pivot or close[i] < s2
            enter_short = high[i] >= r1 * below and close[i] < r1
            exit_short = close[i] <= pivot or close[i] > r2
        position = next_position(position, enter_long, exit_long, enter_short, exit_short, params[3])
        out[i] = position


PIVOT_POINTS = Strategy(
    name="PivotPoints",
    category=Category.PATTERN,
    doc=(
        "Believes that the levels of the previous session matter (UTC day for intraday bars, month for daily bars, year for longer "
        "ones). Breakout buys when the close crosses above R1 and sells below the pivot or at R2; bounce buys when a bar touches S1 and "
        "closes above it, and sells at the pivot or below S2; short mirrored."
    ),
    source="ChartSchool, Pivot Points",
    space=ParameterSpace(
        {
            "kind": Choice(PIVOT_KINDS, default="classic"),
            "mode": Choice(("breakout", "bounce"), default="breakout"),
            "tolerance": positive(0.0, 0.01, 0.0, maximum=0.5),
        }
    ),
    signal=_pivot_points,
    warmup=lambda _: SPACING_BARS,
)


@jit
def _pullback_side(
    high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, width: Float64Array1D, params: Float64Array1D
) -> Int8Array1D:
    wing = int(params[0])
    share = RETRACEMENTS[int(params[1])]
    tops = swing_highs(high, wing)
    bottoms = swing_lows(low, wing)
    out = np.zeros(close.size, np.int8)
    last_low = np.nan
    zone = stop = target = np.nan
    waiting = touched = False
    position = 0
    for i in range(close.size):
        if not np.isnan(bottoms[i]):
            last_low = bottoms[i]
        if position == 0 and tops[i] - last_low >= params[2] * width[i]:
            waiting, touched = True, False
            stop, target = last_low, tops[i]
            zone = target - share * (target - stop)
        if position == 1:
            if close[i] >= target or close[i] < stop:
                position = 0
        elif waiting:
            touched = touched or low[i] <= zone
            if close[i] < stop or close[i] >= target:
                waiting = False
            elif touched and close[i] > zone:
                position = 1
                waiting = False
        out[i] = position
    return out


def _fibonacci_retracement(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    high, low, close = matrix[HIGH], matrix[LOW], matrix[CLOSE]
    width = atr(high, low, close, SWING_ATR_PERIOD)
    long_side = np.zeros(out.size, np.int8)
    short_side = np.zeros(out.size, np.int8)
    if params[3] != SHORT_ONLY:
        long_side = _pullback_side(scaled(high, 1.0), scaled(low, 1.0), scaled(close, 1.0), width, params)
    if params[3] != LONG_ONLY:
        short_side = _pullback_side(scaled(low, -1.0), scaled(high, -1.0), scaled(close, -1.0), width, params)
    merge_sides(long_side, short_side, params[3], out)


FIBONACCI_RETRACEMENT = Strategy(
    name="FibonacciRetracement",
    category=Category.PATTERN,
    doc=(
        "Believes that a strong swing resumes after giving back a part. After a confirmed up-swing of at least min_swing_atr ATR it "
        "buys when a bar touched the retracement and a close is back above it, and sells at the swing's high or below its low; short "
        "mirrored."
    ),
    source="ChartSchool, Fibonacci Retracements",
    space=ParameterSpace(
        {
            "swing_bars": bars(2, 10, 5, minimum=1),
            "retracement": Choice(RETRACEMENTS, ordered=True, default=0.5),
            "min_swing_atr": positive(1.0, 6.0, 3.0),
        }
    ),
    signal=_fibonacci_retracement,
    warmup=lambda p: max(SWING_ATR_PERIOD, 2 * p["swing_bars"]),
)


@jit
def _double_bottom_side(
    high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, params: Float64Array1D
) -> Int8Array1D:
    wing = int(params[0])
    bottoms = swing_lows(low, wing)
    out = np.zeros(close.size, np.int8)
    where = np.empty(close.size, np.int64)
    found = 0
    neckline = floor = target = np.nan
    deadline = -1
    position = 0
    for i in range(close.size):
        if not np.isnan(bottoms[i]):
            here = i - wing
            for j in range(found - 1, -1, -1):
                there = where[j]
                if here - there > params[3]:
                    break
                if here - there >= params[2] and abs(low[here] - low[there]) <= params[1] * abs(low[there]):
                    if position == 0:
                        neckline = np.max(high[there : here + 1])
                        floor = min(low[here], low[there])
                        target = neckline + (neckline - floor)
                        deadline = here + int(params[3])
                    break
            where[found] = here
            found += 1
        if position == 1:
            if close[i] >= target or close[i] < floor:
                position = 0
        elif i <= deadline:
            if close[i] < floor:
                deadline = -1
            elif close[i] > neckline:
                position = 1 if close[i] < target else 0
                deadline = -1
        out[i] = position
    return out


def _double_top_bottom(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    high, low, close = matrix[HIGH], matrix[LOW], matrix[CLOSE]
    long_side = np.zeros(out.size, np.int8)
    short_side = np.zeros(out.size, np.int8)
    if params[4] != SHORT_ONLY:
        long_side = _double_bottom_side(scaled(high, 1.0), scaled(low, 1.0), scaled(close, 1.0), params)
    if params[4] != LONG_ONLY:
        short_side = _double_bottom_side(scaled(low, -1.0), scaled(high, -1.0), scaled(close, -1.0), params)
    merge_sides(long_side, short_side, params[4], out)


DOUBLE_TOP_BOTTOM = Strategy(
    name="DoubleTopBottom",
    category=Category.PATTERN,
    doc=(
        "Believes that a market which failed twice at one low turns. Two confirmed swing lows within the tolerance, min_width to "
        "max_width bars apart, make a pattern that lives for max_width bars; it buys on a close above the high between them and sells "
        "at the pattern's height above it or below the lows; double tops mirrored."
    ),
    source="Lo, Mamaysky, Wang (2000); Bulkowski (2005)",
    space=ParameterSpace(
        {
            "swing_bars": bars(2, 10, 5, minimum=1),
            "tolerance": positive(0.005, 0.04, 0.02, maximum=0.5),
            "min_width": bars(10, 60, 20, minimum=1),
            "max_width": bars(20, 120, 80, above="min_width"),
        }
    ),
    signal=_double_top_bottom,
    warmup=lambda p: 2 * p["swing_bars"] + p["min_width"],
)


@jit_bare
def _is_touched(prices: Float64Array1D, level: float, tolerance: float, needed: int) -> bool:
    # counted to the end: leaving the loop early cannot be guessed by the processor and costs more than the whole count
    touches = 0
    for price in prices:
        touches += int(abs(price - level) <= tolerance)
    return touches >= needed


@jit_bare
def _any_between(prices: Float64Array1D, bottom: float, top: float) -> bool:
    count = 0
    for price in prices:
        count += int(price >= bottom) & int(price <= top)
    return count > 0


def _support_resistance(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    close = matrix[CLOSE]
    wing = int(params[0])
    width = atr(matrix[HIGH], matrix[LOW], close, SWING_ATR_PERIOD)
    tops = swing_highs(matrix[HIGH], wing)
    bottoms = swing_lows(matrix[LOW], wing)
    needed = int(params[1])
    prices = np.full(REMEMBERED_SWINGS, np.nan)
    seen = 0
    position = 0
    out[:1] = 0
    for i in range(1, out.size):
        up = down = False
        bottom = min(close[i - 1], close[i])
        top = max(close[i - 1], close[i])
        remembered = min(seen, REMEMBERED_SWINGS) if _any_between(prices, bottom, top) else 0
        for k in range(remembered):
            if bottom <= prices[k] <= top and _is_touched(prices, prices[k], params[2] * width[i], needed):
                up = close[i - 1] <= prices[k] and close[i] > prices[k]
                down = close[i - 1] >= prices[k] and close[i] < prices[k]
                if up or down:
                    break
        position = next_position(position, up, down, down, up, params[3])
        out[i] = position
        if not np.isnan(tops[i]):
            prices[seen % REMEMBERED_SWINGS] = tops[i]
            seen += 1
        if not np.isnan(bottoms[i]):
            prices[seen % REMEMBERED_SWINGS] = bottoms[i]
            seen += 1


SUPPORT_RESISTANCE = Strategy(
    name="SupportResistance",
    category=Category.PATTERN,
    doc=(
        "Believes that a price level which turned the market several times matters when it breaks. A level is one of the last 20 "
        "confirmed swing points with at least min_touches of them within tolerance_atr ATR; it buys when the close crosses above one "
        "and sells when it crosses below one; short the other way round."
    ),
    source="Murphy (1999)",
    space=ParameterSpace(
        {
            "swing_bars": bars(2, 10, 5, minimum=1),
            "min_touches": bars(2, 4, 2, minimum=1),
            "tolerance_atr": positive(0.2, 1.0, 0.5),
        }
    ),
    signal=_support_resistance,
    warmup=lambda p: max(SWING_ATR_PERIOD, 2 * p["swing_bars"] + 1),
)

STRATEGIES = (SUPPORT_RESISTANCE, PIVOT_POINTS, FIBONACCI_RETRACEMENT, DOUBLE_TOP_BOTTOM)
