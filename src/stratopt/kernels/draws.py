"""Counting the periods that a bootstrap draws."""

from __future__ import annotations

from stratopt.kernels.arrays import BoolArray2D, Float32Array2D, Int64Array2D
from stratopt.kernels.jit import jit_bare


@jit_bare
def count_drawn(begins: BoolArray2D, origins: Int64Array2D, counts: Float32Array2D) -> None:
    """How often each period is drawn when blocks run on from their origin, around the end, until the next one begins.

    Parameters
    ----------
    begins : bool (draws, periods)
        Whether a block begins there; True in the first column.
    origins : int64 (draws, periods)
        The period that a block beginning there starts with.
    counts : float32 (draws, periods), out
    """
    draws, periods = begins.shape
    for draw in range(draws):
        counts[draw, :] = 0.0
        drawn = 0
        for step in range(periods):
            drawn = origins[draw, step] if begins[draw, step] else drawn + 1
            if drawn == periods:
                drawn = 0
            counts[draw, drawn] += 1.0
