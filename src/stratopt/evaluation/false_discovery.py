"""What a significant result is worth when many were tested: false discovery rates, haircuts, adjusted p-values."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from stratopt.evaluation.normal import ndtr, ndtri
from stratopt.kernels.arrays import Float64Array1D


def miss_probability(*, true_sharpe: float, null_deviation: float, true_deviation: float, alpha: float = 0.05) -> float:
    """Probability beta that a true ratio stays below the critical value of a test of 0 at level alpha."""
    return float(ndtr((ndtri(1.0 - alpha) * null_deviation - true_sharpe) / true_deviation))


def planned_false_discovery_rate(*, miss: float, prior: float, alpha: float = 0.05) -> float:
    """Share of false ones among what a test at level alpha passes (pFDR), where a share ``prior`` is real."""
    return 1.0 / (1.0 + (1.0 - miss) * prior / (alpha * (1.0 - prior)))


def observed_false_discovery_rate(*, p_value: float, p_value_if_real: float, prior: float) -> float:
    """Share of false ones among results at least as good as this one (oFDR)."""
    false = p_value * (1.0 - prior)
    return false / (false + p_value_if_real * prior)


def haircut_annual_sharpe(annual_sharpe: float, years: float, tests: int) -> tuple[float, float, float]:
    """p-value, p-value over ``tests`` independent ones, and the annual ratio that is left (Harvey & Liu 2015, JPM 42(1)).

    >>> [round(x, 4) for x in haircut_annual_sharpe(0.75, 20.0, 200)]
    [0.0008, 0.1473, 0.3241]
    """
    single = 2.0 * float(ndtr(-abs(annual_sharpe) * math.sqrt(years)))
    many = -math.expm1(tests * math.log1p(-single)) if single < 1.0 else 1.0
    left = max(0.0, float(-ndtri(many / 2.0)) / math.sqrt(years))
    return single, many, math.copysign(left, annual_sharpe)


def bonferroni(p_values: Sequence[float]) -> Float64Array1D:
    """Each p-value times their number, at most 1."""
    p = np.asarray(p_values, dtype=np.float64)
    return np.minimum(p * p.size, 1.0)


def holm(p_values: Sequence[float]) -> Float64Array1D:
    """Holm's step-down adjustment: controls the family-wise error without assumptions on dependence."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)), 1.0)
    return adjusted


def benjamini_yekutieli(p_values: Sequence[float]) -> Float64Array1D:
    """False discovery rate under any dependence (BHY)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    ranks = np.arange(1, p.size + 1)
    scaled = p[order] * p.size * np.sum(1.0 / ranks) / ranks
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted
