"""ApiKeyStore on SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, insert, select, update

from stratopt.optimization.api_keys import ApiKey, Scope
from stratopt.storage.failures import translated
from stratopt.storage.schema import api_keys


class SqlApiKeyStore:
    """See ``ApiKeyStore`` for the contract."""

    def __init__(self, writer: Engine, reader: Engine) -> None:
        self._writer, self._reader = writer, reader

    def add(self, key: ApiKey, key_hash: str) -> None:
        """Store a new key."""
        values = {name: getattr(key, name) for name in ("key_id", "name", "created_at", "expires_at")}
        scopes = " ".join(sorted(scope.value for scope in key.scopes))
        with translated(), self._writer.begin() as connection:
            connection.execute(insert(api_keys).values(**values, key_hash=key_hash, scopes=scopes))

    def find(self, key_hash: str) -> ApiKey | None:
        """The key of a hash."""
        with translated(), self._reader.connect() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.key_hash == key_hash)).mappings().first()
        return None if row is None else _read(row)

    def list(self) -> Sequence[ApiKey]:
        """Every key, newest first."""
        with translated(), self._reader.connect() as connection:
            found = connection.execute(select(api_keys).order_by(api_keys.c.created_at.desc())).mappings().all()
        return [_read(row) for row in found]

    def revoke(self, key_id: str, now: float) -> bool:
        """Make a key useless."""
        with translated(), self._writer.begin() as connection:
            changed = connection.execute(update(api_keys).where(api_keys.c.key_id == key_id).values(revoked_at=now))
        return bool(changed.rowcount)

    def touch(self, key_id: str, now: float) -> None:
        """Remember that a key was used."""
        with translated(), self._writer.begin() as connection:
            connection.execute(update(api_keys).where(api_keys.c.key_id == key_id).values(last_used_at=now))


def _read(row: Mapping[str, Any] | Any) -> ApiKey:
    times = {name: row[name] for name in ("created_at", "expires_at", "revoked_at", "last_used_at")}
    scopes = frozenset(Scope(text) for text in row["scopes"].split())
    return ApiKey(key_id=row["key_id"], name=row["name"], scopes=scopes, **times)
