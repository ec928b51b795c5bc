"""Lowest and highest close, and the deepest fall, of any range of bars in a handful of reads, whatever its length.

A table of windows of eight bars at every bar, and a sparse table (Bender, Farach-Colton 2000) over blocks of eight, cut where
blocks reach 8,192 bars: 57 bytes a bar at most, where a plain sparse table takes 24 bytes a bar and level.
"""

from __future__ import annotations

import numpy as np

from stratopt.kernels.arrays import AnyArray, Float64Array1D, Float64Array2D
from stratopt.kernels.bits import highest_bit
from stratopt.kernels.jit import jit_bare, jit_inlined

WIDTH = 8
MOST_LEVELS = 11
NEAR_LEVELS = 4

LOWEST, HIGHEST, FALL = range(3)
"""Columns of both tables; a fall is the least ratio of a close to the highest one up to it."""


def extreme_tables(close: Float64Array1D) -> tuple[Float64Array2D, AnyArray]:
    """Tables for ``extremes`` and ``may_fall_below`` over ``close``: float64 (n, 3) windows and (levels, n // 8, 3) blocks."""
    blocks = close.size // WIDTH
    windows = np.empty((close.size, 3))
    table = np.empty((min(max(blocks.bit_length(), 1), MOST_LEVELS), blocks, 3))
    _fill_windows(close, windows)
    _fill_blocks(windows, table)
    return windows, table


@jit_bare
def _fill_windows(close: Float64Array1D, windows: Float64Array2D) -> None:
    for bar in range(close.size):
        low, high, fall = close[bar], close[bar], 1.0
        for other in range(bar + 1, min(bar + WIDTH, close.size)):
            low, high = min(low, close[other]), max(high, close[other])
            fall = min(fall, close[other] / high)
        windows[bar, LOWEST], windows[bar, HIGHEST], windows[bar, FALL] = low, high, fall


@jit_bare
def _fill_blocks(windows: Float64Array2D, table: AnyArray) -> None:
    levels, blocks = table.shape[0], table.shape[1]
    for block in range(blocks):
        for column in range(3):
            table[0, block, column] = windows[block * WIDTH, column]
    for level in range(1, levels):
        reach = 1 << (level - 1)
        for block in range(blocks - 2 * reach + 1):
            left, right = table[level - 1, block], table[level - 1, block + reach]
            table[level, block, LOWEST] = min(left[LOWEST], right[LOWEST])
            table[level, block, HIGHEST] = max(left[HIGHEST], right[HIGHEST])
            table[level, block, FALL] = min(left[FALL], right[FALL], right[LOWEST] / left[HIGHEST])


@jit_inlined
def blocks_between(table: AnyArray, first: int, stop: int) -> tuple[int, int, int]:
    """Whole blocks of bars [first, stop) and the highest level of ``table`` that fits in them, -1 where there are none."""
    begin, end = (first + WIDTH - 1) // WIDTH, stop // WIDTH
    if end <= begin:
        return begin, end, -1
    return begin, end, min(highest_bit(end - begin), table.shape[0] - 1)


@jit_inlined
def extremes(
    close: Float64Array1D, windows: Float64Array2D, table: AnyArray, first: int, stop: int
) -> tuple[float, float]:
    """Lowest and highest of ``close[first:stop]``, at least one bar."""
    low, high = close[first], close[first]
    if stop - first < WIDTH:
        # always as many reads: the processor cannot guess the end of such a short loop
        for step in range(1, WIDTH - 1):
            value = close[min(first + step, stop - 1)]
            low, high = min(low, value), max(high, value)
        return low, high
    last = stop - WIDTH
    low, high = min(windows[first, LOWEST], windows[last, LOWEST]), max(windows[first, HIGHEST], windows[last, HIGHEST])
    begin, end, level = blocks_between(table, first, stop)
    if level >= 0:
        reach = 1 << level
        while begin + reach < end:
            low, high = min(low, table[level, begin, LOWEST]), max(high, table[level, begin, HIGHEST])
            begin += reach
        low, high = min(low, table[level, end - reach, LOWEST]), max(high, table[level, end - reach, HIGHEST])
    return low, high


