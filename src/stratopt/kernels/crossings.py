"""Where pairs of lines cross, for many pairs that share their lines.

Two lines are compared 64 bars to a word, one bit a bar, in blocks of bars that stay in the processor's second cache while all
pairs are compared there. Rounding keeps order, so that float32 decides wherever the two differ in it: half the bytes, half the
time. Tried before: one int8 a bar and its changes (twice the time of float64), all lines kept sorted, bar by bar, so that an exchange
of neighbours is a cross (one and a half times: the processor cannot guess which change places), and blocks of 64 bars for the first
cache (slower by an eighth).
"""

from __future__ import annotations

import math

import numpy as np

from stratopt.kernels.arrays import (
    LONG_ONLY,
    LONG_SHORT,
    SHORT_ONLY,
    AnyArray,
    Float64Array1D,
    Float64Array2D,
    Int8Array1D,
    Int32Array1D,
    Int64Array1D,
    Int64Array2D,
)
from stratopt.kernels.bits import (
    LANES,
    NO_BITS,
    ONE,
    WORD_BITS,
    lanes_above,
    lanes_without_order,
    set_bits,
    trailing_zeros,
)
from stratopt.kernels.jit import jit, jit_bare, jit_inlined

BLOCK_WORDS = 8
"""Bars are compared 512 at a time: a hundred lines of them take 200 KiB."""
CACHE_LINE = 64
AT_ONCE = 2
"""Crosses that are listed without asking whether a word has so many; four took a third longer."""
TOP_BIT = ONE << np.uint64(WORD_BITS - 1)


@jit_inlined
def compare_word(left: Float64Array1D, right: Float64Array1D, bar: int) -> tuple[np.uint64, np.uint64]:
    """Bits of the 64 bars from ``bar``: where ``left`` is above ``right`` and where below."""
    above, below = NO_BITS, NO_BITS
    for lane in range(0, WORD_BITS, LANES):
        above |= lanes_above(left, right, bar + lane) << np.uint64(lane)
        below |= lanes_above(right, left, bar + lane) << np.uint64(lane)
    return above, below


@jit_inlined
def compare_short_word(left: Float64Array1D, right: Float64Array1D) -> tuple[np.uint64, np.uint64]:
    """``compare_word`` of fewer than 64 bars."""
    above, below = NO_BITS, NO_BITS
    for bar in range(left.size):
        if left[bar] > right[bar]:
            above |= ONE << np.uint64(bar)
        elif left[bar] < right[bar]:
            below |= ONE << np.uint64(bar)
    return above, below


@jit_inlined
def repeat_last(word: np.uint64, bits: int) -> np.uint64:
    """``word`` with the last of its ``bits`` lowest bits in all that follow."""
    last = (word >> np.uint64(bits - 1)) & ONE
    return word | ((~NO_BITS * last) << np.uint64(bits - 1))


@jit_bare
def first_known(lines: Float64Array2D, firsts: Int64Array1D) -> None:
    """The first bar of every line that is not NaN, int64 (L,), out; the number of bars where there is none."""
    for row in range(lines.shape[0]):
        bar = 0
        while bar < lines.shape[1] and math.isnan(lines[row, bar]):
            bar += 1
        firsts[row] = bar


