"""Returns of every trial of the last search on the common calendar grid: what the tests over a whole batch are computed from.

Which trials enter: the distinct points of the last search, over all scored bars with walk-forward and over the searched bars with a
hold-out, and as many points that the searches inside folds tried before they had learned anything. A search that learns crowds its
points around the best one; without the others the tests would not know how large the space is that was searched: SPA called 20 % of
worthless markets better than nothing at a level of 5 %. The rest counts in the number of trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from stratopt.backtest.result import BacktestResult
from stratopt.backtest.window import evaluation_window
from stratopt.evaluation.benchmark import asset_returns
from stratopt.evaluation.calendar_grid import CalendarGrid, grid_of_width
from stratopt.kernels.arrays import Float32Array2D, Float64Array1D, Int64Array1D
from stratopt.kernels.exposure import held_units, mean_net_weight
from stratopt.kernels.scoring import period_returns
from stratopt.optimization.trial_evaluator import TrialEvaluator
from stratopt.search.parameters import Params
from stratopt.search.study import Trial

MOST_TRIALS = 2048
OF_A_FOLD = -1


@dataclass(frozen=True, eq=False)
class TrialLedger:
    """Bucket returns of trials.

    ``numbers`` int64 (N,) of the trials, ``OF_A_FOLD`` for those of other searches, ``mean_weights`` float64 (N,) their mean signed exposure, ``returns`` float32 (T, N) sums of
    period returns in the buckets of ``grid``; ``trials_of_search`` says how many there were before at most 2,048 were taken.
    """

    grid: CalendarGrid
    numbers: Int64Array1D
    mean_weights: Float64Array1D
    returns: Float32Array2D
    trials_of_search: int


def keep_ledger(
    evaluator: TrialEvaluator,
    trials: Sequence[Trial],
    start: int,
    stop: int,
    bucket_days: int,
    *,
    unguided: Sequence[Params] = (),
) -> TrialLedger:
    """Run the trials again on [start, stop), keeping their bucket returns, and as many of the ``unguided`` points as there are trials.

    Equal targets are simulated once.
    """
    chosen = _chosen(trials)
    others = _spaced(unguided, min(len(chosen), MOST_TRIALS - len(chosen)))
    points = [*(trial.params for trial in chosen), *others]
    window = evaluation_window(evaluator.bars, start, stop)
    grid = grid_of_width(evaluator.bars.open_time[start + window.period_ends], bucket_days)
    returns = np.empty((grid.numbers.size, len(points)), dtype=np.float32)
    weights = np.empty(len(points))
    known: dict[bytes, int] = {}
    for column, params in enumerate(points):
        target = evaluator.target(params)
        same = known.setdefault(blake2b(target.tobytes()).digest(), column)
        if same == column:
            series = account_series(evaluator.backtest(target, start, stop))
            returns[:, column], weights[column] = grid.sums(series.returns), series.mean_weight
        else:
            returns[:, column], weights[column] = returns[:, same], weights[same]
    numbers = np.array([*(trial.number for trial in chosen), *[OF_A_FOLD] * len(others)], dtype=np.int64)
    return TrialLedger(grid, numbers, weights, returns, len(trials))


def _chosen(trials: Sequence[Trial]) -> Sequence[Trial]:
    """All trials, or of more than ``MOST_TRIALS`` evenly spaced ones and the best."""
    if len(trials) <= MOST_TRIALS:
        return trials
    best = max(trials, key=lambda t: -np.inf if t.outcome.score is None else t.outcome.score)
    spaced = {int(at) for at in np.linspace(0, len(trials) - 1, MOST_TRIALS - 1)}
    return [trials[at] for at in sorted(spaced | {best.number})]


def _spaced(points: Sequence[Params], most: int) -> Sequence[Params]:
    if len(points) <= most:
        return points
    return [points[int(at)] for at in np.linspace(0, len(points) - 1, most)]


@dataclass(frozen=True, eq=False)
class AccountSeries:
    """A finished account by period: returns and asset returns float64 (m,), UTC stamps of the period ends, mean signed weight."""

    returns: Float64Array1D
    asset_returns: Float64Array1D
    stamps: Int64Array1D
    mean_weight: float


def account_series(backtest: BacktestResult) -> AccountSeries:
    """Period returns of a backtest beside those of its asset."""
    window, bars = backtest.window, backtest.bars
    returns = np.empty(window.period_ends.size)
    period_returns(backtest.equity_values, float(backtest.execution.initial_cash), window.period_ends, returns)
    closes = np.ascontiguousarray(bars.close[window.start : window.stop])
    units = np.empty(len(window))
    held_units(backtest.trade_rows, len(backtest.trade_rows), window.start, units)
    before = float(bars.close[window.start - 1]) if window.start else float(bars.open[0])
    return AccountSeries(
        returns,
        asset_returns(closes, window.period_ends, before),
        bars.open_time[window.start + window.period_ends],
        mean_net_weight(units, closes, backtest.equity_values),
    )