@jit_inlined
def may_fall_below(ratio: float, windows: Float64Array2D, table: AnyArray, first: int, stop: int) -> bool:
    """Whether a close of the bars [first, stop), at least eight, may be below ``ratio`` times an earlier one of them.

    A bound: ranges overlap, so that a True may be wrong and a False is not.
    """
    last = stop - WIDTH
    falls = (windows[first, FALL] < ratio) | (windows[last, FALL] < ratio)
    high = windows[first, HIGHEST]
    begin, end, level = blocks_between(table, first, stop)
    if level >= 0:
        reach = 1 << level
        while True:
            at = min(begin, end - reach)
            falls |= (table[level, at, FALL] < ratio) | (table[level, at, LOWEST] < ratio * high)
            high = max(high, table[level, at, HIGHEST])
            if begin + reach >= end:
                break
            begin += reach
    return falls | (windows[last, LOWEST] < ratio * high)


def range_pairs(close: Float64Array1D) -> Float64Array1D:
    """Tables for ``lowest_and_highest``, flat float64: pairs of the least and the greatest close.

    Of ranges of 1, 2, 4 and 8 bars from every bar, then of 8, 16, 32 ... bars from every eighth: 64 bytes a bar and 2 for each
    level of the latter.
    """
    blocks = close.size // WIDTH
    pairs = np.empty(2 * (NEAR_LEVELS * close.size + blocks.bit_length() * blocks))
    _fill_range_pairs(close, pairs)
    return pairs


@jit_bare
def _fill_range_pairs(close: Float64Array1D, pairs: Float64Array1D) -> None:
    for bar in range(close.size):
        pairs[2 * bar], pairs[2 * bar + 1] = close[bar], close[bar]
    at = 2 * close.size
    for level in range(1, NEAR_LEVELS):
        reach = 1 << (level - 1)
        at = _fill_doubled(pairs, at - 2 * close.size, at, close.size, reach)
    blocks = close.size // WIDTH
    for block in range(blocks):
        source = 2 * ((NEAR_LEVELS - 1) * close.size + block * WIDTH)
        pairs[at + 2 * block], pairs[at + 2 * block + 1] = pairs[source], pairs[source + 1]
    at += 2 * blocks
    reach = 1
    while 2 * reach <= blocks:
        at = _fill_doubled(pairs, at - 2 * blocks, at, blocks, reach)
        reach *= 2


@jit_inlined
def _fill_doubled(pairs: Float64Array1D, source: int, at: int, count: int, reach: int) -> int:
    """Ranges of twice the length, from those at ``source``; those that the end cuts off are as short as there. Returns their end."""
    for item in range(count):
        other = source + 2 * min(item + reach, count - 1)
        pairs[at + 2 * item] = min(pairs[source + 2 * item], pairs[other])
        pairs[at + 2 * item + 1] = max(pairs[source + 2 * item + 1], pairs[other + 1])
    return at + 2 * count


@jit_inlined
def lowest_and_highest(pairs: Float64Array1D, bar_count: int, first: int, stop: int) -> tuple[float, float]:
    """``extremes`` without a branch: always four reads, whatever the length of the range.

    ``bar_count`` is the number of bars of the series, [first, stop) at least one of them.
    """
    near = min(highest_bit(stop - first), NEAR_LEVELS - 1)
    one, two = 2 * (near * bar_count + first), 2 * (near * bar_count + stop - (1 << near))
    blocks, begin, end = bar_count // WIDTH, (first + WIDTH - 1) // WIDTH, stop // WIDTH
    level = highest_bit(max(end - begin, 1))
    far = 2 * (NEAR_LEVELS * bar_count + level * blocks)
    # arithmetic instead of a choice, of which the compiler would make a branch
    whole = int(end > begin)
    three = np.uintp(one + whole * (far + 2 * begin - one))
    four = np.uintp(two + whole * (far + 2 * (end - (1 << level)) - two))
    one, two, odd = np.uintp(one), np.uintp(two), np.uintp(1)
    low = min(pairs[one], pairs[two], pairs[three], pairs[four])
    high = max(pairs[one + odd], pairs[two + odd], pairs[three + odd], pairs[four + odd])
    return low, high