@jit
def aligned_singles(rows: int, columns: int) -> AnyArray:
    """float32 (rows, columns), not set, that begins where a line of the cache does: reads across two lines take twice the time."""
    memory = np.empty(rows * columns + CACHE_LINE // 4, dtype=np.float32)
    first = (-memory.ctypes.data) % CACHE_LINE // 4
    return memory[first : first + rows * columns].reshape(rows, columns)


@jit
def compare_lines(lines: Float64Array2D, pairs: Int64Array2D, above: AnyArray, below: AnyArray) -> None:
    """Where the left line of each pair is above and where below the right one; neither on equal values and next to NaN.

    Rounding keeps order: where two lines, as float32 distances to the first line, differ, they are in that order; only words with
    a bar where they do not are compared as they are. Distances, because averages of minute bars differ in the seventh digit.

    Parameters
    ----------
    lines : float64 (L, n)
    pairs : int64 (R, 2)
        Left and right line.
    above, below : uint64 (R, ceil(n / 64)), out
        Bit b of word w is bar ``64 * w + b``; bits after the last bar repeat it.
    """
    whole_words, rest = lines.shape[1] // WORD_BITS, lines.shape[1] % WORD_BITS
    rounded = aligned_singles(lines.shape[0], BLOCK_WORDS * WORD_BITS)
    for begin in range(0, whole_words, BLOCK_WORDS):
        end = min(begin + BLOCK_WORDS, whole_words)
        bars = (end - begin) * WORD_BITS
        base = lines[0, begin * WORD_BITS : end * WORD_BITS]
        for line in range(lines.shape[0]):
            exact, single = lines[line, begin * WORD_BITS : end * WORD_BITS], rounded[line, :bars]
            for bar in range(exact.size):
                single[bar] = np.float32(exact[bar] - base[bar])
        compare_block(lines, rounded, pairs, begin, end, above, below)
    if rest > 0:
        compare_last_words(lines, pairs, rest, above, below)


@jit_bare
def compare_block(
    lines: Float64Array2D,
    rounded: AnyArray,
    pairs: Int64Array2D,
    begin: int,
    end: int,
    above: AnyArray,
    below: AnyArray,
) -> None:
    """Words [begin, end) of all pairs; ``rounded`` float32 holds their bars of all lines."""
    for row in range(pairs.shape[0]):
        one, other = np.uintp(pairs[row, 0]), np.uintp(pairs[row, 1])
        left, right = rounded[one], rounded[other]
        for word in range(begin, end):
            over = lanes_above(left, right, (word - begin) * WORD_BITS)
            under = ~over
            if lanes_without_order(left, right, (word - begin) * WORD_BITS) != NO_BITS:
                over, under = compare_word(lines[one], lines[other], word * WORD_BITS)
            above[row, word], below[row, word] = over, under


@jit_bare
def compare_last_words(lines: Float64Array2D, pairs: Int64Array2D, rest: int, above: AnyArray, below: AnyArray) -> None:
    """The last word of all pairs, of ``rest`` bars: that of the last 64 bars, shifted, where there are as many."""
    first = lines.shape[1] - WORD_BITS
    for row in range(pairs.shape[0]):
        left, right = lines[pairs[row, 0]], lines[pairs[row, 1]]
        if first >= 0:
            over, under = compare_word(left, right, first)
            over, under = over >> np.uint64(WORD_BITS - rest), under >> np.uint64(WORD_BITS - rest)
        else:
            over, under = compare_short_word(left, right)
        above[row, -1], below[row, -1] = repeat_last(over, rest), repeat_last(under, rest)


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
    where, target : int32, int8 (n + 8,), out
    """
    if first >= above.size * WORD_BITS:
        return 0
    count = list_exchanges(above, below, first, where)
    if count < 0:
        return list_crossings_with_ties(above, below, first, direction, where, target)
    is_above = (above[first // WORD_BITS] >> np.uint64(first % WORD_BITS)) & ONE != NO_BITS
    after_cross = -1 if is_above else 1
    if (is_above and direction == LONG_ONLY) or (not is_above and direction == SHORT_ONLY):
        # the first cross leaves a side that was not held
        count, after_cross = max(count - 1, 0), -after_cross
        for change in range(count):
            where[change] = where[change + 1]
    then = -after_cross if direction == LONG_SHORT else 0
    for change in range(count):
        target[change] = after_cross if change % 2 == 0 else then
    return count


@jit_inlined
def list_exchanges(above: AnyArray, below: AnyArray, first: int, where: Int32Array1D) -> int:
    """Bars after ``first`` at which one line is above and the other one was; returns how many, -1 if they were ever equal."""
    begin = first // WORD_BITS
    known = ~NO_BITS << np.uint64(first % WORD_BITS)
    above_before = (above[begin] >> np.uint64(first % WORD_BITS)) & ONE
    count, tied = 0, NO_BITS
    for position in range(begin, above.size):
        up_bits = above[position]
        tied |= ~(up_bits ^ below[position]) & known
        crosses = (up_bits ^ ((up_bits << ONE) | above_before)) & known
        if position == begin:
            crosses &= ~(ONE << np.uint64(first % WORD_BITS))
        known = ~NO_BITS
        above_before = up_bits >> np.uint64(WORD_BITS - 1)
        # a few are written, whether there are so many or not: a branch that cannot be guessed costs more
        at, count = count, count + set_bits(crosses)
        for _ in range(AT_ONCE):
            bit = trailing_zeros(crosses | TOP_BIT)
            where[np.uintp(min(at, where.size - 1))] = position * WORD_BITS + bit
            crosses &= ~(ONE << np.uint64(bit))
            at += 1
        while at < count:
            where[np.uintp(at)] = position * WORD_BITS + trailing_zeros(crosses)
            crosses &= crosses - ONE
            at += 1
    return count if tied == NO_BITS else -1


@jit_inlined
def list_crossings_with_ties(
    above: AnyArray, below: AnyArray, first: int, direction: float, where: Int32Array1D, target: Int8Array1D
) -> int:
    """``list_crossings`` of lines that are sometimes equal, cross by cross."""
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
