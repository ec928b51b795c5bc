"""Combinatorially symmetric cross-validation over block sums: the inner loop of the probability of backtest overfitting."""

from __future__ import annotations

import math

from stratopt.kernels.arrays import Float64Array1D, Float64Array2D, Int64Array1D
from stratopt.kernels.jit import jit_bare


@jit_bare
def half_sharpes(sums: Float64Array1D, squares: Float64Array1D, count: float, sharpes: Float64Array1D) -> None:
    """Sharpe ratios (ddof 1) from sums and sums of squares over ``count`` rows; 0 where a column does not vary."""
    for column in range(sums.size):
        total = sums[column]
        spread = squares[column] - total * total / count
        varies = spread > 1e-14 * squares[column]
        sharpes[column] = total / count / math.sqrt(spread / (count - 1.0)) if varies else 0.0


@jit_bare
def best_by_group(sharpes: Float64Array1D, group_starts: Int64Array1D, best: Int64Array1D) -> None:
    """The first column with the largest ratio of each group; the last entry of ``best`` is over all columns.

    ``group_starts`` int64 (G + 1,): group g holds the columns [group_starts[g], group_starts[g + 1]).
    """
    groups = group_starts.size - 1
    over_all = group_starts[0]
    for group in range(groups):
        leader = group_starts[group]
        for column in range(group_starts[group], group_starts[group + 1]):
            if sharpes[column] > sharpes[leader]:
                leader = column
        best[group] = leader
        if sharpes[leader] > sharpes[over_all]:
            over_all = leader
    best[groups] = over_all


@jit_bare
def relative_ranks(
    sharpes: Float64Array1D, group_starts: Int64Array1D, best: Int64Array1D, ranks: Float64Array1D
) -> None:
    """Relative rank, rank / (N + 1), of each group's ``best`` column among its group, and of the last one among all; ties get the mean rank."""
    groups = group_starts.size - 1
    below_all, same_all = 0, 0
    champion = sharpes[best[groups]]
    for group in range(groups):
        first, last = group_starts[group], group_starts[group + 1]
        own = sharpes[best[group]]
        below, same = 0, 0
        for column in range(first, last):
            value = sharpes[column]
            below += 1 if value < own else 0
            same += 1 if value == own else 0
            below_all += 1 if value < champion else 0
            same_all += 1 if value == champion else 0
        ranks[group] = (below + (same + 1) / 2.0) / (last - first + 1.0)
    ranks[groups] = (below_all + (same_all + 1) / 2.0) / (sharpes.size + 1.0)


@jit_bare
def cscv(
    block_sums: Float64Array2D,
    block_squares: Float64Array2D,
    rows: Float64Array1D,
    halves: Int64Array1D,
    group_starts: Int64Array1D,
    scratch: Float64Array2D,
    best: Int64Array1D,
    ranks: Float64Array1D,
    out_ranks: Float64Array2D,
    out_inside: Float64Array2D,
    out_outside: Float64Array2D,
) -> None:
    """Every split of S blocks into halves, both ways round.

    Parameters
    ----------
    block_sums, block_squares : float64 (S, N)
        Sums and sums of squares of each column's returns by block.
    rows : float64 (S,)
        Rows of each block.
    halves : int64 (C,)
        One bit mask a split, each split once (its complement is taken too).
    group_starts : int64 (G + 1,)
        Columns of each group; groups follow each other.
    scratch : float64 (6, N); best : int64 (G + 1,); ranks : float64 (G + 1,)
    out_ranks, out_inside, out_outside : float64 (2 C, G + 1), out
        Relative rank out of sample of the best column in sample, and its Sharpe ratios on both halves; the last column of the outputs is
        over all groups.
    """
    blocks, columns = block_sums.shape
    for split in range(halves.size):
        scratch[0, :] = 0.0
        scratch[1, :] = 0.0
        scratch[2, :] = 0.0
        scratch[3, :] = 0.0
        inside_rows, outside_rows = 0.0, 0.0
        for block in range(blocks):
            side = 0 if (halves[split] >> block) & 1 else 1
            if side == 0:
                inside_rows += rows[block]
            else:
                outside_rows += rows[block]
            for column in range(columns):
                scratch[2 * side, column] += block_sums[block, column]
            for column in range(columns):
                scratch[2 * side + 1, column] += block_squares[block, column]
        half_sharpes(scratch[0], scratch[1], inside_rows, scratch[4])
        half_sharpes(scratch[2], scratch[3], outside_rows, scratch[5])
        for way in range(2):
            inside, outside = scratch[4 + way], scratch[5 - way]
            best_by_group(inside, group_starts, best)
            relative_ranks(outside, group_starts, best, ranks)
            for group in range(best.size):
                out_ranks[2 * split + way, group] = ranks[group]
                out_inside[2 * split + way, group] = inside[best[group]]
                out_outside[2 * split + way, group] = outside[best[group]]
