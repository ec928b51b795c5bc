"""Evaluates parameters of one strategy on one series: the objective of a search."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stratopt.backtest.costs import Costs
from stratopt.backtest.engine import backtest_signals
from stratopt.backtest.execution import Execution
from stratopt.backtest.result import BacktestResult
from stratopt.backtest.scorer import Scorer
from stratopt.backtest.sweep import score_points
from stratopt.kernels.arrays import Int8Array1D
from stratopt.market.bars import Bars
from stratopt.optimization.objectives import Goal
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Params
from stratopt.search.study import Outcome
from stratopt.strategies.base import Direction, Strategy

POINTS_FOR_WARMUP = 4096


@dataclass(frozen=True, kw_only=True)
class TrialEvaluator:
    """Backtests of ``strategy`` on ``bars``; every parameter set of a window is scored on the same bars.

    ``objectives``, where given, replace ``objective``; ``constraints`` are conditions on metrics.
    """

    bars: Bars
    strategy: Strategy
    costs: Costs
    execution: Execution
    objective: str
    min_trades: int
    objectives: Sequence[str] = ()
    constraints: Sequence[str] = ()

    @property
    def direction(self) -> Direction:
        """The sides that targets may take."""
        return Direction(self.execution.direction or Direction.LONG_ONLY)

    def target(self, params: Params) -> Int8Array1D:
        """Target position of every bar, int8 (n,)."""
        return self.strategy.target(self.bars, params, self.direction)

    def backtest(self, target: Int8Array1D, start: int, stop: int, *, costs: Costs | None = None) -> BacktestResult:
        """The account that follows ``target`` on the bars [start, stop), with other costs if they are given."""
        return backtest_signals(
            self.bars, target, costs=costs or self.costs, execution=self.execution, start=start, stop=stop
        )

    def window(self, start: int, stop: int) -> WindowEvaluator:
        """The objective on the bars [start, stop)."""
        return WindowEvaluator(
            self, Scorer(self.bars, costs=self.costs, execution=self.execution, start=start, stop=stop, block_count=1)
        )


class WindowEvaluator:
    """Outcomes of parameter sets on one window."""

    def __init__(self, evaluator: TrialEvaluator, scorer: Scorer) -> None:
        self._evaluator = evaluator
        self._scorer = scorer
        self._goal = Goal(
            evaluator.objectives or (evaluator.objective,),
            min_trades=evaluator.min_trades,
            constraints=evaluator.constraints,
        )

    def __call__(self, points: Sequence[Params]) -> Sequence[Outcome]:
        """One outcome a point; a point that did not trade enough or has no finite score is infeasible, with the reason.

        Points come from the space and are complete and valid; all of them are evaluated in one compiled call.
        """
        evaluator = self._evaluator
        scores = score_points(self._scorer, evaluator.strategy, points, evaluator.direction)
        return [self._goal.outcome(scores[row]) for row in range(len(points))]


def longest_warmup(strategy: Strategy, space: ParameterSpace) -> int:
    """The longest warm-up in the space, over the ends of every range (warm-up grows with periods)."""
    points: Any = itertools.islice(space.grid(points_per_range=2), POINTS_FOR_WARMUP)
    return max((strategy.warmup(params) for params in points), default=0)
