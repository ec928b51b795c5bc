"""Scoring many targets of one window: what a search calls once a trial."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stratopt.backtest.costs import Costs
from stratopt.backtest.execution import Execution
from stratopt.backtest.targets import check_target
from stratopt.backtest.window import evaluation_window
from stratopt.errors import BacktestError
from stratopt.kernels import engine_codes as k
from stratopt.kernels.arrays import AnyArray, Float64Array1D, Float64Array2D
from stratopt.kernels.bands import atr
from stratopt.kernels.scoring import SCORE_NAMES, score
from stratopt.market.bars import Bars

DEFAULT_BLOCK_COUNT = 16
POSITIONS = {name: position for position, name in enumerate(SCORE_NAMES)}


@dataclass(frozen=True, eq=False)
class Score:
    """The scores of one target.

    ``values`` float64 (len(SCORE_NAMES),), NaN where undefined; ``blocks`` float64 (3, S): number, sum and sum of squares of the
    period returns in each of S equal blocks of the window.
    """

    values: Float64Array1D
    blocks: Float64Array2D

    def __getitem__(self, name: str) -> float:
        return float(self.values[POSITIONS[name]])

    @property
    def metrics(self) -> dict[str, float | None]:
        """Scores by name, None where undefined."""
        return {n: float(v) if math.isfinite(v) else None for n, v in zip(SCORE_NAMES, self.values, strict=True)}


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
        costs: Costs | None = None,
        execution: Execution | None = None,
        start: int | None = None,
        stop: int | None = None,
        block_count: int | None = None,
    ) -> None:
        execution = execution or Execution()
        self.bars = bars
        self.window = evaluation_window(bars, start, stop)
        if block_count is None:
            block_count = min(DEFAULT_BLOCK_COUNT, self.window.period_ends.size)
        if not 1 <= block_count <= self.window.period_ends.size:
            raise BacktestError(
                f"block_count must be from 1 to {self.window.period_ends.size}, the periods of the window, not {block_count}",
                field="block_count",
                value=block_count,
                limit=int(self.window.period_ends.size),
            )
        self.block_count = block_count
        self._settings = execution.settings(costs or Costs(), bars.periods_per_year)
        self._atr = stop_atr(bars, execution)
        self._account = np.empty(k.ACCOUNT)
        self._equity = np.empty(len(self.window))
        self._returns = np.empty(self.window.period_ends.size)
        self._pnl = np.empty(len(self.window))
        self._no_trades = np.empty((0, k.TRADE_COLUMNS))

    def score(self, target: AnyArray) -> Score:
        """Simulate ``target``, one value in {-1, 0, 1} for every bar of the series, and score the window."""
        result = Score(np.empty(len(SCORE_NAMES)), np.empty((3, self.block_count)))
        score(
            self.bars.matrix,
            check_target(target, len(self.bars)),
            self.window.start,
            self.window.stop,
            self._settings,
            self._atr,
            self.window.period_ends,
            self.window.periods_per_year,
            self.window.years,
            self._account,
            self._equity,
            self._returns,
            self._pnl,
            self._no_trades,
            result.blocks,
            result.values,
        )
        return result


def stop_atr(bars: Bars, execution: Execution) -> Float64Array1D:
    """The average true range that the stops need, float64 (n,), or an empty array when none is in ATR."""
    if not execution.uses_atr:
        return np.empty(0)
    return atr(bars.high, bars.low, bars.close, int(execution.stop_atr_period))
