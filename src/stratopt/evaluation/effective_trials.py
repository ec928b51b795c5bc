"""How many independent trials a set of correlated ones is worth. The estimators disagree widely; only some may pass a strategy.

Measured on worthless strategies, the deflated Sharpe ratio with the participation ratio calls 12-25 % of batches real, with the entropy
rank 3-4 %: the entropy rank is used for verdicts, the others are shown for comparison.
"""

from __future__ import annotations

import numpy as np

from stratopt.kernels.arrays import AnyArray, Float64Array1D

NEGLIGIBLE = 1e-12


def correlation_eigenvalues(returns: AnyArray) -> Float64Array1D:
    """Eigenvalues, falling, of the correlation matrix of the columns of ``returns`` (T, N).

    Columns that do not vary are left out. Of more trials than periods the T x T matrix with the same non-zero eigenvalues is taken.
    """
    values = np.asarray(returns)
    if values.dtype != np.float32:
        values = values.astype(np.float64, copy=False)
    centred = values - values.mean(axis=0)
    norms = np.sqrt(np.einsum("ij,ij->j", centred, centred))
    varying = norms > NEGLIGIBLE
    unit = centred[:, varying] / norms[varying]
    if unit.shape[1] == 0:
        return np.empty(0)
    gram = unit @ unit.T if unit.shape[1] > unit.shape[0] else unit.T @ unit
    return np.maximum(np.linalg.eigvalsh(gram.astype(np.float64))[::-1], 0.0)


def entropy_rank(eigenvalues: AnyArray) -> float:
    """Exponential of the entropy of the eigenvalues' shares (Roy & Vetterli 2007); 0 without eigenvalues."""
    share = _shares(eigenvalues)
    return float(np.exp(-np.sum(share * np.log(share)))) if share.size else 0.0


def participation_ratio(eigenvalues: AnyArray) -> float:
    """(sum l)^2 / sum l^2. Never use it to pass a strategy: it counts too few trials."""
    share = _shares(eigenvalues)
    return float(1.0 / np.sum(share**2)) if share.size else 0.0


def average_correlation_trials(correlation: float, trials: int) -> float:
    """Trials left by the mean correlation: rho + (1 - rho) N (Bailey & Lopez de Prado 2014, appendix 3)."""
    return correlation + (1.0 - correlation) * trials


def mean_correlation(returns: AnyArray) -> float:
    """Mean correlation between different varying columns of ``returns`` (T, N); 0 where there are fewer than two."""
    values = np.asarray(returns, dtype=np.float64)
    centred = values - values.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    unit = centred[:, norms > NEGLIGIBLE] / norms[norms > NEGLIGIBLE]
    count = unit.shape[1]
    if count < 2:
        return 0.0
    return float((np.sum(unit.sum(axis=1) ** 2) - count) / (count * (count - 1)))


def kaiser_count(eigenvalues: AnyArray) -> int:
    """Eigenvalues above 1."""
    return int(np.sum(np.asarray(eigenvalues) > 1.0))


def variance_count(eigenvalues: AnyArray, share: float = 0.95) -> int:
    """Principal components that explain ``share`` of the variance."""
    values = np.sort(np.asarray(eigenvalues, dtype=np.float64))[::-1]
    if values.size == 0:
        return 0
    return int(np.searchsorted(np.cumsum(values) / values.sum(), share - NEGLIGIBLE) + 1)


def cheverud_nyholt(eigenvalues: AnyArray) -> float:
    """1 + (N - 1)(1 - var(l)/N) over all N eigenvalues, zeros included."""
    values = np.asarray(eigenvalues, dtype=np.float64)
    count = values.size
    return float(1.0 + (count - 1.0) * (1.0 - values.var(ddof=1) / count)) if count > 1 else float(count)


def _shares(eigenvalues: AnyArray) -> Float64Array1D:
    values = np.asarray(eigenvalues, dtype=np.float64)
    values = values[values > NEGLIGIBLE * max(1.0, float(values.max(initial=0.0)))]
    return values / values.sum()
