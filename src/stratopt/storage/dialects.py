"""Engines for SQLite: write-ahead log, every commit on disk, writers queue instead of failing."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

RELAXED = "relaxed"
"""Execution option of transactions that may be lost when the machine, not the process, dies at once."""

BUSY_TIMEOUT_MILLISECONDS = 30_000


def sqlite_engines(path: Path, max_pages: int | None = None) -> tuple[Engine, Engine]:
    """A writing engine (transactions take the write lock at once, so none fails half-way) and a reading one."""
    writer, reader = (create_engine(f"sqlite:///{path}", pool_size=8, max_overflow=32) for _ in range(2))
    for engine, begin in ((writer, _begin_writing), (reader, _begin_reading)):
        event.listen(engine, "connect", _on_connect)
        if max_pages:
            event.listen(engine, "connect", partial(_limit_pages, max_pages))
        event.listen(engine, "begin", begin)
    return writer, reader


def _begin_writing(connection: Connection) -> None:
    """Take the write lock; ``RELAXED`` transactions reach the disk with the next one that is not, or soon."""
    relaxed = connection.get_execution_options().get(RELAXED, False)
    connection.exec_driver_sql(f"PRAGMA synchronous = {'NORMAL' if relaxed else 'FULL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _on_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver must not open transactions of its own
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MILLISECONDS}")
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _limit_pages(most: int, connection: Any, _: Any) -> None:
    connection.execute(f"PRAGMA max_page_count = {most}")
