"""JobStore on SQLAlchemy Core (SQLite)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Select, and_, case, delete, func, insert, select, tuple_, update

from stratopt.optimization.exceptions import BatchOptimizationError, ConcurrencyError
from stratopt.optimization.job_store import IdempotencyKey, Submitted
from stratopt.optimization.jobs import Batch, BatchState, Ending, Event, Failure, Job, JobId, JobState
from stratopt.storage import rows
from stratopt.storage.schema import attempts, batches, events, idempotency_keys, jobs, metadata

IDEMPOTENCY_SECONDS = 86_400.0
LIVE_BATCHES = (BatchState.QUEUED.value, BatchState.RUNNING.value, BatchState.CANCELLING.value)
EVENT_OF_STATE = {
    JobState.SUCCEEDED: "strategy.completed",
    JobState.FAILED: "strategy.failed",
    JobState.TIMED_OUT: "strategy.failed",
    JobState.CANCELLED: "strategy.failed",
}


class SqlJobStore:
    """See ``JobStore`` for the contract. ``writer`` and ``reader`` are engines on the same database."""

    def __init__(self, writer: Engine, reader: Engine) -> None:
        self._writer, self._reader = writer, reader
        metadata.create_all(writer)

    def close(self) -> None:
        """Release files and connections."""
        self._writer.dispose()
        self._reader.dispose()

    # ---- submissions and look-ups

    def submit(self, batch: Batch, jobs_: Sequence[Job], key: IdempotencyKey | None = None) -> Submitted:
        """Store a batch with its jobs, or find the one that the key made before."""
        with self._writer.begin() as connection:
            if key and (earlier := self._earlier(connection, key, batch.created_at)):
                return Submitted(batch=earlier, replayed=True)
            connection.execute(insert(batches).values(rows.batch_row(batch)))
            connection.execute(insert(jobs), [rows.job_row(job) for job in jobs_])
            if key:
                connection.execute(
                    insert(idempotency_keys).values(
                        owner=key.owner,
                        path=key.path,
                        key=key.key,
                        body_hash=key.body_hash,
                        batch_id=batch.batch_id,
                        created_at=batch.created_at,
                    )
                )
        return Submitted(batch=batch)

    @staticmethod
    def _earlier(connection: Connection, key: IdempotencyKey, now: float) -> Batch | None:
        connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < now - IDEMPOTENCY_SECONDS))
        same = and_(
            idempotency_keys.c.owner == key.owner,
            idempotency_keys.c.path == key.path,
            idempotency_keys.c.key == key.key,
        )
        found = connection.execute(select(idempotency_keys).where(same)).mappings().first()
        if found is None:
            return None
        if found["body_hash"] != key.body_hash:
            raise ConcurrencyError(
                f"Idempotency-Key {key.key!r} was used with another body; use a new key for a new request",
                code="idempotency_key_reused",
                key=key.key,
            )
        row = connection.execute(select(batches).where(batches.c.batch_id == found["batch_id"])).mappings().one()
        return rows.read_batch(row)

    def batch(self, batch_id: str) -> Batch | None:
        """One batch."""
        row = self._first(select(batches).where(batches.c.batch_id == batch_id))
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
        if states:
            query = query.where(jobs.c.state.in_([s.value for s in states]))
        if limit is not None:
            query = query.limit(limit)
        return [rows.read_job(row) for row in self._all(query)]

    def events(self, batch_id: str, *, after_seq: int = 0, limit: int = 1000) -> Sequence[Event]:
        """What ended, in order."""
        query = (
            select(events)
            .where(events.c.batch_id == batch_id, events.c.seq > after_seq)
            .order_by(events.c.seq)
            .limit(limit)
        )
        return [rows.read_event(row) for row in self._all(query)]

    def unfinished(self) -> Sequence[Batch]:
        """Every batch that has not ended, oldest first."""
        return [
            rows.read_batch(row)
            for row in self._all(
                select(batches).where(batches.c.state.in_(LIVE_BATCHES)).order_by(batches.c.created_at)
            )
        ]

    def queue_length(self) -> int:
        """Queued jobs of all batches."""
        row = self._first(
            select(func.coalesce(func.sum(batches.c.queued), 0).label("n")).where(batches.c.state.in_(LIVE_BATCHES))
        )
        return int(row["n"]) if row else 0

    def position(self, batch_id: str) -> int:
        """Queued jobs of batches that were submitted before this one."""
        own = select(batches.c.created_at).where(batches.c.batch_id == batch_id).scalar_subquery()
        row = self._first(
            select(func.coalesce(func.sum(batches.c.queued), 0).label("n")).where(
                batches.c.state.in_(LIVE_BATCHES), batches.c.created_at < own
            )
        )
        return int(row["n"]) if row else 0

    def evaluations(self, batch_id: str) -> tuple[int, int]:
        """Evaluations done and planned over all jobs of a batch; an ended job counts in full."""
        open_states = (JobState.QUEUED.value, JobState.RUNNING.value)
        done = case((jobs.c.state.in_(open_states), jobs.c.evaluations_done), else_=jobs.c.evaluations_total)
        row = self._first(
            select(func.sum(done).label("done"), func.sum(jobs.c.evaluations_total).label("total")).where(
                jobs.c.batch_id == batch_id
            )
        )
        return (int(row["done"] or 0), int(row["total"] or 0)) if row else (0, 0)

    # ---- the supervisor's moves

    def claim(self, *, full_batches: Sequence[str], now: float) -> Job | None:
        """Move one queued job to running and count an attempt."""
        with self._writer.begin() as connection:
            fairest = (
                select(batches.c.batch_id)
                .where(
                    batches.c.state.in_((BatchState.QUEUED.value, BatchState.RUNNING.value)),
                    batches.c.queued > 0,
                    batches.c.batch_id.not_in(full_batches),
                )
                .order_by(batches.c.priority.desc(), batches.c.running, batches.c.created_at, batches.c.batch_id)
                .limit(1)
            )
            batch_id = connection.execute(fairest).scalar()
            if batch_id is None:
                return None
            queued = (
                select(jobs)
                .where(jobs.c.batch_id == batch_id, jobs.c.state == JobState.QUEUED.value)
                .order_by(jobs.c.position)
                .limit(1)
            )
            row = dict(connection.execute(queued).mappings().one())
            row |= {
                "state": JobState.RUNNING.value,
                "attempts": row["attempts"] + 1,
                "started_at": now,
                "evaluations_done": 0,
            }
            changed = {name: row[name] for name in ("state", "attempts", "started_at", "evaluations_done")}
            connection.execute(update(jobs).where(jobs.c.job_id == row["job_id"]).values(changed))
            connection.execute(insert(attempts).values(job_id=row["job_id"], number=row["attempts"], started_at=now))
            self._touch(
                connection,
                batch_id,
                queued=batches.c.queued - 1,
                running=batches.c.running + 1,
                state=BatchState.RUNNING.value,
                started_at=func.coalesce(batches.c.started_at, now),
            )
        return rows.read_job(row)

    def progress(self, evaluations_done: Mapping[JobId, int]) -> None:
        """Remember how far running jobs are."""
        with self._writer.begin() as connection:
            for job_id, done in evaluations_done.items():
                connection.execute(
                    update(jobs)
                    .where(jobs.c.job_id == job_id, jobs.c.state == JobState.RUNNING.value)
                    .values(evaluations_done=done)
                )
            touched = select(jobs.c.batch_id).where(jobs.c.job_id.in_(list(evaluations_done)))
            connection.execute(
                update(batches).where(batches.c.batch_id.in_(touched)).values(row_version=batches.c.row_version + 1)
            )

    def finish(self, job_id: str, attempt: int, ending: Ending, now: float) -> Event | None:
        """End the running attempt of a job."""
        with self._writer.begin() as connection:
            row = (
                connection.execute(
                    select(jobs.c.batch_id, jobs.c.attempts, jobs.c.state).where(jobs.c.job_id == job_id)
                )
                .mappings()
                .first()
            )
            if row is None or row["state"] != JobState.RUNNING.value or row["attempts"] != attempt:
                return None
            outcome = ending.failure.code if ending.failure else ending.state.value
            self._close_attempt(connection, job_id, attempt, outcome, now)
            return self._end_job(connection, job_id, row["batch_id"], "running", ending, now)

    def release(self, job_id: str, attempt: int, reason: str) -> bool:
        """Back to the queue after an infrastructure death."""
        with self._writer.begin() as connection:
            return self._requeue(connection, job_id, attempt, reason, ended_at=None)

    def cancel_queued(self, batch_id: str, ending: Ending, now: float) -> Sequence[Event]:
        """End every queued job of a batch the same way."""
        with self._writer.begin() as connection:
            waiting = (
                select(jobs.c.job_id)
                .where(jobs.c.batch_id == batch_id, jobs.c.state == JobState.QUEUED.value)
                .order_by(jobs.c.position)
            )
            ids = connection.execute(waiting).scalars().all()
            return [self._end_job(connection, job_id, batch_id, "queued", ending, now) for job_id in ids]

    def set_cancelling(self, batch_id: str) -> Batch | None:
        """Mark an unfinished batch."""
        with self._writer.begin() as connection:
            connection.execute(
                update(batches)
                .where(batches.c.batch_id == batch_id, batches.c.state.in_(LIVE_BATCHES))
                .values(state=BatchState.CANCELLING.value, row_version=batches.c.row_version + 1)
            )
            row = connection.execute(select(batches).where(batches.c.batch_id == batch_id)).mappings().first()
        return None if row is None else rows.read_batch(row)

    def end_batch(
        self, batch_id: str, state: BatchState, now: float, failure: Mapping[str, Any] | None = None
    ) -> Event | None:
        """End a batch whose jobs have all ended."""
        with self._writer.begin() as connection:
            row = connection.execute(select(batches).where(batches.c.batch_id == batch_id)).mappings().first()
            if row is None or row["state"] not in LIVE_BATCHES or row["queued"] or row["running"]:
                return None
            self._touch(
                connection,
                batch_id,
                state=state.value,
                ended_at=now,
                failure=None if failure is None else rows.dump(failure),
            )
            counts = {name: row[name] for name in ("total", *rows.COUNTED)}
            return self._add_event(connection, batch_id, "batch.ended", {"status": state.value, "counts": counts}, now)

    def recover(self, now: float) -> int:
        """Requeue what a dead server left running."""
        with self._writer.begin() as connection:
            left = connection.execute(
                select(jobs.c.job_id, jobs.c.attempts).where(jobs.c.state == JobState.RUNNING.value)
            ).all()
            for job_id, attempt in left:
                self._requeue(connection, job_id, attempt, "server_restarted", ended_at=now)
        return len(left)

    def delete_batch(self, batch_id: str) -> Sequence[str]:
        """Remove a finished batch."""
        with self._writer.begin() as connection:
            state = connection.execute(select(batches.c.state).where(batches.c.batch_id == batch_id)).scalar()
            if state in LIVE_BATCHES:
                raise BatchOptimizationError(
                    f"batch {batch_id} is {state}; cancel it first", code="batch_running", batch_id=batch_id
                )
            mine = self._artifacts(connection, jobs.c.batch_id == batch_id)
            connection.execute(delete(batches).where(batches.c.batch_id == batch_id))
            return sorted(mine - self._artifacts(connection, jobs.c.state == JobState.SUCCEEDED.value)) if mine else []

    # ---- inside one transaction

    @staticmethod
    def _artifacts(connection: Connection, condition: Any) -> set[str]:
        found: set[str] = set()
        for (text,) in connection.execute(select(jobs.c.result).where(condition, jobs.c.result.is_not(None))):
            found.update((rows.load(text).get("artifacts") or {}).values())
        return found

    def _end_job(
        self, connection: Connection, job_id: str, batch_id: str, was: str, ending: Ending, now: float
    ) -> Event:
        failure = ending.failure
        row = connection.execute(select(jobs.c.position, jobs.c.spec).where(jobs.c.job_id == job_id)).mappings().one()
        name = ending.state.value
        self._touch(connection, batch_id, **{was: batches.c[was] - 1, name: batches.c[name] + 1})
        event = self._add_event(
            connection, batch_id, EVENT_OF_STATE[ending.state], _event_data(job_id, row, ending), now
        )
        connection.execute(
            update(jobs)
            .where(jobs.c.job_id == job_id)
            .values(
                state=name,
                ended_at=now,
                seq=event.seq,
                result=None if ending.result is None else rows.dump(ending.result),
                failure=None if failure is None else rows.dump(failure.to_dict()),
                resources=rows.dump(ending.resources),
            )
        )
        return event

    def _requeue(self, connection: Connection, job_id: str, attempt: int, reason: str, ended_at: float | None) -> bool:
        changed = connection.execute(
            update(jobs)
            .where(jobs.c.job_id == job_id, jobs.c.attempts == attempt, jobs.c.state == JobState.RUNNING.value)
            .values(state=JobState.QUEUED.value, started_at=None, evaluations_done=0)
        )
        if not changed.rowcount:
            return False
        self._close_attempt(connection, job_id, attempt, reason, ended_at)
        batch_id = connection.execute(select(jobs.c.batch_id).where(jobs.c.job_id == job_id)).scalar_one()
        self._touch(connection, batch_id, queued=batches.c.queued + 1, running=batches.c.running - 1)
        return True

    @staticmethod
    def _close_attempt(connection: Connection, job_id: str, attempt: int, outcome: str, now: float | None) -> None:
        connection.execute(
            update(attempts)
            .where(attempts.c.job_id == job_id, attempts.c.number == attempt)
            .values(outcome=outcome[:200], ended_at=now)
        )

    @staticmethod
    def _touch(connection: Connection, batch_id: str, **values: Any) -> None:
        connection.execute(
            update(batches)
            .where(batches.c.batch_id == batch_id)
            .values(row_version=batches.c.row_version + 1, **values)
        )

    @staticmethod
    def _add_event(connection: Connection, batch_id: str, kind: str, data: Mapping[str, Any], now: float) -> Event:
        connection.execute(
            update(batches).where(batches.c.batch_id == batch_id).values(last_seq=batches.c.last_seq + 1)
        )
        seq = connection.execute(select(batches.c.last_seq).where(batches.c.batch_id == batch_id)).scalar_one()
        connection.execute(
            insert(events).values(batch_id=batch_id, seq=seq, kind=kind, data=rows.dump(data), created_at=now)
        )
        return rows.read_event(
            {"batch_id": batch_id, "seq": seq, "kind": kind, "data": rows.dump(data), "created_at": now}
        )

    def _first(self, query: Select[Any]) -> Any:
        with self._reader.connect() as connection:
            return connection.execute(query).mappings().first()

    def _all(self, query: Select[Any]) -> Any:
        with self._reader.connect() as connection:
            return connection.execute(query).mappings().all()


def _event_data(job_id: str, row: Any, ending: Ending) -> dict[str, Any]:
    spec = rows.load(row["spec"])
    failure: Failure | None = ending.failure
    data = {"job_id": job_id, "index": row["position"], "status": ending.state.value}
    data |= {name: spec[name] for name in ("strategy_id", "strategy", "symbol", "timeframe")}
    if failure:
        data["error"] = {"code": failure.code, "message": failure.message}
    if ending.result is not None:
        data["summary"] = ending.result.get("summary")
    return data
