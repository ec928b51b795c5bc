"""Names for the arrays that kernels take: dtype and rank are part of the contract."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Float64Array1D: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float64]]
Float64Array2D: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Int64Array1D: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]
Int64Array2D: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.int64]]
Float32Array2D: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.float32]]
Int32Array1D: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int32]]
Int8Array1D: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int8]]
BoolArray1D: TypeAlias = np.ndarray[tuple[int], np.dtype[np.bool_]]
BoolArray2D: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.bool_]]
AnyArray: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# Rows of the bars matrix that every signal kernel and the engine take: float64, shape (6, n), C order, read-only.
OPEN, HIGH, LOW, CLOSE, VOLUME, OPEN_TIME = range(6)
"""OPEN_TIME is the bar's UTC open stamp in milliseconds since 1970 (exact in float64)."""

# Codes of the trading direction, the last element of a signal kernel's parameter vector.
LONG_ONLY, SHORT_ONLY, LONG_SHORT = 0.0, 1.0, 2.0
