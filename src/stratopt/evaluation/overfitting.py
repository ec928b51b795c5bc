"""How good the best of many tries looks by luck: the False Strategy Theorem and what follows from it.

Pairing rule: the variance *measured across trials* goes with the raw number of trials, the null variance 1/T goes with an effective
number. A measured variance with an effective number counts the correlation between trials twice.
"""

from __future__ import annotations

import math

import numpy as np

from stratopt.evaluation.normal import ndtr, ndtri
from stratopt.evaluation.sharpe import SharpeMoments, probabilistic_sharpe_ratio

EULER_MASCHERONI = float(np.euler_gamma)


def expected_maximum(trials: float) -> float:
    """Approximate expected maximum of ``trials`` independent standard Normals, 0 for one or fewer (Bailey et al. 2014).

    Error against the exact integral: -7.9 % at 2, +2.6 % at 5, +0.9 % at 100.

    >>> round(expected_maximum(10), 4)
    1.5746
    """
    if trials <= 1.0:
        return 0.0
    low = (1.0 - EULER_MASCHERONI) * ndtri(1.0 - 1.0 / trials)
    return max(0.0, float(low + EULER_MASCHERONI * ndtri(1.0 - 1.0 / (trials * math.e))))


def exact_expected_maximum(trials: int, correlation: float = 0.0) -> float:
    """Expected maximum of standard Normals with one common ``correlation``, by integration: sqrt(1 - rho) E[max]."""
    return math.sqrt(1.0 - correlation) * _moment_of_maximum(trials, 1)


def deviation_of_maximum(trials: int) -> float:
    """Standard deviation of the maximum of ``trials`` independent standard Normals (2026 paper, exhibit 4)."""
    return math.sqrt(_moment_of_maximum(trials, 2) - _moment_of_maximum(trials, 1) ** 2)


def _moment_of_maximum(trials: int, power: int) -> float:
    from scipy.integrate import quad

    def integrand(x: float) -> float:
        density = math.exp(-x * x / 2.0) / math.sqrt(2.0 * math.pi)
        return float(x**power * trials * ndtr(x) ** (trials - 1) * density)

    return float(quad(integrand, -12.0, 12.0, epsabs=1e-12, epsrel=1e-12, limit=400)[0])


def luck_sharpe(trials: float, trial_variance: float) -> float:
    """Ratio that the best of ``trials`` worthless trials is expected to show; ``trial_variance`` is that of their ratios."""
    return math.sqrt(trial_variance) * expected_maximum(trials)


def deflated_sharpe_ratio(moments: SharpeMoments, *, trials: float, trial_variance: float) -> float:
    """DSR: PSR above what luck alone would show (Bailey & Lopez de Prado 2014, JPM 40(5)).

    As published with V measured over all trials and their raw number; with V = 1/T and an effective number it keeps its power when
    good and bad strategies are mixed.
    """
    return probabilistic_sharpe_ratio(
        moments.sharpe,
        moments.periods,
        bar=luck_sharpe(trials, trial_variance),
        skewness=moments.skewness,
        kurtosis=moments.kurtosis,
    )


def deflated_sharpe_ratio_of_maximum(sharpe: float, *, trials: int, trial_variance: float) -> float:
    """DSR of the 2026 paper: the ratio against mean and deviation of the best of ``trials``."""
    deviation = math.sqrt(trial_variance) * deviation_of_maximum(trials)
    return float(ndtr((sharpe - luck_sharpe(trials, trial_variance)) / deviation))


def minimum_backtest_years(trials: float, target_annual_sharpe: float = 1.0) -> float:
    """Years below which the best of ``trials`` is expected to reach the target by luck (Bailey et al. 2014, Notices AMS 61(5)).

    >>> round(minimum_backtest_years(45), 2)
    5.0
    """
    return (expected_maximum(trials) / target_annual_sharpe) ** 2


def family_wise_threshold(trials: int, trial_variance: float, *, alpha: float = 0.05) -> float:
    """Ratio that the best of ``trials`` independent worthless trials passes with probability alpha, exactly."""
    return math.sqrt(trial_variance) * float(ndtri((1.0 - alpha) ** (1.0 / trials)))
