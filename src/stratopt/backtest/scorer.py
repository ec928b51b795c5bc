"""Scoring many targets of one window: what a search calls once a trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from stratopt.backtest.checks import made_of
from stratopt.backtest.costs import Costs
from stratopt.backtest.execution import Execution
from stratopt.backtest.targets import check_target
from stratopt.backtest.window import Window, evaluation_window
from stratopt.errors import BacktestError
from stratopt.kernels import engine_codes as k
from stratopt.kernels.arrays import AnyArray, Float64Array1D, Float64Array2D
from stratopt.kernels.bands import atr
from stratopt.kernels.bits import WORD_BITS
from stratopt.kernels.changes import WORD, padded_rows
from stratopt.kernels.crossings import compare_lines, first_known
from stratopt.kernels.extremes import extreme_tables, range_pairs
from stratopt.kernels.long_only import RISE, block_rests
from stratopt.kernels.scoring import SCORE_NAMES
from stratopt.kernels.spans import SUMS, TALLY, prefix_sums
from stratopt.kernels.sweep import score_crossings, score_targets
from stratopt.market.bars import Bars

DEFAULT_BLOCK_COUNT = 16
COMPARED_BYTES, FEWEST_COMPARED_ROWS = 2**20, 256
"""What a sweep keeps at once of its comparisons of lines, two bits a row and bar: as much as stays in the second cache, but so many
rows at least that long lines are not read from memory again and again."""
POSITIONS = {name: position for position, name in enumerate(SCORE_NAMES)}


@dataclass(frozen=True, eq=False, slots=True)
class Score:
    """The scores of one target: one row of ``Scores``, kept without copies because a search keeps a hundred thousand of them."""

    _of_all: Scores
    _row: int

    @property
    def values(self) -> Float64Array1D:
        """Scores in the order of SCORE_NAMES, float64, NaN where undefined."""
        return self._of_all.values[self._row]

    @property
    def blocks(self) -> Float64Array2D:
        """Number, sum and sum of squares of the period returns in each of S equal blocks of the window, float64 (3, S)."""
        return self._of_all.blocks[self._row]

    def __getitem__(self, name: str) -> float:
        return float(self._of_all.values[self._row, POSITIONS[name]])

    def metric(self, name: str) -> float | None:
        """One score, None where undefined."""
        value = self[name]
        return value if math.isfinite(value) else None

    @property
    def metrics(self) -> dict[str, float | None]:
        """Scores by name, None where undefined."""
        return {n: float(v) if math.isfinite(v) else None for n, v in zip(SCORE_NAMES, self.values, strict=True)}


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of many rows: ``values`` float64 (R, len(SCORE_NAMES)), ``blocks`` float64 (R, 3, S), as in ``Score``."""

    values: Float64Array2D
    blocks: AnyArray

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, row: int) -> Score:
        return Score(self, row)

    def column(self, name: str) -> Float64Array1D:
        """One score of every row, NaN where undefined."""
        return self.values[:, POSITIONS[name]]


