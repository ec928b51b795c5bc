"""Stationary bootstrap (Politis & Romano 1994): resampled positions, and their counts as a matrix.

A bootstrap mean is linear in how often each period is drawn, so the means of all columns over all draws are one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from stratopt.kernels.arrays import AnyArray, BoolArray2D, Float32Array2D, Float64Array1D, Int64Array2D
from stratopt.kernels.draws import count_drawn

Seed: TypeAlias = int | np.random.Generator

SHORTEST_BLOCK = 5.0
"""Periods; too short blocks are too optimistic."""
NEGLIGIBLE = 1e-12
DRAWS_AT_ONCE = FEWEST_DRAWS = 1000
MOST_DRAWS = 20_000
MOST_WORK = 5_000_000_000
"""Products of a draw, a period and a column."""


def stationary_indices(periods: int, draws: int, mean_block: float, seed: Seed) -> Int64Array2D:
    """Positions int64 (draws, periods): blocks of geometric length with mean ``mean_block``, wrapped around the end."""
    begins, origins = _blocks(periods, draws, mean_block, seed)
    at = np.arange(periods)
    last = np.maximum.accumulate(np.where(begins, at, 0), axis=1)
    return (np.take_along_axis(origins, last, axis=1) + at - last) % periods


def stationary_counts(periods: int, draws: int, mean_block: float, seed: Seed) -> Float32Array2D:
    """How often each period is drawn, float32 (draws, periods); every row sums to ``periods``."""
    counts = np.empty((draws, periods), dtype=np.float32)
    count_drawn(*_blocks(periods, draws, mean_block, seed), counts)
    return counts


def count_chunks(periods: int, draws: int, mean_block: float, seed: Seed) -> Iterator[Float32Array2D]:
    """``stationary_counts`` of many draws in pieces of at most 1,000, so that memory does not grow with their number."""
    rng = np.random.default_rng(seed)
    for first in range(0, draws, DRAWS_AT_ONCE):
        yield stationary_counts(periods, min(DRAWS_AT_ONCE, draws - first), mean_block, rng)


def affordable_draws(periods: int, columns: int) -> int:
    """From 1,000 draws of many columns to 20,000 of few ones, so that a test costs about a fifth of a second.

    Two p-values of 20,000 draws with other seeds differ by 0.005 at most (standard deviation), of 1,000 by 0.022.
    """
    return int(min(MOST_DRAWS, max(FEWEST_DRAWS, MOST_WORK // max(1, periods * columns))))


def _blocks(periods: int, draws: int, mean_block: float, seed: Seed) -> tuple[BoolArray2D, Int64Array2D]:
    """Where blocks begin and with which period."""
    rng = np.random.default_rng(seed)
    begins = rng.random((draws, periods)) < 1.0 / max(mean_block, 1.0)
    begins[:, 0] = True
    return begins, rng.integers(0, periods, size=(draws, periods))


def optimal_block_length(values: AnyArray) -> float:
    """Mean block length for the stationary bootstrap (Politis & White 2004, corrected by Patton, Politis & White 2009); at least 1."""
    x = np.asarray(values, dtype=np.float64)
    n = x.size
    centred = x - x.mean()
    if n < 10 or not np.any(centred):
        return 1.0
    quiet = max(5, int(math.log10(n)))
    most = math.ceil(math.sqrt(n)) + quiet
    longest = math.ceil(min(3.0 * math.sqrt(n), n / 3.0))
    products = np.array([float(centred[lag:] @ centred[: n - lag]) for lag in range(min(most, n - 2) + 1)])
    wide = min(_bandwidth(centred, products, quiet), products.size - 1)
    lag = np.arange(1, wide + 1)
    weighted = np.minimum(1.0, 2.0 * (1.0 - lag / wide)) * products[1 : wide + 1] / n
    long_run = products[0] / n + 2.0 * float(weighted.sum())
    curvature = 2.0 * float(np.sum(lag * weighted))
    if long_run == 0.0:
        return 1.0
    return min(max((curvature**2 / long_run**2 * n) ** (1.0 / 3.0), 1.0), float(longest))


def _bandwidth(centred: AnyArray, products: Float64Array1D, quiet: int) -> int:
    """Twice the first lag from which on ``quiet`` correlations in a row are negligible; all lags if there is none."""
    n = centred.size
    before, after = np.cumsum(centred**2), np.cumsum(centred[::-1] ** 2)
    scale = np.sqrt(before[n - 2 - np.arange(products.size)] * after[n - 2 - np.arange(products.size)])
    small = np.abs(products) / scale < 2.0 * math.sqrt(math.log10(n) / n)
    for lag in range(products.size - quiet):
        if small[lag : lag + quiet].all():
            return 2 * max(lag, 1)
    return products.size - 1


def common_block_length(returns: AnyArray, *, shortest: float = SHORTEST_BLOCK) -> float:
    """Median of the optimal lengths over the columns of ``returns`` (T, M), at least ``shortest`` and at least 1 row."""
    lengths = [optimal_block_length(column) for column in np.asarray(returns).T]
    return max(1.0, shortest, float(np.median(lengths)) if lengths else 1.0)


def long_run_weights(periods: int, mean_block: float) -> Float32Array2D:
    """K, float32 (T, T): d' K d is the variance of the resampled sum of centred values d (Politis & Romano 1994, lemma 1)."""
    lag = np.arange(periods)
    stay = 1.0 - 1.0 / max(mean_block, 1.0)
    kappa = (1.0 - lag / periods) * stay**lag + lag / periods * stay ** (periods - lag)
    kappa[0] = 1.0
    kappa[kappa < NEGLIGIBLE] = (
        0.0  # numbers too small for float32's normal range make the product with K fifty times slower
    )
    return kappa.astype(np.float32)[np.abs(lag[:, None] - lag[None, :])]
