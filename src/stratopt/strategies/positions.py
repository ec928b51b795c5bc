"""From conditions to positions: the state machine that every compiled signal function shares."""

from __future__ import annotations

import numpy as np

from stratopt.kernels.arrays import LONG_ONLY, SHORT_ONLY, Float64Array1D, Int8Array1D
from stratopt.kernels.jit import jit


@jit
def next_position(
    position: int, enter_long: bool, exit_long: bool, enter_short: bool, exit_short: bool, direction: float
) -> int:
    """The position after a bar, given the one before it and what the bar's close says.

    An entry against an open position reverses it; an entry whose own exit holds on the same bar is none; two entries at once cancel
    out. A side that ``direction`` forbids neither opens nor closes anything.
    """
    go_long = enter_long and not exit_long and direction != SHORT_ONLY
    go_short = enter_short and not exit_short and direction != LONG_ONLY
    if go_long and go_short:
        return position
    if go_long:
        return 1
    if go_short:
        return -1
    if (position == 1 and exit_long) or (position == -1 and exit_short):
        return 0
    return position


@jit
def crossings(left: Float64Array1D, right: Float64Array1D) -> Int8Array1D:
    """1 where ``left`` was at or below ``right`` one bar ago and is above it now, -1 for the other way, else 0 (also next to NaN).

    One pass over whole arrays: asking bar by bar through a function that takes arrays costs five times as much, for the reference
    counts.
    """
    out = np.zeros(left.size, np.int8)
    for i in range(1, left.size):
        if left[i - 1] <= right[i - 1] and left[i] > right[i]:
            out[i] = 1
        elif left[i - 1] >= right[i - 1] and left[i] < right[i]:
            out[i] = -1
    return out


@jit
def level_crossings(values: Float64Array1D, level: float) -> Int8Array1D:
    """1 where ``values`` crossed the level upwards, -1 where they crossed it downwards, else 0 (also next to NaN)."""
    out = np.zeros(values.size, np.int8)
    for i in range(1, values.size):
        if values[i - 1] <= level and values[i] > level:
            out[i] = 1
        elif values[i - 1] >= level and values[i] < level:
            out[i] = -1
    return out


@jit
def cross_positions(line: Float64Array1D, signal: Float64Array1D, direction: float, out: Int8Array1D) -> None:
    """Long from ``line`` crossing above ``signal`` until it crosses below; short the other way round."""
    cross = crossings(line, signal)
    position = 0
    for i in range(out.size):
        up = cross[i] == 1
        down = cross[i] == -1
        position = next_position(position, up, down, down, up, direction)
        out[i] = position


@jit
def merge_sides(long_side: Int8Array1D, short_side: Int8Array1D, direction: float, out: Int8Array1D) -> None:
    """One position from two one-sided rules, each 1 while its trade is open; the later entry wins, and a trade ends with its own rule.

    Rules that remember their entry run each side alone, so that a short trade never changes the next long one.
    """
    position = 0
    for i in range(out.size):
        long_entry = direction != SHORT_ONLY and long_side[i] == 1 and (i == 0 or long_side[i - 1] == 0)
        short_entry = direction != LONG_ONLY and short_side[i] == 1 and (i == 0 or short_side[i - 1] == 0)
        if (position == 1 and long_side[i] == 0) or (position == -1 and short_side[i] == 0):
            position = 0
        if long_entry and not short_entry:
            position = 1
        elif short_entry and not long_entry:
            position = -1
        out[i] = position
