"""One series in one Parquet file that describes itself.

Columns ``open_time`` (int64 milliseconds, UTC), ``open high low close volume`` (float64), row groups of 65,536 bars for range
reads. The footer carries symbol, timeframe, calendar, content hash and provenance as JSON under the key ``stratopt``.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stratopt.errors import MarketDataError
from stratopt.kernels.arrays import OPEN_TIME
from stratopt.market.bars import Bars
from stratopt.market.stamps import iso

ROW_GROUP_BARS = 65_536
COLUMNS = ("open", "high", "low", "close", "volume")
_KEY = b"stratopt"


def describe(bars: Bars, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The facts about a series that its file and every listing carry."""
    return {
        "symbol": bars.symbol,
        "timeframe": str(bars.timeframe),
        "calendar": str(bars.calendar),
        "rows": len(bars),
        "first": iso(int(bars.open_time[0])),
        "last": iso(int(bars.open_time[-1])),
        "content_hash": bars.content_hash,
        "provenance": dict(provenance),
    }


def write_series(path: Path, bars: Bars, provenance: Mapping[str, Any], *, zstd_level: int = 3) -> dict[str, Any]:
    """Write ``bars`` so that a crash leaves the old file or the new one; returns the footer's facts."""
    facts = describe(bars, provenance)
    stamps = pa.array(bars.open_time, type=pa.int64()).cast(pa.timestamp("ms", tz="UTC"))
    table = pa.table({"open_time": stamps} | {name: bars.matrix[row] for row, name in enumerate(COLUMNS)})
    encodings = dict.fromkeys(COLUMNS, "BYTE_STREAM_SPLIT") | {"open_time": "DELTA_BINARY_PACKED"}

    def write(stream: IO[bytes]) -> None:
        options = {
            "compression": "zstd",
            "compression_level": zstd_level,
            "use_dictionary": False,
            "store_schema": False,
        }
        with pq.ParquetWriter(stream, table.schema, column_encoding=encodings, **options) as writer:
            writer.write_table(table, row_group_size=ROW_GROUP_BARS)
            writer.add_key_value_metadata({_KEY.decode(): json.dumps(facts, sort_keys=True)})

    write_atomically(path, write)
    return facts


def read_facts(path: Path) -> dict[str, Any]:
    """The facts in the footer of a series file; MarketDataError ``corrupt_series`` if it is none."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
        facts: dict[str, Any] = json.loads(metadata[_KEY])
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise _corrupt(path, error) from error
    return facts


def read_series(path: Path, *, start_ms: int | None = None, end_ms: int | None = None, origin: str = "") -> Bars:
    """The bars with ``start_ms <= open stamp < end_ms``; only the row groups that hold them are read.

    A series that is read whole must have the content hash of its footer.
    """
    facts = read_facts(path)
    filters = [
        ("open_time", relation, pa.scalar(limit, pa.timestamp("ms", tz="UTC")))
        for relation, limit in ((">=", start_ms), ("<", end_ms))
        if limit is not None
    ]
    try:
        table = pq.read_table(path, columns=["open_time", *COLUMNS], filters=filters or None)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _corrupt(path, error) from error
    matrix = np.empty((6, table.num_rows))
    for row, name in enumerate(COLUMNS):
        matrix[row] = table[name].to_numpy()
    matrix[OPEN_TIME] = table["open_time"].cast(pa.int64()).to_numpy()
    matrix.flags.writeable = False
    bars = Bars.from_matrix(facts["symbol"], facts["timeframe"], facts["calendar"], matrix, origin)
    if not filters and bars.content_hash != facts["content_hash"]:
        raise _corrupt(path, "its content hash is not the one it was written with")
    return bars


def write_atomically(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Write a file under a temporary name, flush it to disk, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-", suffix=path.suffix)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _corrupt(path: Path, reason: object) -> MarketDataError:
    return MarketDataError(
        f"{path.name} is not a readable series file ({reason}); import the series again",
        code="corrupt_series",
        file=path.name,
    )
