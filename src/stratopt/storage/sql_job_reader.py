"""The reading half of the SQL job store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Select, or_, select, tuple_

from stratopt.optimization.job_store import IDEMPOTENCY_SECONDS, IdempotencyKey
from stratopt.optimization.jobs import Batch, BatchState, EvaluationCounts, Event, ExpiredBatch, Job, JobState
from stratopt.storage import rows
from stratopt.storage import statements as sql
from stratopt.storage.failures import translated
from stratopt.storage.schema import batches, expired_batches, jobs


class SqlJobReader:
    """Look-ups, each in a transaction of its own; see ``JobStore`` for the contract."""

    def __init__(self, reader: Engine) -> None:
        self._reader = reader

    def earlier(self, key: IdempotencyKey, now: float) -> Batch | None:
        """The batch that ``submit`` with ``key`` would find."""
        with translated(), self._reader.connect() as connection:
            return earlier_batch(connection, key, now)

    def batch(self, batch_id: str) -> Batch | None:
        """One batch."""
        row = self._first(sql.BATCH, {"of": batch_id})
        return None if row is None else rows.read_batch(row)

    def batches(
        self,
        *,
        owner: str | None = None,
        states: Sequence[BatchState] = (),
        label: str | None = None,
        created_after: float | None = None,
        before: tuple[float, str] | None = None,
        limit: int = 50,
    ) -> Sequence[Batch]:
        """Newest first."""
        query = select(batches).order_by(batches.c.created_at.desc(), batches.c.batch_id.desc()).limit(limit)
        if owner is not None:
            query = query.where(batches.c.owner == owner)
        if states:
            query = query.where(batches.c.state.in_([s.value for s in states]))
        if label is not None:
            query = query.where(batches.c.label == label)
        if created_after is not None:
            query = query.where(batches.c.created_at > created_after)
        if before is not None:
            query = query.where(tuple_(batches.c.created_at, batches.c.batch_id) < before)
        return [rows.read_batch(row) for row in self._all(query)]

    def job(self, job_id: str) -> Job | None:
        """One job with its result."""
        row = self._first(select(jobs).where(jobs.c.job_id == job_id))
        return None if row is None else rows.read_job(row)

    def jobs(
        self,
        batch_id: str,
        *,
        name: str | None = None,
        states: Sequence[JobState] = (),
        after_index: int = -1,
        limit: int | None = None,
        with_results: bool = True,
    ) -> Sequence[Job]:
        """Jobs of a batch in the order of submission."""
        columns = list(jobs.c) if with_results else [c for c in jobs.c if c.name != "result"]
        query = (
            select(*columns).where(jobs.c.batch_id == batch_id, jobs.c.position > after_index).order_by(jobs.c.position)
        )
        if name is not None:
            query = query.where(or_(jobs.c.job_id == name, jobs.c.strategy_id == name))
        if states:
            query = query.where(jobs.c.state.in_([s.value for s in states]))
        if limit is not None:
            query = query.limit(limit)
        return [rows.read_job(row) for row in self._all(query)]

    def events(self, batch_id: str, *, after_seq: int = 0, limit: int = 1000) -> Sequence[Event]:
        """What ended, in order."""
        cursor = {"of": batch_id, "after": after_seq, "most": limit}
        return [rows.read_event(row) for row in self._all(sql.EVENTS, cursor)]

    def unfinished(self, owner: str | None = None) -> Sequence[Batch]:
        """Every batch that has not ended, oldest first."""
        query = select(batches).where(batches.c.state.in_(sql.LIVE_BATCHES)).order_by(batches.c.created_at)
        if owner is not None:
            query = query.where(batches.c.owner == owner)
        return [rows.read_batch(row) for row in self._all(query)]

    def batch_ids(self) -> Collection[str]:
        """Every batch there is."""
        return {row["batch_id"] for row in self._all(select(batches.c.batch_id))}

    def expired(self, now: float) -> Sequence[str]:
        """Finished batches whose time of keeping is over."""
        return [row["batch_id"] for row in self._all(sql.EXPIRED, {"now": now})]

    def expired_batch(self, batch_id: str) -> ExpiredBatch | None:
        """What is remembered of a batch that expired."""
        row = self._first(select(expired_batches).where(expired_batches.c.batch_id == batch_id))
        return None if row is None else ExpiredBatch(**row)

    def queue_length(self) -> int:
        """Queued jobs of all batches."""
        return self._number(sql.WAITING)

    def position(self, batch_id: str) -> int:
        """Queued jobs of batches that come before this one."""
        return self._number(sql.WAITING_BEFORE, {"of": batch_id})

    def evaluations(self, batch_id: str) -> EvaluationCounts:
        """Evaluations over all jobs of a batch."""
        row = self._first(sql.EVALUATIONS, {"of": batch_id}) or {}
        return EvaluationCounts(**{name: int(row.get(name) or 0) for name in ("done", "settled", "total")})

    def _number(self, query: Select[Any], parameters: Mapping[str, Any] | None = None) -> int:
        with translated(), self._reader.connect() as connection:
            return int(connection.execute(query, parameters).scalar() or 0)

    def _first(self, query: Select[Any], parameters: Mapping[str, Any] | None = None) -> Any:
        with translated(), self._reader.connect() as connection:
            return connection.execute(query, parameters).mappings().first()

    def _all(self, query: Select[Any], parameters: Mapping[str, Any] | None = None) -> Any:
        with translated(), self._reader.connect() as connection:
            return connection.execute(query, parameters).mappings().all()


def earlier_batch(connection: Connection, key: IdempotencyKey, now: float) -> Batch | None:
    """The batch that ``key`` made within ``IDEMPOTENCY_SECONDS`` before ``now``; ConcurrencyError if it came with another request."""
    same = {"of_owner": key.owner, "of_path": key.path, "of_key": key.key, "since": now - IDEMPOTENCY_SECONDS}
    found = connection.execute(sql.PROMISE, same).mappings().first()
    if found is None:
        return None
    key.check(found["body_hash"])
    row = connection.execute(sql.BATCH, {"of": found["batch_id"]}).mappings().first()
    return None if row is None else rows.read_batch(row)
