"""What one Sharpe ratio is worth: its sampling variance, the chance that it is above a bar, the record it needs.

All ratios are per period, never annualised, unless a name says ``annual``; kurtosis is Pearson's (a Normal has 3).
Two published forms exist and must not be mixed. That of Bailey & Lopez de Prado (2012, J. Risk 15(2)) evaluates the variance at the
estimate and divides by T - 1; that of Lopez de Prado, Lipton & Zoonekynd (2026, SSRN 5520741) evaluates it at the bar, divides by T and
knows autocorrelation. The latter have ``at_bar`` in their names.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stratopt.evaluation.normal import ndtr, ndtri
from stratopt.kernels.arrays import AnyArray

ROUNDING = 1e-10
"""A deviation below this share of the mean is the rounding of equal values."""


@dataclass(frozen=True, kw_only=True)
class SharpeMoments:
    """Sharpe ratio per period (ddof 1), number of periods, biased skewness and Pearson kurtosis of one return series."""

    sharpe: float
    periods: int
    skewness: float
    kurtosis: float


def sharpe_moments(returns: AnyArray) -> SharpeMoments | None:
    """Moments of ``returns`` (n,), or None where they do not vary or are fewer than 3."""
    values = np.asarray(returns, dtype=np.float64)
    if values.size < 3:
        return None
    mean = float(values.mean())
    centred = values - mean
    variance = float(np.mean(centred**2))
    if not math.sqrt(variance) > ROUNDING * max(abs(mean), 1e-300):
        return None
    return SharpeMoments(
        sharpe=mean / math.sqrt(variance * values.size / (values.size - 1)),
        periods=values.size,
        skewness=float(np.mean(centred**3)) / variance**1.5,
        kurtosis=float(np.mean(centred**4)) / variance**2,
    )


def sharpe_variance(sharpe: float, periods: int, *, skewness: float = 0.0, kurtosis: float = 3.0) -> float:
    """Sampling variance of independent returns (Mertens 2002): (1 - g3 SR + (g4 - 1)/4 SR^2) / (T - 1).

    >>> round(sharpe_variance(0.0, 101), 4)
    0.01
    """
    return (1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2) / (periods - 1)


def sharpe_variance_at_bar(
    bar: float, periods: int, *, skewness: float = 0.0, kurtosis: float = 3.0, autocorrelation: float = 0.0
) -> float:
    """Sampling variance at a true ratio ``bar`` with AR(1) returns, over T (Lopez de Prado, Lipton & Zoonekynd 2026, eq. 3)."""
    rho = autocorrelation
    plain = (1.0 + rho) / (1.0 - rho)
    skewed = (1.0 + rho + rho**2) / (1.0 - rho**2) * skewness * bar
    tailed = (1.0 + rho**2) / (1.0 - rho**2) * (kurtosis - 1.0) / 4.0 * bar**2
    return (plain - skewed + tailed) / periods


def probabilistic_sharpe_ratio(
    sharpe: float, periods: int, *, bar: float = 0.0, skewness: float = 0.0, kurtosis: float = 3.0
) -> float:
    """PSR: probability that the true ratio is above ``bar`` (Bailey & Lopez de Prado 2012)."""
    deviation = math.sqrt(sharpe_variance(sharpe, periods, skewness=skewness, kurtosis=kurtosis))
    return float(ndtr((sharpe - bar) / deviation))


def probabilistic_sharpe_ratio_at_bar(
    sharpe: float,
    periods: int,
    *,
    bar: float = 0.0,
    skewness: float = 0.0,
    kurtosis: float = 3.0,
    autocorrelation: float = 0.0,
) -> float:
    """PSR of the 2026 paper: the variance is that of a series whose true ratio is ``bar``."""
    variance = sharpe_variance_at_bar(
        bar, periods, skewness=skewness, kurtosis=kurtosis, autocorrelation=autocorrelation
    )
    return float(ndtr((sharpe - bar) / math.sqrt(variance)))


def minimum_track_record_length(
    sharpe: float, *, bar: float = 0.0, alpha: float = 0.05, skewness: float = 0.0, kurtosis: float = 3.0
) -> float:
    """Periods after which this ratio is above ``bar`` at confidence 1 - alpha; infinite if it is not above (2012)."""
    if sharpe <= bar:
        return math.inf
    factor = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    return float(1.0 + factor * (ndtri(1.0 - alpha) / (sharpe - bar)) ** 2)


def minimum_track_record_length_at_bar(
    sharpe: float,
    *,
    bar: float = 0.0,
    alpha: float = 0.05,
    skewness: float = 0.0,
    kurtosis: float = 3.0,
    autocorrelation: float = 0.0,
) -> float:
    """The same in the form of the 2026 paper."""
    if sharpe <= bar:
        return math.inf
    factor = sharpe_variance_at_bar(bar, 1, skewness=skewness, kurtosis=kurtosis, autocorrelation=autocorrelation)
    return float(factor * (ndtri(1.0 - alpha) / (sharpe - bar)) ** 2)


def annual_sharpe_needed(years: float, tests: int = 1, *, power: float = 0.8, alpha: float = 0.05) -> float:
    """Annual ratio that a test over ``years`` would notice with probability ``power``, one-sided, Bonferroni over ``tests``.

    >>> round(annual_sharpe_needed(4.0, 10), 2)
    1.71
    """
    return float((ndtri(1.0 - alpha / tests) + ndtri(power)) / math.sqrt(years))


def annualisation_factor(periods_per_year: int, autocorrelations: Sequence[float]) -> float:
    """What a per-period ratio is multiplied with under autocorrelation (Lo 2002): q / sqrt(q + 2 sum (q - k) rho_k).

    ``autocorrelations`` at lags 1, 2, ...; missing lags are 0.

    >>> round(annualisation_factor(12, [0.2**k for k in range(1, 12)]), 3)
    2.879
    """
    q = periods_per_year
    weighted = sum((q - lag) * rho for lag, rho in enumerate(autocorrelations[: q - 1], start=1))
    return q / math.sqrt(q + 2.0 * weighted)
