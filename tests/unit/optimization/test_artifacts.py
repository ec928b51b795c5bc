"""Tables of results are kept so that a stream of any length needs the memory of a small piece."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stratopt.optimization import artifacts
from stratopt.optimization.artifacts import GROUP_ROWS, ArtifactFolders, ArtifactStore


def test_a_long_table_is_stored_and_streamed_in_pieces(tmp_path: Path) -> None:
    store, count = ArtifactStore(tmp_path), 2 * GROUP_ROWS + 1
    name = store.put({"number": list(range(count))})
    with pq.ParquetFile(store.path(name)) as file:
        groups = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
    assert groups == [GROUP_ROWS, GROUP_ROWS, 1]
    pieces = list(store.batches(name, rows=1000))
    assert max(piece.num_rows for piece in pieces) <= 1000
    assert [row["number"] for piece in pieces for row in piece.to_pylist()] == list(range(count))


def test_a_batch_that_is_deleted_takes_nothing_from_another_with_equal_tables(tmp_path: Path) -> None:
    folders = ArtifactFolders(tmp_path / "artifacts")
    names = [folders.of(batch_id).put({"number": [1, 2]}) for batch_id in ("bat_1", "bat_2")]
    for _ in range(2):
        folders.delete("bat_1")
    assert names[0] == names[1]
    assert folders.of("bat_2").columns(names[1])["number"].tolist() == [1, 2]


def test_tables_from_when_all_batches_shared_a_folder_are_still_read(tmp_path: Path) -> None:
    name = ArtifactStore(tmp_path).put({"number": [1, 2]})
    assert ArtifactFolders(tmp_path).of("bat_1").columns(name)["number"].tolist() == [1, 2]


def test_what_was_left_of_unknown_batches_and_by_killed_workers_is_removed(tmp_path: Path) -> None:
    folders = ArtifactFolders(tmp_path)
    name, _ = (folders.of(batch_id).put({"number": [1]}) for batch_id in ("bat_1", "bat_2"))
    for left in (".result-1.json", ".writing-2"):
        (tmp_path / "bat_1" / left).write_text("")
    folders.sweep({"bat_1"})
    folders.of("bat_1").tidy()
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*.*")] == [Path("bat_1", name)]


def test_a_table_that_finds_no_room_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "DISK_FULL_SECONDS", 0.0)
    errors = [OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EDQUOT, "Quota exceeded")]
    fsync = os.fsync

    def full_twice(descriptor: int) -> None:
        if errors:
            raise errors.pop()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full_twice)
    name = ArtifactStore(tmp_path).put({"number": [1]})
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_other_errors_of_the_disk_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output error"):
        ArtifactStore(tmp_path).put({"number": [1]})
    assert list(tmp_path.iterdir()) == []
