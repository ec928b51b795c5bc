"""Tables that are too large for a database row, as Parquet files named by their content, in one folder a batch.

Batches share no file: one that is deleted takes nothing from another that is just being written, and what killed workers left goes
with its batch.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from shutil import rmtree
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stratopt.kernels.arrays import AnyArray

READ_BYTES = 65_536
GROUP_ROWS = 16_384
"""Rows that a reader has to hold at once."""

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
DISK_FULL_SECONDS = 1.0
"""Pause before the next attempt to write what found no room."""
log = logging.getLogger(__name__)

NAME = re.compile(r"[0-9a-f]{64}\.parquet")


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees all of it or nothing, also after a crash. Its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).rename(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_when_there_is_room(path: Path, data: bytes) -> None:
    """``write_bytes``, again and again while the disk is full: a result is held, not lost. The job's deadline still ends it."""
    while True:
        try:
            write_bytes(path, data)
            return
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            log.warning("disk_full", extra={"file": path.name, "held": True, "reason": str(error)})
        time.sleep(DISK_FULL_SECONDS)


class ArtifactStore:
    """Content-addressed tables of one batch. Safe for several processes: equal content is the same file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, columns: Mapping[str, Any]) -> str:
        """Store a table of equally long columns; the answer is its name."""
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(dict(columns)), sink, compression="zstd", row_group_size=GROUP_ROWS)
        data = sink.getvalue().to_pybytes()
        name = f"{hashlib.sha256(data).hexdigest()}.parquet"
        if not (self.folder / name).exists():
            write_when_there_is_room(self.folder / name, data)
        return name

    def path(self, name: str) -> Path:
        """The file of a name that ``put`` gave."""
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of an artefact")
        mine, shared = self.folder / name, self.folder.parent / name  # all batches shared a folder once
        return mine if mine.exists() or not shared.exists() else shared

    def table(self, name: str) -> pa.Table:
        """A whole table."""
        return pq.read_table(self.path(name))

    def columns(self, name: str) -> Mapping[str, AnyArray]:
        """A whole table by column; a column of equally long lists is a matrix with one row a table row."""
        with pq.ParquetFile(self.path(name)) as file:
            table = file.read(use_threads=False)
        return {field: _values(table.column(field)) for field in table.column_names}

    def column_names(self, name: str) -> list[str]:
        """What the columns of a table are called."""
        return list(pq.read_schema(self.path(name)).names)

    def batches(self, name: str, rows: int = 2000, *, begin: int = 0) -> Iterator[pa.RecordBatch]:
        """A table from row ``begin`` on in pieces, for streams of any length in constant memory."""
        with pq.ParquetFile(self.path(name), pre_buffer=False, buffer_size=READ_BYTES) as file:
            counts = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
            first = 0
            while first < len(counts) and begin >= counts[first]:  # groups that need not be read
                begin -= counts[first]
                first += 1
            for piece in file.iter_batches(rows, row_groups=range(first, len(counts)), use_threads=False):
                if begin < piece.num_rows:
                    yield piece.slice(begin)
                begin = max(0, begin - piece.num_rows)

    def tidy(self) -> None:
        """Remove files that no worker finished or nobody read, when no worker writes here any more."""
        for left in self.folder.glob(".*"):
            left.unlink(missing_ok=True)


class ArtifactFolders:
    """The tables of all batches."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, batch_id: str) -> ArtifactStore:
        """Those of one batch."""
        return ArtifactStore(self._folder / batch_id)

    def delete(self, batch_id: str) -> None:
        """Remove those of a batch; that there are none is no error."""
        rmtree(self._folder / batch_id, ignore_errors=True)

    def sweep(self, known: Collection[str]) -> None:
        """Remove what is left of batches that are not ``known``: a server may have been killed before it did."""
        for folder in self._folder.glob("bat_*"):
            if folder.name not in known:
                self.delete(folder.name)


def _values(column: pa.ChunkedArray) -> AnyArray:
    if pa.types.is_fixed_size_list(column.type):
        flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(-1, column.type.list_size)
    return column.to_numpy()
