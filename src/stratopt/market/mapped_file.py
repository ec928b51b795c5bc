"""Bars as a ``.npy`` memory map, so that worker processes share their pages and nothing is pickled."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stratopt.errors import MarketDataError
from stratopt.kernels.arrays import Float64Array2D
from stratopt.market.bars import Bars
from stratopt.market.parquet_file import write_atomically
from stratopt.market.timeframe import Calendar, Timeframe


def write_mapped(directory: Path, bars: Bars) -> Path:
    """``<directory>/<content hash>.npy`` with the (6, n) matrix; an existing file of that shape is kept."""
    path = directory / f"{bars.content_hash}.npy"
    try:
        if _open(path).shape == bars.matrix.shape:
            return path
    except MarketDataError:
        pass  # missing or broken: it is written below
    write_atomically(path, lambda stream: np.lib.format.write_array(stream, bars.matrix, allow_pickle=False))
    return path


def open_mapped(path: Path, symbol: str, timeframe: str | Timeframe, calendar: str | Calendar) -> Bars:
    """Bars over the read-only pages of ``path``: nothing is copied or scanned.

    Raises
    ------
    MarketDataError
        ``corrupt_map`` if the file is missing, cut off or no (6, n) matrix of float64 in C order.
    """
    matrix = _open(path)
    return Bars.trusted(symbol, Timeframe.parse(timeframe), Calendar.parse(calendar), matrix, f"memory map {path.name}")


def _open(path: Path) -> Float64Array2D:
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _corrupt(path, str(error)) from error
    if mapped.ndim != 2 or mapped.shape[0] != 6 or mapped.dtype != np.float64 or not mapped.flags.c_contiguous:
        raise _corrupt(path, f"it holds {mapped.dtype} {mapped.shape}, not float64 (6, n)")
    return np.asarray(mapped)


def _corrupt(path: Path, reason: str) -> MarketDataError:
    return MarketDataError(
        f"{path.name} is not a memory map of bars ({reason}); delete it, it is written again when needed",
        code="corrupt_map",
        file=path.name,
    )
