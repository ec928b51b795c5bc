"""The best of several honest out-of-sample ratios is still a winner: how much of it is luck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratopt.evaluation.bootstrap import Seed, stationary_counts
from stratopt.kernels.arrays import AnyArray, Float64Array1D

LEAST_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class CorrectedHeadline:
    """The best ratio as it is, and with the luck of being picked taken off, all in the unit that was given.

    ``if_none_is_real`` is exact where no strategy is better than its benchmark; ``if_real`` is nearly unbiased where the winner is.
    """

    raw: float
    if_none_is_real: float
    if_real: float


def corrected_headline(
    returns: AnyArray, *, periods_per_year: float | AnyArray, mean_block: float, draws: int = 1000, seed: Seed = 0
) -> CorrectedHeadline | None:
    """Annual ratio of the best column of ``returns`` (T, M; NaN where unobserved), corrected by the stationary bootstrap.

    With ratios s_k, their resampled values S*_k and standard errors e_k = 1/sqrt(years): form A is
    max s - e mean(max_k((S*_k - s_k)/e_k)), form B is max s - e mean((S*_j - s_j)/e_j) with j the best of each draw and e that of the
    best column. In columns of one length the errors cancel; without them a short series, whose ratio moves more, would be charged
    to a long one. ``periods_per_year`` may differ by column. None where no column varies.
    """
    values = np.asarray(returns, dtype=np.float64)
    seen = ~np.isnan(values)
    filled = np.where(seen, values, 0.0)
    weights = stationary_counts(values.shape[0], draws, mean_block, seed).astype(np.float64)
    annual = np.sqrt(np.broadcast_to(np.asarray(periods_per_year, dtype=np.float64), values.shape[1]))
    ratios = annual * _ratios(filled.sum(axis=0), (filled**2).sum(axis=0), seen.sum(axis=0))
    kept = np.isfinite(ratios)
    if not kept.any():
        return None
    seen, filled, ratios = seen[:, kept], filled[:, kept], ratios[kept]
    drawn = annual[kept] * _ratios(weights @ filled, weights @ filled**2, weights @ seen)
    drawn = np.where(np.isfinite(drawn) & _is_telling(weights, filled, seen), drawn, ratios)
    errors = annual[kept] / np.sqrt(seen.sum(axis=0))
    luck = (drawn - ratios) / errors
    best = int(np.argmax(ratios))
    raw, error = float(ratios[best]), float(errors[best])
    return CorrectedHeadline(
        raw=raw,
        if_none_is_real=raw - error * float(luck.max(axis=1).mean()),
        if_real=raw - error * float(luck[np.arange(draws), np.argmax(drawn, axis=1)].mean()),
    )


def _is_telling(weights: AnyArray, filled: AnyArray, seen: AnyArray) -> AnyArray:
    """Draws that hold enough of a column: at least half as many of its periods, varying at least half as much.

    A column that is seen for a short time of all is hardly drawn now and then, and the ratio of a few equal periods is boundless.
    """
    drawn, own = weights @ seen, seen.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = (weights @ filled**2) / drawn - ((weights @ filled) / drawn) ** 2
        whole = (filled**2).sum(axis=0) / own - (filled.sum(axis=0) / own) ** 2
        return (drawn >= LEAST_SHARE * own) & (spread >= LEAST_SHARE**2 * whole)


def _ratios(sums: AnyArray, squares: AnyArray, counts: AnyArray) -> Float64Array1D:
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums / counts
        variance = (squares - counts * mean**2) / (counts - 1.0)
        return np.where(variance > 1e-18, mean / np.sqrt(np.maximum(variance, 1e-300)), np.nan)
