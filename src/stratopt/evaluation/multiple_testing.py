"""Is the best of many better than its benchmark? White's Reality Check, Hansen's SPA, Romano and Wolf's StepM as matrix products.

``excess`` is always float (T, N): each column a trial's returns minus its benchmark's, NaN where the trial has no observation. The
resampled mean of a column with gaps is taken to first order: gaps count as deviations of 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stratopt.evaluation.bootstrap import Seed, count_chunks, long_run_weights
from stratopt.kernels.arrays import AnyArray, BoolArray1D, Float32Array2D, Float64Array1D

COLUMNS_AT_ONCE = 4096
DEFAULT_DRAWS = 1000


@dataclass(frozen=True, kw_only=True)
class SuperiorAbility:
    """Hansen's test over all trials: p-values of the null that none beats its benchmark.

    ``lower`` and ``upper`` bracket ``consistent``, the one to read; ``columns`` varied and entered the test.
    """

    statistic: float
    lower: float
    consistent: float
    upper: float
    columns: int
    draws: int
    mean_block: float


@dataclass(frozen=True, eq=False)
class _Columns:
    """Centred columns with gaps as 0 (float32), means, observations; columns that do not vary are dropped."""

    centred: Float32Array2D
    means: Float64Array1D
    counts: Float64Array1D
    kept: BoolArray1D


def superior_predictive_ability(
    excess: AnyArray, *, mean_block: float, draws: int = DEFAULT_DRAWS, seed: Seed = 0, studentised: bool = True
) -> SuperiorAbility | None:
    """SPA (Hansen 2005, JBES 23(4)), studentised by the exact deviation of the resampled mean; None if no column varies.

    Only trials whose studentised mean is above -sqrt(2 ln ln T) are recentred for the consistent p-value. Without ``studentised`` the
    means themselves are compared, as arch 8 does, and the most volatile trials decide.
    """
    columns = _columns(excess)
    if not columns.means.size:
        return None
    periods = columns.centred.shape[0]
    threshold = -math.sqrt(2.0 * math.log(max(math.log(periods), math.e)))
    deviation = _deviations_of_means(columns, mean_block)
    relevant = columns.means / deviation >= threshold
    scale = deviation if studentised else np.ones_like(deviation)
    t = columns.means / scale
    statistic = max(0.0, float(t.max()))
    shifts = [np.minimum(t, 0.0).astype(np.float32), np.where(relevant, 0.0, t).astype(np.float32)]
    scaled = _scaled(columns, scale)
    maxima = np.full((3, draws), -np.inf)
    first = 0
    for weights in count_chunks(periods, draws, mean_block, seed):
        rows = slice(first, first + len(weights))
        for part in _parts(t.size):
            deviations = weights @ scaled[:, part]
            np.maximum(maxima[2, rows], deviations.max(axis=1), out=maxima[2, rows])
            for row, shift in enumerate(shifts):
                shown = deviations + shift[part] if shift[part].any() else deviations
                np.maximum(maxima[row, rows], shown.max(axis=1), out=maxima[row, rows])
        first += len(weights)
    np.maximum(maxima, 0.0, out=maxima)
    p = [(1.0 + int(np.sum(row >= statistic))) / (draws + 1.0) for row in maxima]
    return SuperiorAbility(
        statistic=statistic,
        lower=p[0],
        consistent=p[1],
        upper=p[2],
        columns=columns.means.size,
        draws=draws,
        mean_block=mean_block,
    )


def reality_check(excess: AnyArray, *, mean_block: float, draws: int = DEFAULT_DRAWS, seed: Seed = 0) -> float | None:
    """White's Reality Check (2000, Econometrica 68(5)): p-value, not studentised; None if no column varies."""
    columns = _columns(excess)
    if not columns.means.size:
        return None
    scaled, beaten = _scaled(columns, np.ones_like(columns.means)), 0
    for weights in count_chunks(scaled.shape[0], draws, mean_block, seed):
        best = np.max([(weights @ scaled[:, part]).max(axis=1) for part in _parts(columns.means.size)], axis=0)
        beaten += int(np.sum(best >= columns.means.max()))
    return (1.0 + beaten) / (draws + 1.0)


def step_down_p_values(
    excess: AnyArray, *, mean_block: float, draws: int = DEFAULT_DRAWS, seed: Seed = 0, studentised: bool = True
) -> Sequence[float | None]:
    """StepM (Romano & Wolf 2005, Econometrica 73(4)): adjusted p-value of each column.

    The columns with a value of at most alpha are better than their benchmark with a family-wise error of alpha. None for a column that
    does not vary.
    """
    columns = _columns(excess)
    adjusted: list[float | None] = [None] * columns.kept.size
    if not columns.means.size:
        return adjusted
    spread = _deviations_of_means(columns, mean_block) if studentised else np.ones_like(columns.means)
    t = columns.means / spread
    order = np.argsort(-t, kind="stable")
    scaled = _scaled(columns, spread)[:, order[::-1]]
    beaten = np.zeros(t.size)
    for weights in count_chunks(scaled.shape[0], draws, mean_block, seed):
        # from the worst on: maximum over a column and all that are not better
        tail = np.maximum.accumulate(weights @ scaled, axis=1)[:, ::-1]
        beaten += np.sum(tail >= t[order], axis=0)
    p_values = np.maximum.accumulate((1.0 + beaten) / (draws + 1.0))
    positions = np.flatnonzero(columns.kept)
    for column, p in zip(order, p_values, strict=True):
        adjusted[int(positions[column])] = float(p)
    return adjusted


def _columns(excess: AnyArray) -> _Columns:
    values = np.asarray(excess)
    seen = ~np.isnan(values)
    counts = seen.sum(axis=0).astype(np.float64)
    means = np.where(seen, values, 0.0).sum(axis=0, dtype=np.float64) / np.maximum(counts, 1.0)
    centred = np.where(seen, values - means, 0.0).astype(np.float32)
    deviation = np.sqrt(np.einsum("ij,ij->j", centred, centred, dtype=np.float64) / np.maximum(counts, 1.0))
    kept = (counts >= 3) & (deviation > 1e-7 * np.abs(means)) & (deviation > 0)
    if not kept.all():
        centred, means, counts = np.ascontiguousarray(centred[:, kept]), means[kept], counts[kept]
    return _Columns(centred, means, counts, kept)


def _parts(columns: int) -> Sequence[slice]:
    return [slice(first, first + COLUMNS_AT_ONCE) for first in range(0, columns, COLUMNS_AT_ONCE)]


def _scaled(columns: _Columns, scale: Float64Array1D) -> Float32Array2D:
    """Columns whose product with a draw's counts is its resampled mean minus the mean, in units of ``scale``."""
    return np.divide(columns.centred, (columns.counts * scale).astype(np.float32), dtype=np.float32)


def _deviations_of_means(columns: _Columns, mean_block: float) -> Float64Array1D:
    """Exact deviation of each column's resampled mean."""
    dependence = long_run_weights(columns.centred.shape[0], mean_block)
    variance = np.concatenate(
        [
            np.einsum("ij,ij->j", values, dependence @ values, dtype=np.float64)
            for values in (columns.centred[:, part] for part in _parts(columns.means.size))
        ]
    )
    return np.sqrt(np.maximum(variance, 1e-300)) / columns.counts
