"""Tables of results are kept so that a stream of any length needs the memory of a small piece."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from stratopt.optimization.artifacts import GROUP_ROWS, ArtifactStore


def test_a_long_table_is_stored_and_streamed_in_pieces(tmp_path: Path) -> None:
    store, count = ArtifactStore(tmp_path), 2 * GROUP_ROWS + 1
    name = store.put({"number": list(range(count))})
    with pq.ParquetFile(store.path(name)) as file:
        groups = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
    assert groups == [GROUP_ROWS, GROUP_ROWS, 1]
    pieces = list(store.batches(name, rows=1000))
    assert max(piece.num_rows for piece in pieces) <= 1000
    assert [row["number"] for piece in pieces for row in piece.to_pylist()] == list(range(count))