class Scorer:
    """Scores targets of one series over one window.

    Parameters
    ----------
    bars : Bars
        The whole series: bars before ``start`` are warm-up, known to the target but not scored.
    costs, execution : optional
        The defaults are those of ``backtest``.
    start, stop : int, optional
        The window [start, stop); all bars by default.
    block_count : int, optional
        Blocks of the window whose sums are kept; 16 by default, or every period where the window has fewer.

    Notes
    -----
    Not safe for threads: work arrays are reused from call to call.
    """

    def __init__(
        self,
        bars: Bars,
        *,
        costs: Costs | Mapping[str, Any] | None = None,
        execution: Execution | Mapping[str, Any] | None = None,
        start: int | None = None,
        stop: int | None = None,
        block_count: int | None = None,
    ) -> None:
        execution = made_of(Execution, execution, "execution")
        self.bars = bars
        self.window = evaluation_window(bars, start, stop)
        self.block_count = _check_block_count(block_count, self.window.period_ends.size)
        settings = execution.settings(made_of(Costs, costs, "costs"), bars.periods_per_year)
        self._window_arguments, self._scratch = _arguments(
            bars, self.window, self.block_count, settings, stop_atr(bars, execution)
        )
        self._one, self._one_words = padded_rows(1, len(bars))

    def score(self, target: AnyArray) -> Score:
        """Simulate ``target``, one value in {-1, 0, 1} for every bar of the series, and score the window."""
        self._one[0, : len(self.bars)] = check_target(target, len(self.bars))
        return self._score_rows(self._one, self._one_words)[0]

    def score_rows(self, targets: AnyArray) -> Scores:
        """Scores of checked target rows, int8 (R, padded n) of ``padded_rows``, in one compiled call."""
        return self._score_rows(targets, targets.view(np.uint64))

    def score_crossings(self, lines: Float64Array2D, pairs: AnyArray, direction: float) -> Scores:
        """Scores of the rule "hold the side of the last cross" for ``pairs`` int64 (R, 2) of ``lines`` float64 (L, n)."""
        firsts = np.empty(len(lines), dtype=np.int64)
        first_known(lines, firsts)
        firsts = firsts[pairs].max(axis=1)
        words = -(-len(self.bars) // WORD_BITS)
        at_once = min(len(pairs), max(FEWEST_COMPARED_ROWS, COMPARED_BYTES // (16 * words)))
        above, below = np.empty((2, at_once, words), dtype=np.uint64)
        scores = self._empty(len(pairs))
        for begin in range(0, len(pairs), at_once):
            rows = slice(begin, min(begin + at_once, len(pairs)))
            count = rows.stop - begin
            compare_lines(lines, pairs[rows], above[:count], below[:count])
            part = Scores(scores.values[rows], scores.blocks[rows])
            self._call(score_crossings, part, above[:count], below[:count], firsts[rows], direction, self._one)
        return scores

    def _score_rows(self, targets: AnyArray, words: AnyArray) -> Scores:
        scores = self._empty(len(targets))
        self._call(score_targets, scores, targets, words)
        return scores

    def _call(self, kernel: Callable[..., None], out: Scores, *rows: Any) -> None:
        kernel(self.bars.matrix, *rows, *self._window_arguments, *self._scratch, out.blocks, out.values)

    def _empty(self, row_count: int) -> Scores:
        return Scores(np.empty((row_count, len(SCORE_NAMES))), np.empty((row_count, 3, self.block_count)))


def _arguments(
    bars: Bars, window: Window, block_count: int, settings: Float64Array1D, atr_values: Float64Array1D
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What ``kernels.sweep`` wants to know of the window, and its scratch, in the order of its parameters."""
    periods = window.period_ends.size
    closes = bars.close[window.start + window.period_ends]
    sums = np.empty((periods + 1, SUMS))
    prefix_sums(closes, sums)
    period_at = np.zeros(len(window) + 1, dtype=np.int64)
    period_at[window.period_ends + 1] = 1
    np.cumsum(period_at, out=period_at)
    by_trades = periods == len(window) and settings[k.FINAL] == k.FINAL_MARK and settings[k.ALLOW_LONG] != 0.0
    known = (
        window.start,
        window.stop,
        settings,
        atr_values,
        *extreme_tables(bars.close),
        sums,
        closes,
        window.period_ends,
        period_at,
        range_pairs(bars.close if by_trades else bars.close[:0]),
        *block_rests(closes if by_trades else closes[:0], block_count),
        window.periods_per_year,
        window.years,
    )
    scratch = (
        np.empty(len(bars) + WORD, dtype=np.int32),
        np.empty(len(bars) + WORD, dtype=np.int8),
        np.empty(k.ACCOUNT),
        np.empty(TALLY),
        np.empty(len(window)),
        np.empty(periods),
        np.empty(len(window)),
        np.empty((0, k.TRADE_COLUMNS)),
        np.empty(block_count),
        np.empty((len(window) // 2 + 2 if by_trades else 1, RISE)),
    )
    return known, scratch


def _check_block_count(block_count: int | None, periods: int) -> int:
    if block_count is None:
        return min(DEFAULT_BLOCK_COUNT, periods)
    if not 1 <= block_count <= periods:
        raise BacktestError(
            f"block_count must be from 1 to {periods}, the periods of the window, not {block_count}",
            field="block_count",
            value=block_count,
            limit=int(periods),
        )
    return block_count


def stop_atr(bars: Bars, execution: Execution) -> Float64Array1D:
    """The average true range that the stops need, float64 (n,), or an empty array when none is in ATR."""
    if not execution.uses_atr:
        return np.empty(0)
    return atr(bars.high, bars.low, bars.close, int(execution.stop_atr_period))
