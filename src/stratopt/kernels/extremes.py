"""Lowest and highest close of any range of bars in a handful of reads, whatever its length.

A table of windows of eight bars at every bar, and a sparse table (Bender, Farach-Colton 2000) over blocks of eight: 40 bytes a bar
for a series of any length, where a plain sparse table takes 16 bytes a bar and level.
"""

from __future__ import annotations

import numpy as np

from stratopt.kernels.arrays import AnyArray, Float64Array1D, Float64Array2D
from stratopt.kernels.jit import jit_bare, jit_inlined

WIDTH = 8


def extreme_tables(close: Float64Array1D) -> tuple[Float64Array2D, AnyArray]:
    """Tables for ``extremes`` over ``close``: float64 (n, 2) windows and (levels, n // 8, 2) blocks, lowest and highest."""
    blocks = close.size // WIDTH
    windows = np.empty((close.size, 2))
    table = np.empty((max(blocks.bit_length(), 1), blocks, 2))
    _fill_windows(close, windows)
    _fill_blocks(windows, table)
    return windows, table


@jit_bare
def _fill_windows(close: Float64Array1D, windows: Float64Array2D) -> None:
    for bar in range(close.size):
        low, high = close[bar], close[bar]
        for other in range(bar + 1, min(bar + WIDTH, close.size)):
            low, high = min(low, close[other]), max(high, close[other])
        windows[bar, 0] = low
        windows[bar, 1] = high


@jit_bare
def _fill_blocks(windows: Float64Array2D, table: AnyArray) -> None:
    levels, blocks = table.shape[0], table.shape[1]
    for block in range(blocks):
        table[0, block, 0] = windows[block * WIDTH, 0]
        table[0, block, 1] = windows[block * WIDTH, 1]
    for level in range(1, levels):
        reach = 1 << (level - 1)
        for block in range(blocks - 2 * reach + 1):
            table[level, block, 0] = min(table[level - 1, block, 0], table[level - 1, block + reach, 0])
            table[level, block, 1] = max(table[level - 1, block, 1], table[level - 1, block + reach, 1])


@jit_inlined
def extremes(
    close: Float64Array1D, windows: Float64Array2D, table: AnyArray, first: int, stop: int
) -> tuple[float, float]:
    """Lowest and highest of ``close[first:stop]``, at least one bar."""
    if stop - first < WIDTH:
        low, high = close[first], close[first]
        for bar in range(first + 1, stop):
            low, high = min(low, close[bar]), max(high, close[bar])
        return low, high
    low, high = windows[first, 0], windows[first, 1]
    low, high = min(low, windows[stop - WIDTH, 0]), max(high, windows[stop - WIDTH, 1])
    begin, end = (first + WIDTH - 1) // WIDTH, stop // WIDTH
    if end > begin:
        level, reach = 0, 1
        while 2 * reach <= end - begin:
            level, reach = level + 1, 2 * reach
        low = min(low, table[level, begin, 0], table[level, end - reach, 0])
        high = max(high, table[level, begin, 1], table[level, end - reach, 1])
    return low, high
