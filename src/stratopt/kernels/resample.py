"""Bars of a longer timeframe out of shorter ones."""

from __future__ import annotations

import numpy as np

from stratopt.kernels.arrays import CLOSE, HIGH, LOW, OPEN_TIME, VOLUME, Float64Array2D, Int64Array1D
from stratopt.kernels.jit import jit


@jit
def aggregate_bars(bars: Float64Array2D, bin_open: Int64Array1D, out: Float64Array2D) -> int:
    """Merge neighbouring bars that share a bin.

    Parameters
    ----------
    bars : float64 (6, n)
        Rows of ``kernels.arrays``, stamps increasing.
    bin_open : int64 (n,)
        Open stamp of the bin of each bar, in milliseconds, not decreasing.
    out : float64 (6, m), m >= the number of bins
        Filled from the left: first open, highest high, lowest low, last close, summed volume, the bin's open stamp.

    Returns
    -------
    int
        The number of bins. A bin without bars does not exist; nothing is filled in.
    """
    count = 0
    for bar in range(bars.shape[1]):
        if bar == 0 or bin_open[bar] != bin_open[bar - 1]:
            for row in range(6):
                out[row, count] = bars[row, bar]
            out[OPEN_TIME, count] = np.float64(bin_open[bar])
            count += 1
            continue
        current = count - 1
        out[HIGH, current] = max(out[HIGH, current], bars[HIGH, bar])
        out[LOW, current] = min(out[LOW, current], bars[LOW, bar])
        out[CLOSE, current] = bars[CLOSE, bar]
        out[VOLUME, current] += bars[VOLUME, bar]
    return count
