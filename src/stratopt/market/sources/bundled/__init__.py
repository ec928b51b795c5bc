"""The series that come with the package, and where each of them is from (``PROVENANCE.json``)."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from stratopt.market.bars import Bars
from stratopt.market.parquet_file import read_series

DIRECTORY = Path(__file__).parent
PROVENANCE_FILE = "PROVENANCE.json"


def file_name(symbol: str, timeframe: str) -> str:
    """The file of a bundled series."""
    return f"{symbol}_{timeframe}.parquet"


@lru_cache(maxsize=1)
def entries() -> tuple[dict[str, Any], ...]:
    """Symbol, timeframe, calendar, rows, range, content hash and provenance of every bundled series."""
    return tuple(json.loads((DIRECTORY / PROVENANCE_FILE).read_text()))


@lru_cache(maxsize=32)
def read(symbol: str, timeframe: str) -> Bars:
    """A bundled series, whole; bars are immutable, so that every caller may share them."""
    path = DIRECTORY / file_name(symbol, timeframe)
    return read_series(path, origin=f"bundled {symbol} {timeframe}")
