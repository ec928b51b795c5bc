"""Backtests of one strategy over many parameter sets, in compiled code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stratopt.backtest.checks import made_of
from stratopt.backtest.costs import Costs
from stratopt.backtest.execution import Execution
from stratopt.backtest.parameter_rows import ParameterRows, grid, is_columnar, listed
from stratopt.backtest.scorer import POSITIONS, Scorer, Scores
from stratopt.errors import BacktestError, memory_errors_told
from stratopt.kernels.arrays import AnyArray, Float64Array2D
from stratopt.kernels.changes import padded_rows
from stratopt.kernels.scoring import SCORE_NAMES
from stratopt.kernels.signals import fill_lines
from stratopt.market.bars import Bars
from stratopt.strategies.base import Crossing, Direction, Strategy
from stratopt.strategies.catalogue import get_strategy

if TYPE_CHECKING:
    import pandas as pd

MOST_LINE_BYTES = 192 * 2**20
"""Distinct indicators of a sweep are kept up to here; beyond it every row computes its own."""
TARGET_BYTES = 2**20
MOST_ROWS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class SweepResult:
    """Scores of every parameter set of a sweep.

    ``scores.values`` float64 (R, len(SCORE_NAMES)), NaN where undefined; ``scores.blocks`` float64 (R, 3, S): number, sum and sum of
    squares of the period returns in each of S equal blocks. ``left_out`` combinations broke a relation of the strategy's space.
    """

    rows: ParameterRows | Sequence[Mapping[str, Any]]
    scores: Scores
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.scores)

    def params(self, row: int) -> dict[str, Any]:
        """The parameters of one row."""
        return dict(self.rows[row])

    def frame(self) -> pd.DataFrame:
        """One line a parameter set: parameters, then scores."""
        import pandas as pd

        columns = dict(self.rows.columns) if isinstance(self.rows, ParameterRows) else pd.DataFrame(list(self.rows))
        scores = pd.DataFrame(self.scores.values, columns=list(SCORE_NAMES))
        return pd.concat([pd.DataFrame(columns), scores], axis=1)

    def best(self, metric: str = "sharpe_ratio") -> dict[str, Any]:
        """The parameters with the highest ``metric``; of equals the first. BacktestError if it is undefined everywhere."""
        values = self.scores.column(_known(metric))
        if np.isnan(values).all():
            raise BacktestError(
                f"{metric} is undefined for each of the {len(self)} parameter sets; look at trade_count", metric=metric
            )
        return self.params(int(np.nanargmax(values)))

    def heatmap(self, x: str, y: str, metric: str = "sharpe_ratio") -> pd.DataFrame:
        """``metric`` over two parameters, ``y`` down and ``x`` across; the best over all others, NaN where there is none."""
        return self.frame().pivot_table(index=y, columns=x, values=_known(metric), aggfunc="max", dropna=False)


@memory_errors_told("the sweep", "sweep fewer rows at once, shorten the date range or free memory")
def sweep(
    bars: Bars,
    strategy: str | Strategy,
    params: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]],
    *,
    costs: Costs | Mapping[str, Any] | None = None,
    execution: Execution | Mapping[str, Any] | None = None,
    start: int | None = None,
    stop: int | None = None,
    block_count: int | None = None,
) -> SweepResult:
    """Score a strategy over many parameter sets; equal to ``backtest`` of each of them.

    Parameters
    ----------
    params
        Names and values, of which every combination is run that the strategy's relations allow; or a list of parameter sets.
        Parameters that are not named take their defaults.
    costs, execution, start, stop
        As in ``backtest``.
    block_count
        As in ``Scorer``.

    Raises
    ------
    ParameterSpaceError
        If a name is unknown, a value out of its domain or nothing is left to run.

    Notes
    -----
    A strategy in plain Python works too, at the speed of its Python: one call of it for every parameter set.

    Examples
    --------
    >>> from stratopt import load_bars, sweep
    >>> result = sweep(load_bars("GOOG"), "MovingAverageCrossover", {"fast_period": [10, 20], "slow_period": [50, 100, 200]})
    >>> len(result)
    6
    """
    execution = made_of(Execution, execution, "execution")
    found = strategy if isinstance(strategy, Strategy) else get_strategy(strategy)
    direction = Direction(execution.direction or Direction.LONG_ONLY)
    scorer = Scorer(bars, costs=costs, execution=execution, start=start, stop=stop, block_count=block_count)
    if isinstance(params, Mapping) and is_columnar(found.space):
        rows = grid(found.space, params)
        if found.compiled:
            return SweepResult(rows, _score_vectors(scorer, found, rows, direction), rows.left_out)
        points: Sequence[Mapping[str, Any]] = [rows[row] for row in range(len(rows))]
        return SweepResult(points, score_points(scorer, found, points, direction), rows.left_out)
    if isinstance(params, Mapping):
        raise BacktestError(
            f"{found.name} has conditional parameters or constraints: give a list of parameter sets instead of values by name",
            strategy=found.name,
        )
    points = listed(found.space, params)
    if not points:
        raise BacktestError("there is no parameter set to run; give at least one", field="params")
    return SweepResult(points, score_points(scorer, found, points, direction))


def score_points(
    scorer: Scorer, strategy: Strategy, points: Sequence[Mapping[str, Any]], direction: Direction | str
) -> Scores:
    """Scores of complete, valid parameter sets."""
    bars = scorer.bars
    at_once = _rows_at_once(len(bars))
    targets, _ = padded_rows(min(at_once, len(points)), len(bars))
    parts = []
    for first in range(0, len(points), at_once):
        chunk = points[first : first + at_once]
        strategy.fill(bars, chunk, direction, targets[: len(chunk)])
        parts.append(scorer.score_rows(targets[: len(chunk)]))
    return _joined(parts)


def _score_vectors(scorer: Scorer, strategy: Strategy, rows: ParameterRows, direction: Direction) -> Scores:
    vectors = rows.encode(strategy, direction)
    if strategy.crossing is not None:
        lines_and_pairs = _lines(scorer.bars, strategy.crossing, vectors)
        if lines_and_pairs is not None:
            return scorer.score_crossings(*lines_and_pairs, direction=float(vectors[0, -1]))
    bars = scorer.bars
    at_once = _rows_at_once(len(bars))
    targets, _ = padded_rows(min(at_once, len(vectors)), len(bars))
    parts = []
    for first in range(0, len(vectors), at_once):
        chunk = vectors[first : first + at_once]
        strategy.fill_encoded(bars, chunk, targets[: len(chunk)], example=rows[first])
        parts.append(scorer.score_rows(targets[: len(chunk)]))
    return _joined(parts)


def _lines(bars: Bars, crossing: Crossing, vectors: Float64Array2D) -> tuple[Float64Array2D, AnyArray] | None:
    """Each distinct line once, and its number on both sides of every row; None where they would need too much memory."""
    keys = np.concatenate([vectors[:, crossing.left], vectors[:, crossing.right]])
    number = _numbered(keys)
    distinct = np.empty((number.max() + 1, keys.shape[1]))
    distinct[number] = keys
    if len(distinct) * len(bars) * 8 > MOST_LINE_BYTES:
        return None
    lines = np.empty((len(distinct), len(bars)))
    fill_lines(crossing.kernel, bars.matrix, distinct, lines)
    return lines, np.ascontiguousarray(number.reshape(2, -1).T)


def _numbered(rows: Float64Array2D) -> AnyArray:
    """A number for each row, equal for equal rows, from 0 without gaps; sorting whole rows would cost a thousand backtests."""
    number = np.zeros(len(rows), dtype=np.int64)
    for column in rows.T:
        if (column != column[0]).any():
            position, count = _ranks(column)
            number = _ranks(number * count + position)[0] if number.any() else position
    return number


def _ranks(values: AnyArray) -> tuple[AnyArray, int]:
    """The rank of each value among the distinct ones, and how many these are; whole numbers close together are not sorted."""
    whole = values.astype(np.int64)
    lowest, highest = int(whole.min()), int(whole.max())
    if highest - lowest >= 2 * len(values) or (whole != values).any():
        distinct, rank = np.unique(values, return_inverse=True)
        return rank, len(distinct)
    whole -= lowest
    present = np.zeros(highest - lowest + 1, dtype=np.int64)
    present[whole] = 1
    return (np.cumsum(present) - 1)[whole], int(present.sum())


def _rows_at_once(bar_count: int) -> int:
    """As many rows as stay in the processor's second cache."""
    return max(1, min(MOST_ROWS_AT_ONCE, TARGET_BYTES // bar_count))


def _joined(parts: Sequence[Scores]) -> Scores:
    if len(parts) == 1:
        return parts[0]
    return Scores(np.concatenate([part.values for part in parts]), np.concatenate([part.blocks for part in parts]))


def _known(metric: str) -> str:
    if metric not in POSITIONS:
        raise BacktestError(f"unknown metric {metric!r}; a sweep has {', '.join(SCORE_NAMES)}", metric=metric)
    return metric
