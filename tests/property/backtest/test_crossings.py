"""Comparing whole words of bars finds the crosses that the bar-by-bar rule finds; bounds of falls are bounds."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stratopt.kernels import bits
from stratopt.kernels.arrays import LONG_ONLY, LONG_SHORT, SHORT_ONLY
from stratopt.kernels.crossings import compare_lines, first_known, list_crossings
from stratopt.kernels.extremes import WIDTH, extreme_tables, extremes, may_fall_below
from stratopt.kernels.jit import jit
from stratopt.strategies.positions import cross_positions

DIRECTIONS = st.sampled_from([LONG_ONLY, SHORT_ONLY, LONG_SHORT])


@st.composite
def two_lines(draw):
    """Few distinct values, so that equal ones are common; NaN before each line begins."""
    length = draw(st.integers(1, 300))
    values = draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    lines = rng.integers(0, values, (2, length)).astype(float)
    for line in lines:
        line[: draw(st.integers(0, length))] = np.nan
    return lines


@settings(deadline=None)
@given(lines=two_lines(), direction=DIRECTIONS)
def test_changes_of_the_target_are_those_of_the_bar_by_bar_rule(lines, direction):
    length = lines.shape[1]
    expected = np.zeros(length, dtype=np.int8)
    cross_positions(lines[0], lines[1], direction, expected)
    firsts = np.empty(2, dtype=np.int64)
    first_known(lines, firsts)
    above, below = np.empty((2, 1, -(-length // bits.WORD_BITS)), dtype=np.uint64)
    compare_lines(lines, np.array([[0, 1]]), above, below)
    where, target = np.empty(length + 1, dtype=np.int32), np.empty(length + 1, dtype=np.int8)

    count = list_crossings(above[0], below[0], firsts.max(), direction, where, target)

    changed = np.flatnonzero(np.diff(expected, prepend=0))
    assert where[:count].tolist() == changed.tolist()
    assert target[:count].tolist() == expected[changed].tolist()


@jit
def instructions(left, right, word, number):
    return (
        bits.lanes_above(left, right, 0),
        bits.lanes_without_order(left, right, 0),
        bits.trailing_zeros(word),
        bits.highest_bit(number),
    )


@settings(deadline=None)
@given(
    values=st.lists(st.sampled_from([0.0, 1.0, 2.0, np.nan]), min_size=16, max_size=16),
    word=st.integers(1, 2**64 - 1),
    number=st.integers(1, 2**63 - 1),
)
def test_instructions_do_what_they_say(values, word, number):
    left, right = np.array(values[:8]), np.array(values[8:])
    assert instructions(left, right, np.uint64(word), np.int64(number)) == (
        sum(1 << b for b in range(8) if left[b] > right[b]),
        sum(1 << b for b in range(8) if not (left[b] > right[b] or left[b] < right[b])),
        f"{word:b}"[::-1].index("1"),
        len(f"{number:b}") - 1,
    )


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32),
    length=st.integers(WIDTH, 400),
    ratio=st.floats(0.5, 1.0),
    ends=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_range_that_may_not_fall_does_not_fall(seed, length, ratio, ends):
    close = 100.0 * np.cumprod(1.0 + 0.03 * np.random.default_rng(seed).standard_normal(length))
    first = int(ends[0] * (length - WIDTH))
    stop = first + WIDTH + int(ends[1] * (length - first - WIDTH))
    some = close[first:stop]
    windows, table = extreme_tables(close)
    fall = (some / np.maximum.accumulate(some)).min()
    assert range_facts(ratio, close, windows, table, first, stop)[:2] == (some.min(), some.max())
    assert fall >= ratio or range_facts(ratio, close, windows, table, first, stop)[2]
    impossible = some.min() / some.max() * (1.0 - 1e-12)
    assert not range_facts(impossible, close, windows, table, first, stop)[2], "the bound suspects everything"


@jit
def range_facts(ratio, close, windows, table, first, stop):
    low, high = extremes(close, windows, table, first, stop)
    return low, high, may_fall_below(ratio, windows, table, first, stop)
