"""Errors of the database driver as errors of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from stratopt.optimization.exceptions import ResourceExhaustionError


@contextmanager
def translated() -> Iterator[None]:
    """ResourceExhaustionError: ``storage_full`` when nothing more fits, ``storage_unavailable`` when the database does not answer."""
    try:
        yield
    except (OperationalError, PoolTimeoutError) as error:
        reason = str(error.orig if isinstance(error, DBAPIError) else error)
        if "full" in reason:
            raise ResourceExhaustionError(
                f"the database cannot grow: {reason}; free disk space or delete old batches", code="storage_full"
            ) from error
        raise ResourceExhaustionError(f"the database does not answer: {reason}", code="storage_unavailable") from error
