"""Targets: what a backtest is told to hold, one value in {-1, 0, 1} a bar."""

from __future__ import annotations

from typing import Any

import numpy as np

from stratopt.errors import BacktestError
from stratopt.kernels.arrays import Int8Array1D


def check_target(target: Any, bar_count: int) -> Int8Array1D:
    """``target`` as int8 (bar_count,), C order; BacktestError names the first bar that is not -1, 0 or 1."""
    array = np.asarray(target)
    if array.ndim != 1 or array.shape[0] != bar_count:
        raise BacktestError(
            f"target must have one value for each of the {bar_count} bars, not shape {array.shape}",
            field="target",
            shape=list(array.shape),
            bars=bar_count,
        )
    if array.dtype == np.int8:
        if array.size and (array.min() < -1 or array.max() > 1):
            _refuse(array, (array < -1) | (array > 1))
        return np.ascontiguousarray(array)
    if array.dtype.kind not in "biuf":
        raise BacktestError(
            f"target must be numbers -1, 0 or 1, not {array.dtype}; convert it with .astype('int8')",
            field="target",
            dtype=str(array.dtype),
        )
    bad = (array != -1) & (array != 0) & (array != 1)
    if bad.any():
        _refuse(array, bad)
    return np.ascontiguousarray(array.astype(np.int8))


def _refuse(array: Any, bad: Any) -> None:
    bar = int(np.argmax(bad))
    raise BacktestError(
        f"target[{bar}] is {array[bar]}; every target must be -1 (short), 0 (flat) or 1 (long)",
        field="target",
        bar=bar,
        value=str(array[bar]),
    )
