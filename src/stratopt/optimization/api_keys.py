"""API keys: what they look like, what they may do, where they are kept."""

from __future__ import annotations

import hashlib
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

PREFIX = "stratopt_"
RANDOM_BYTES = 32


class Scope(StrEnum):
    """What a key may do."""

    READ = "batches:read"
    WRITE = "batches:write"
    METRICS = "metrics:read"
    ADMIN = "admin"


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A key as it is stored: its hash, never the key. Times are Unix seconds."""

    key_id: str
    name: str
    scopes: frozenset[Scope]
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None

    def is_valid(self, now: float) -> bool:
        """Whether the key opens anything at that time."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class ApiKeyStore(Protocol):
    """Where keys are kept. Safe for several threads."""

    def add(self, key: ApiKey, key_hash: str) -> None:
        """Store a new key."""
        ...

    def find(self, key_hash: str) -> ApiKey | None:
        """The key of a hash."""
        ...

    def list(self) -> Sequence[ApiKey]:
        """Every key, newest first."""
        ...

    def revoke(self, key_id: str, now: float) -> bool:
        """Make a key useless; False if there is no such key."""
        ...

    def touch(self, key_id: str, now: float) -> None:
        """Remember that a key was used."""
        ...


def new_key() -> str:
    """A fresh key: prefix, 256 random bits, checksum. It has full entropy, so a plain SHA-256 keeps it safe at rest."""
    body = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    return f"{body}_{zlib.crc32(body.encode()):08x}"


def is_well_formed(key: str) -> bool:
    """Whether the checksum is right, which spares a look into the store for typing errors."""
    body, _, checksum = key.rpartition("_")
    return body.startswith(PREFIX) and checksum == f"{zlib.crc32(body.encode()):08x}"


def hash_of(key: str) -> str:
    """What is stored."""
    return hashlib.sha256(key.encode()).hexdigest()
