"""Migrating up gives the schema that the code declares."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from stratopt.optimization.exceptions import ResourceExhaustionError
from stratopt.storage.dialects import sqlite_engines
from stratopt.storage.migrate import HEAD, MIGRATIONS, migrate
from stratopt.storage.schema import metadata
from stratopt.storage.sql_job_store import SqlJobStore


def test_a_migrated_database_equals_the_declared_schema(tmp_path: Path) -> None:
    writer, reader = sqlite_engines(tmp_path / "x.sqlite")
    migrate(writer)
    with writer.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    migrate(writer)
    writer.dispose()
    reader.dispose()


def test_a_database_of_the_first_release_keeps_its_batches(tmp_path: Path) -> None:
    writer, reader = sqlite_engines(tmp_path / "x.sqlite")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with writer.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO batches (batch_id, state, total, queued, running, succeeded, failed, timed_out, cancelled, request,"
                " parallel_jobs, seed, metadata, warnings, priority, owner, deadline_seconds, elapsed_seconds, created_at,"
                " last_seq, row_version) VALUES ('bat_1', 'completed', 1, 0, 0, 1, 0, 0, 0, '{}', 2, 0, '{}', '[]', 0, '', 60, 0, 1, 2, 3)"
            )
        )
    migrate(writer)
    found = SqlJobStore(writer, reader).batch("bat_1")
    assert found is not None
    assert (found.counts["succeeded"], found.row_version) == (1, 3)
    assert (found.worker_seconds, found.peak_memory_bytes) == (0.0, 0)
    assert (found.scope, found.best) == (None, None)
    writer.dispose()
    reader.dispose()


def test_the_declared_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_database_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    writer, reader = sqlite_engines(tmp_path / "x.sqlite")
    migrate(writer)
    with writer.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ResourceExhaustionError, match="upgrade stratopt"):
        migrate(writer)
    writer.dispose()
    reader.dispose()
