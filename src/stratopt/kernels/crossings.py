"""Where pairs of lines cross, for many pairs that share their lines.

Two lines are compared 64 bars to a word, one bit a bar, in blocks of bars that stay in the processor's second cache while all
pairs are compared there. Tried before: one int8 a bar and its changes (twice the time), and all lines kept sorted, bar by bar, so
that an exchange of neighbours is a cross (one and a half times: the processor cannot guess which change places).
"""

from __future__ import annotations

import math

import numpy as np

from stratopt.kernels.arrays import (
    LONG_ONLY,
    SHORT_ONLY,
    AnyArray,
    Float64Array1D,
    Float64Array2D,
    Int8Array1D,
    Int32Array1D,
    Int64Array1D,
    Int64Array2D,
)
from stratopt.kernels.bits import LANES, NO_BITS, ONE, WORD_BITS, lanes_above, lanes_without_order, trailing_zeros
from stratopt.kernels.jit import jit_bare, jit_inlined

BLOCK_WORDS = 8
"""Bars are compared 512 at a time: a hundred lines of them take 400 KiB."""


@jit_inlined
def compare_whole_word(left: Float64Array1D, right: Float64Array1D, bar: int) -> tuple[np.uint64, np.uint64]:
    """Bits of the 64 bars from ``bar``: where ``left`` is above ``right`` and where below."""
    above, doubtful = NO_BITS, NO_BITS
    for lane in range(0, WORD_BITS, LANES):
        above |= lanes_above(left, right, bar + lane) << np.uint64(lane)
        doubtful |= lanes_without_order(left, right, bar + lane)
    if doubtful == NO_BITS:
        return above, ~above
    below = NO_BITS
    for lane in range(0, WORD_BITS, LANES):
        below |= lanes_above(right, left, bar + lane) << np.uint64(lane)
    return above, below


@jit_inlined
def compare_last_word(left: Float64Array1D, right: Float64Array1D, bar: int) -> tuple[np.uint64, np.uint64]:
    """The same for the bars from ``bar`` to the last one."""
    above, below = NO_BITS, NO_BITS
    for lane in range(left.size - bar):
        if left[bar + lane] > right[bar + lane]:
            above |= ONE << np.uint64(lane)
        elif left[bar + lane] < right[bar + lane]:
            below |= ONE << np.uint64(lane)
    return above, below


@jit_bare
def first_known(lines: Float64Array2D, firsts: Int64Array1D) -> None:
    """The first bar of every line that is not NaN, int64 (L,), out; the number of bars where there is none."""
    for row in range(lines.shape[0]):
        bar = 0
        while bar < lines.shape[1] and math.isnan(lines[row, bar]):
            bar += 1
        firsts[row] = bar


@jit_bare
def compare_lines(lines: Float64Array2D, pairs: Int64Array2D, above: AnyArray, below: AnyArray) -> None:
    """Where the left line of each pair is above and where below the right one; neither on equal values and next to NaN.

    Parameters
    ----------
    lines : float64 (L, n)
    pairs : int64 (R, 2)
        Left and right line.
    above, below : uint64 (R, ceil(n / 64)), out
        Bit b of word w is bar ``64 * w + b``.
    """
    word_count, whole_words = above.shape[1], lines.shape[1] // WORD_BITS
    for begin in range(0, word_count, BLOCK_WORDS):
        end = min(begin + BLOCK_WORDS, word_count)
        for row in range(pairs.shape[0]):
            left, right = lines[pairs[row, 0]], lines[pairs[row, 1]]
            for word in range(begin, min(end, whole_words)):
                above[row, word], below[row, word] = compare_whole_word(left, right, word * WORD_BITS)
            if end > whole_words:
                above[row, -1], below[row, -1] = compare_last_word(left, right, whole_words * WORD_BITS)


@jit_inlined
def list_crossings(
    above: AnyArray, below: AnyArray, first: int, direction: float, where: Int32Array1D, target: Int8Array1D
) -> int:
    """Changes of the target under the rule "hold the side of the last cross"; returns how many.

    Equal to ``strategies.positions.cross_positions``: there is no cross up to bar ``first``, at which both lines are known for
    the first time, and equal lines change nothing.

    Parameters
    ----------
    above, below : uint64 (W,)
        One row of ``compare_lines``.
    where, target : int32, int8 (n,), out
    """
    count: int = 0
    held = 0
    above_before, below_before = NO_BITS, NO_BITS
    top = np.uint64(WORD_BITS - 1)
    for position in range(first // WORD_BITS, above.size):
        up_bits, down_bits = above[position], below[position]
        up = up_bits & ~((up_bits << ONE) | above_before)
        down = down_bits & ~((down_bits << ONE) | below_before)
        above_before, below_before = up_bits >> top, down_bits >> top
        crosses = up | down
        while crosses != NO_BITS:
            bit = trailing_zeros(crosses)
            crosses &= crosses - ONE
            side = 1 if (up >> np.uint64(bit)) & ONE != NO_BITS else -1
            if (side > 0 and direction == SHORT_ONLY) or (side < 0 and direction == LONG_ONLY):
                side = 0
            bar = position * WORD_BITS + bit
            if side != held and bar > first:
                where[count], target[count] = bar, side
                count += 1
                held = side
    return count
