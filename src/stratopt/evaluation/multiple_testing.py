"""Is the best of many better than its benchmark? White's Reality Check, Hansen's SPA, Romano and Wolf's StepM as matrix products.

``excess`` is always float (T, N): each column a trial's returns minus its benchmark's, NaN where the trial has no observation. The
resampled mean of a column with gaps is taken to first order: gaps count as deviations of 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stratopt.evaluation.bootstrap import Seed, long_run_weights, stationary_counts
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
    weights = stationary_counts(periods, draws, mean_block, seed)
    dependence = long_run_weights(periods, mean_block)
    threshold = -math.sqrt(2.0 * math.log(max(math.log(periods), math.e)))
    maxima = np.full((3, draws), -np.inf)
    statistic = 0.0
    for first in range(0, columns.means.size, COLUMNS_AT_ONCE):
        part = slice(first, first + COLUMNS_AT_ONCE)
        deviation = _deviation_of_mean(columns, part, dependence)
        relevant = columns.means[part] / deviation >= threshold
        scale = deviation if studentised else np.ones_like(deviation)
        t = columns.means[part] / scale
        deviations = _bootstrap_deviations(columns, part, weights)
        deviations /= scale.astype(np.float32)
        statistic = max(statistic, float(t.max()))
        shifts = (np.minimum(t, 0.0), np.where(relevant, 0.0, t), None)
        for row, shift in enumerate(shifts):
            shown = deviations if shift is None or not shift.any() else deviations + shift.astype(np.float32)
            np.maximum(maxima[row], shown.max(axis=1), out=maxima[row])
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
    weights = stationary_counts(columns.centred.shape[0], draws, mean_block, seed)
    best = np.full(draws, -np.inf)
    for first in range(0, columns.means.size, COLUMNS_AT_ONCE):
        part = slice(first, first + COLUMNS_AT_ONCE)
        np.maximum(best, _bootstrap_deviations(columns, part, weights).max(axis=1), out=best)
    return (1.0 + int(np.sum(best >= columns.means.max()))) / (draws + 1.0)


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
    weights = stationary_counts(columns.centred.shape[0], draws, mean_block, seed)
    deviations = _bootstrap_deviations(columns, slice(None), weights).astype(np.float64)
    spread = np.ones_like(columns.means)
    if studentised:
        spread = _deviation_of_mean(columns, slice(None), long_run_weights(columns.centred.shape[0], mean_block))
    t = columns.means / spread
    deviations /= spread
    positions = np.flatnonzero(columns.kept)
    order = np.argsort(-t, kind="stable")
    floor = 0.0
    # from the worst on: maximum over a column and all that are not better
    tail = np.maximum.accumulate(deviations[:, order[::-1]], axis=1)[:, ::-1]
    for step, column in enumerate(order):
        floor = max(floor, (1.0 + int(np.sum(tail[:, step] >= t[column]))) / (draws + 1.0))
        adjusted[int(positions[column])] = floor
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
        centred, means, counts = centred[:, kept], means[kept], counts[kept]
    return _Columns(centred, means, counts, kept)


def _bootstrap_deviations(columns: _Columns, part: slice, weights: Float32Array2D) -> Float32Array2D:
    """Resampled mean minus mean of some columns, float32 (draws, columns)."""
    found: Float32Array2D = weights @ columns.centred[:, part]
    found /= columns.counts[part].astype(np.float32)
    return found


def _deviation_of_mean(columns: _Columns, part: slice, dependence: Float32Array2D) -> Float64Array1D:
    values = columns.centred[:, part]
    variance = np.einsum("ij,ij->j", values, dependence @ values, dtype=np.float64)
    return np.sqrt(np.maximum(variance, 1e-300)) / columns.counts[part]
