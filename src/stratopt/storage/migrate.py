"""Bringing a database to the schema of this release."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, inspect, text

from stratopt.optimization.exceptions import ResourceExhaustionError
from stratopt.storage.failures import translated

HEAD = "0005"
"""The newest revision; a test compares it with the migrations folder."""

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(engine: Engine) -> None:
    """Migrate up to ``HEAD``, or refuse a database that a newer release wrote. A current one costs one look."""
    with translated(), engine.begin() as connection:
        current = None
        if inspect(connection).has_table("alembic_version"):
            current = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if current == HEAD:
            return
        if current is not None and current > HEAD:
            raise ResourceExhaustionError(
                f"the database has schema {current}, newer than {HEAD} of this release; upgrade stratopt",
                code="storage_unavailable",
            )
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)
