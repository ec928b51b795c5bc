"""Rows scored by trades equal those scored bar by bar, where shortcuts could lose something: falls, ties, blocks, short series."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratopt.backtest.costs import Costs
from stratopt.backtest.execution import Execution
from stratopt.backtest.scorer import SCORE_NAMES, Scorer
from stratopt.kernels.arrays import LONG_ONLY
from stratopt.kernels.bits import WORD_BITS
from stratopt.kernels.changes import padded_rows
from stratopt.kernels.crossings import compare_lines, list_crossings
from stratopt.kernels.extremes import lowest_and_highest, range_pairs
from stratopt.market.bars import Bars


def daily_bars(rng, count):
    """Days that rise and fall by a few per cent, so that falls inside a position are as deep as those after it."""
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.03, count)))
    open_ = close * np.exp(rng.normal(0, 0.01, count))
    high, low = np.maximum(open_, close) * 1.01, np.minimum(open_, close) * 0.99
    stamps = np.arange(1, count + 1) * 86_400_000
    return Bars.from_arrays(
        symbol="ANY",
        timeframe="1d",
        open_time=stamps,
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=np.ones(count),
    )


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), length=st.integers(1, 300), data=st.data())
def test_lowest_and_highest_of_any_range(seed, length, data):
    close = np.random.default_rng(seed).random(length) + 1
    first = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(first + 1, length))
    expected = (close[first:stop].min(), close[first:stop].max())
    assert lowest_and_highest(range_pairs(close), length, first, stop) == expected


@pytest.mark.parametrize("seed", range(40))
def test_long_targets_equal_those_with_a_short_that_is_not_allowed(seed):
    """The same account, once by trades and once, because a target of -1 hides in it, by events."""
    rng = np.random.default_rng(seed)
    bars = daily_bars(rng, int(rng.integers(20, 900)))
    start = int(rng.integers(0, len(bars) // 2))
    rows, _ = padded_rows(2, len(bars))
    held = np.repeat(rng.random(len(bars)) < 0.5, rng.integers(1, 60, len(bars)))[: len(bars)]
    rows[0, : len(bars)] = held
    rows[1, : len(bars)] = np.where(held, 1, -1)
    execution = Execution(fill=str(rng.choice(["same_close", "next_open"])), direction="long_only")
    costs = Costs(fee_bps=float(rng.choice([0, 10, 200])), slippage_bps=5)
    blocks = int(rng.integers(1, min(20, len(bars) - start)))
    scores = Scorer(bars, costs=costs, execution=execution, start=start, block_count=blocks).score_rows(rows)
    for name in ("trade_count", "exposure", "fees_paid", "final_equity", "turnover", "win_rate"):
        np.testing.assert_array_equal(scores[0][name], scores[1][name])
    assert len(SCORE_NAMES) == scores.values.shape[1]
    np.testing.assert_allclose(scores.values[0], scores.values[1], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(scores.blocks[0], scores.blocks[1], rtol=1e-12, atol=1e-13)
    assert (scores.blocks[:, 2] >= 0).all()


@pytest.mark.parametrize("length", [40, 64, 130, 700])
def test_lines_that_differ_in_the_last_digits_cross(length):
    """Differences that vanish in float32 are found: every word is compared again as it is."""
    rng = np.random.default_rng(length)
    left = np.full(length, 100.0)
    signs = np.repeat(rng.choice([-1.0, 1.0], length), rng.integers(1, 30, length))[:length]
    far = 2 * left  # lines are rounded as distances to the first one
    lines = np.array([far, left, left - signs * 1e-11])
    above, below = np.empty((2, 1, -(-length // WORD_BITS)), dtype=np.uint64)
    compare_lines(lines, np.array([[1, 2]]), above, below)
    where, target = np.empty(length + 1, dtype=np.int32), np.empty(length + 1, dtype=np.int8)
    count = list_crossings(above[0], below[0], 0, LONG_ONLY, where, target)
    crosses = np.flatnonzero(np.diff(signs)) + 1
    if signs[0] > 0:
        crosses = crosses[1:]
    assert where[:count].tolist() == crosses.tolist()
    assert target[:count].tolist() == [1 - i % 2 for i in range(count)]
