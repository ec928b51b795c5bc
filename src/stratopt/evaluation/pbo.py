"""Probability of backtest overfitting by combinatorially symmetric cross-validation (CSCV).

Bailey, Borwein, Lopez de Prado & Zhu, J. Computational Finance 20(4):39-69. The null is 0.5, and one batch of worthless strategies gives
0.5 with a deviation of 0.21: a field of the report and a veto, not a proof.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from stratopt.errors import StratoptError
from stratopt.kernels.arrays import AnyArray, Float64Array1D, Float64Array2D, Int64Array1D
from stratopt.kernels.cscv import cscv

DEFAULT_BLOCKS = 16
MOST_BLOCKS = 20


@dataclass(frozen=True, kw_only=True)
class Overfitting:
    """Outcome of CSCV over ``trials`` columns.

    ``pbo`` is the share of splits in which the best column in sample is in the lower half out of sample, ``pbo_strict`` leaves the exact
    middle out; ``loss_probability`` the share in which it lost money; ``degradation_slope`` that of its ratio out of sample on its ratio
    in sample.
    """

    pbo: float
    pbo_strict: float
    loss_probability: float
    degradation_slope: float
    mean_logit: float
    trials: int
    splits: int


def split_count(blocks: int) -> int:
    """C(S, S/2): 12,870 for 16 blocks."""
    return math.comb(blocks, blocks // 2)


def block_totals(returns: AnyArray, blocks: int) -> tuple[Float64Array2D, Float64Array2D, Float64Array1D]:
    """Sums and sums of squares (S, N) and rows (S,) of ``returns`` (T, N) in blocks of T // S rows; the first T mod S rows are left out."""
    values = np.asarray(returns, dtype=np.float64)
    size = values.shape[0] // blocks
    cut = values[values.shape[0] - size * blocks :].reshape(blocks, size, values.shape[1])
    return cut.sum(axis=1), np.einsum("bij,bij->bj", cut, cut), np.full(blocks, float(size))


def overfitting(returns: AnyArray, *, blocks: int = DEFAULT_BLOCKS) -> Overfitting:
    """CSCV over the columns of ``returns`` (T, N), synchronous returns of all trials."""
    return overfitting_by_group(*block_totals(returns, blocks), groups=[np.asarray(returns).shape[1]])[-1]


def overfitting_by_group(
    block_sums: Float64Array2D, block_squares: Float64Array2D, rows: Float64Array1D, *, groups: Sequence[int]
) -> list[Overfitting]:
    """CSCV of each group of columns and, last, of all of them, in one pass over the splits.

    Parameters
    ----------
    block_sums, block_squares : float64 (S, N)
        Sums and sums of squares of each trial's returns by block. The cost does not depend on the number of rows.
    rows : float64 (S,)
        Rows of each block, at least 2.
    groups : sequence of int
        Number of columns of each group, in order; they add up to N.

    Raises
    ------
    StratoptError
        ``invalid_statistics`` for an odd number of blocks, or above 20, or groups that do not add up.
    """
    blocks, columns = block_sums.shape
    if blocks % 2 or not 2 <= blocks <= MOST_BLOCKS or sum(groups) != columns or min(groups, default=0) < 1:
        raise StratoptError(
            f"CSCV needs an even number of blocks from 2 to {MOST_BLOCKS} and groups that add up to the columns, not {blocks} blocks and "
            f"{sum(groups)} of {columns} columns",
            code="invalid_statistics",
        )
    halves = _half_splits(blocks)
    starts = np.concatenate([[0], np.cumsum(groups)]).astype(np.int64)
    shape = (2 * halves.size, len(groups) + 1)
    ranks, inside, outside = np.empty(shape), np.empty(shape), np.empty(shape)
    cscv(
        np.ascontiguousarray(block_sums, dtype=np.float64),
        np.ascontiguousarray(block_squares, dtype=np.float64),
        np.ascontiguousarray(rows, dtype=np.float64),
        halves,
        starts,
        np.empty((6, columns)),
        np.empty(len(groups) + 1, dtype=np.int64),
        np.empty(len(groups) + 1),
        ranks,
        inside,
        outside,
    )
    return [
        _summary(ranks[:, g], inside[:, g], outside[:, g], trials)
        for g, trials in enumerate([*(int(g) for g in groups), columns])
    ]


@cache
def _half_splits(blocks: int) -> Int64Array1D:
    """Bit masks of the splits whose first half holds block 0: every split once, without its complement; read-only."""
    rest = itertools.combinations(range(1, blocks), blocks // 2 - 1)
    masks = np.array([1 + sum(1 << block for block in chosen) for chosen in rest], dtype=np.int64)
    masks.setflags(write=False)
    return masks


def _summary(ranks: Float64Array1D, inside: Float64Array1D, outside: Float64Array1D, trials: int) -> Overfitting:
    logits = np.log(ranks / (1.0 - ranks))
    spread = float(np.var(inside))
    slope = float(np.mean((inside - inside.mean()) * (outside - outside.mean()))) / spread if spread > 0 else 0.0
    return Overfitting(
        pbo=float(np.mean(ranks <= 0.5)),
        pbo_strict=float(np.mean(ranks < 0.5)),
        loss_probability=float(np.mean(outside < 0.0)),
        degradation_slope=slope,
        mean_logit=float(logits.mean()),
        trials=trials,
        splits=ranks.size,
    )
