"""Other histories with the same traits: bars with noise, bars in another order."""

from __future__ import annotations

import numpy as np

from stratopt.evaluation.bootstrap import Seed
from stratopt.kernels.arrays import CLOSE, HIGH, LOW, OPEN, Float64Array2D


def noisy_bars(matrix: Float64Array2D, scale: float, seed: Seed) -> Float64Array2D:
    """Bars whose moves are multiplied by 1 + scale * z, z a standard Normal for each bar.

    ``matrix`` float64 (6, n), rows of ``kernels.arrays``. The move from the close before, and the open, high and low around it, are
    scaled in logarithms by the same factor, so high and low still bound open and close; volume and stamps stay.
    """
    factor = np.maximum(1.0 + scale * np.random.default_rng(seed).standard_normal(matrix.shape[1]), 0.0)
    log = np.log(matrix[: CLOSE + 1])
    before = np.concatenate([[log[OPEN, 0]], log[CLOSE, :-1]])
    moves = (log - before) * factor
    base = np.concatenate([[log[OPEN, 0]], log[OPEN, 0] + np.cumsum(moves[CLOSE])[:-1]])
    noisy = matrix.copy()
    noisy[: CLOSE + 1] = np.exp(base + moves)
    return _bounded(noisy)


def permuted_bars(matrix: Float64Array2D, seed: Seed) -> Float64Array2D:
    """Bars with gaps and shapes shuffled separately (Masters): same first open, last close and moments, no order.

    Every search must be repeated on each permutation; p is (1 + how often its best is at least as good) / (1 + permutations).
    """
    rng = np.random.default_rng(seed)
    log = np.log(matrix[: CLOSE + 1])
    gaps = log[OPEN, 1:] - log[CLOSE, :-1]
    shapes = log - log[OPEN]
    gaps, shapes = gaps[rng.permutation(gaps.size)], shapes[:, rng.permutation(log.shape[1])]
    steps = np.concatenate([[0.0], gaps]) + np.concatenate([[0.0], shapes[CLOSE, :-1]])
    permuted = matrix.copy()
    permuted[: CLOSE + 1] = np.exp(log[OPEN, 0] + np.cumsum(steps) + shapes)
    return _bounded(permuted)


def _bounded(matrix: Float64Array2D) -> Float64Array2D:
    """Undo the last digit's rounding: high and low bound open and close."""
    matrix[HIGH] = np.max(matrix[[OPEN, HIGH, LOW, CLOSE]], axis=0)
    matrix[LOW] = np.min(matrix[[OPEN, HIGH, LOW, CLOSE]], axis=0)
    matrix.flags.writeable = False
    return matrix
