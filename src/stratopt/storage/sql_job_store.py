"""JobStore on SQLAlchemy Core (SQLite): every change of state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, and_, bindparam, delete, insert, select, update

from stratopt.optimization.batch_summary import BestJob
from stratopt.optimization.exceptions import BatchOptimizationError
from stratopt.optimization.job_store import IDEMPOTENCY_SECONDS, IdempotencyKey, QueueLimits, Submitted
from stratopt.optimization.jobs import Batch, BatchId, BatchState, Ending, Event, Job, JobId
from stratopt.optimization.webhooks.messages import Delivery
from stratopt.storage import rows
from stratopt.storage import statements as sql
from stratopt.storage.dialects import RELAXED
from stratopt.storage.failures import translated
from stratopt.storage.schema import batches, deliveries, events, expired_batches, jobs, webhooks
from stratopt.storage.sql_job_reader import SqlJobReader, earlier_batch


class SqlJobStore(SqlJobReader):
    """See ``JobStore`` for the contract.

    ``writer`` and ``reader`` are engines on the same, migrated database. ``reach`` hears ``<move>.before_commit`` and
    ``<move>.after_commit`` of every transaction, which is where tests pull the plug.
    """

    def __init__(self, writer: Engine, reader: Engine, *, reach: Callable[[str], None] = lambda point: None) -> None:
        super().__init__(reader)
        self._writer = writer
        self._relaxed = writer.execution_options(**{RELAXED: True})
        self._reach = reach

    def close(self) -> None:
        """Release files and connections."""
        self._writer.dispose()
        self._reader.dispose()

    def submit(
        self,
        batch: Batch,
        jobs_: Sequence[Job],
        key: IdempotencyKey | None = None,
        limits: QueueLimits | None = None,
    ) -> Submitted:
        """Store a batch with its jobs, or find the one that the key made before."""
        with self._write("submit") as connection:
            if key:
                connection.execute(sql.FORGET_KEYS, {"before": batch.created_at - IDEMPOTENCY_SECONDS})
                if earlier := earlier_batch(connection, key, batch.created_at):
                    return Submitted(batch=earlier, replayed=True)
            if limits:
                _check_room(connection, batch, limits)
            connection.execute(sql.ADD_BATCH, rows.batch_row(batch))
            connection.execute(sql.ADD_JOB, [rows.job_row(job) for job in jobs_])
            if key:
                connection.execute(
                    sql.ADD_KEY, {**asdict(key), "batch_id": batch.batch_id, "created_at": batch.created_at}
                )
        return Submitted(batch=batch)

    def claim(self, *, full_batches: Sequence[str], now: float) -> Job | None:
        """Move one queued job to running, raise its fence and count an attempt."""
        with self._write("claim", relaxed=True) as connection:
            row = _claim(connection, full_batches, now)
        return None if row is None else rows.read_job(row)

    def progress(self, used: Mapping[JobId, Mapping[str, float]], elapsed_seconds: Mapping[BatchId, float]) -> None:
        """Remember how far running jobs are, what they cost, and how much of its limit each live batch has used."""
        with self._write("progress", relaxed=True) as connection:
            if used:
                connection.execute(
                    update(jobs)
                    .where(jobs.c.job_id == bindparam("of"), jobs.c.state == sql.RUNNING)
                    .values(evaluations_done=bindparam("done"), resources=bindparam("told")),
                    [
                        {"of": job_id, "done": int(told["evaluations"]), "told": rows.dump(told)}
                        for job_id, told in used.items()
                    ],
                )
            if elapsed_seconds:
                connection.execute(
                    update(batches)
                    .where(batches.c.batch_id == bindparam("of"))
                    .values(elapsed_seconds=bindparam("elapsed"), row_version=batches.c.row_version + 1),
                    [{"of": batch_id, "elapsed": elapsed} for batch_id, elapsed in elapsed_seconds.items()],
                )

    def finish(self, job_id: str, fence: int, ending: Ending, now: float) -> Event | None:
        """End the running attempt of a job."""
        with self._write("finish") as connection:
            return _finish(connection, job_id, fence, ending, now)

    def finish_and_claim(
        self, job_id: str, fence: int, ending: Ending, *, full_batches: Sequence[str], now: float
    ) -> tuple[Event | None, Job | None]:
        """End an attempt and begin the next."""
        with self._write("finish") as connection:
            event = _finish(connection, job_id, fence, ending, now)
            row = _claim(connection, full_batches, now)
        return event, None if row is None else rows.read_job(row)

    def release(
        self, job_id: str, fence: int, reason: str, now: float, used: Mapping[str, float] | None = None
    ) -> bool:
        """Back to the queue after an infrastructure death."""
        with self._write("release") as connection:
            return _requeue(connection, job_id, fence, reason, now, used=used)

    def end_queued(self, batch_id: str, ending: Ending, now: float) -> Sequence[Event]:
        """End every queued job of a batch the same way."""
        with self._write("end_queued") as connection:
            found = connection.execute(sql.JOBS_TO_END, {"of": batch_id}).mappings().all()
            return _end_jobs(connection, found, sql.QUEUED, ending, now) if found else []

    def set_cancelling(self, batch_id: str) -> Batch | None:
        """Mark an unfinished batch."""
        with self._write("cancel") as connection:
            live = and_(batches.c.batch_id == batch_id, batches.c.state.in_(sql.LIVE_BATCHES))
            connection.execute(
                update(batches)
                .where(live)
                .values(state=BatchState.CANCELLING.value, row_version=batches.c.row_version + 1)
            )
            row = connection.execute(sql.BATCH, {"of": batch_id}).mappings().first()
        return None if row is None else rows.read_batch(row)

    def end_batch(
        self,
        batch_id: str,
        state: BatchState,
        now: float,
        failure: Mapping[str, Any] | None = None,
        *,
        delivery: Delivery | None = None,
    ) -> Event | None:
        """End a batch whose jobs have all ended."""
        with self._write("end_batch") as connection:
            row = connection.execute(sql.BATCH, {"of": batch_id}).mappings().first()
            if row is None or row["state"] not in sql.LIVE_BATCHES or row["queued"] or row["running"]:
                return None
            counts = {name: row[name] for name in ("total", *rows.COUNTED)}
            event = rows.event_row(
                batch_id, row["last_seq"] + 1, "batch.ended", {"status": state.value, "counts": counts}, now
            )
            connection.execute(insert(events).values(event))
            written = None if failure is None else rows.dump(failure)
            kept = None if row["expires_at"] is None else now + row["expires_at"] - row["created_at"]
            ended = {"state": state.value, "ended_at": now, "expires_at": kept, "last_seq": event["seq"]}
            _touch(connection, batch_id, failure=written, **ended)
            if delivery is not None:
                _promise(connection, delivery)
            return rows.read_event(event)

    def recover(self, now: float) -> int:
        """Requeue what a dead server left running; an attempt that was cut short does not count."""
        with self._write("recover") as connection:
            left = connection.execute(select(jobs.c.job_id, jobs.c.fence).where(jobs.c.state == sql.RUNNING)).all()
            for job_id, fence in left:
                _requeue(connection, job_id, fence, "server_restarted", now, counts=False)
        return len(left)

    def delete_batch(self, batch_id: str) -> None:
        """Remove a finished batch."""
        with self._write("delete") as connection:
            state = connection.execute(select(batches.c.state).where(batches.c.batch_id == batch_id)).scalar()
            if state in sql.LIVE_BATCHES:
                raise BatchOptimizationError(
                    f"batch {batch_id} is {state}; cancel it first", code="batch_running", batch_id=batch_id
                )
            connection.execute(delete(batches).where(batches.c.batch_id == batch_id))

    def expire_batch(self, batch_id: str, now: float) -> bool:
        """Remove an expired batch and remember that it was there."""
        with self._write("expire") as connection:
            row = connection.execute(sql.EXPIRED.where(batches.c.batch_id == batch_id), {"now": now}).mappings().first()
            if row is None:
                return False
            # the deletion comes first: on a full disk it makes the room
            connection.execute(delete(batches).where(batches.c.batch_id == batch_id))
            connection.execute(insert(expired_batches).values(**row))
            return True

    def forget_expired(self, before: float) -> None:
        """Forget the batches that expired before this time."""
        with self._write("forget") as connection:
            connection.execute(delete(expired_batches).where(expired_batches.c.expired_at < before))

    @contextmanager
    def _write(self, move: str, *, relaxed: bool = False) -> Iterator[Connection]:
        """A transaction. A ``relaxed`` one is only what the next start would do again: a claim, a progress."""
        with translated():
            with (self._relaxed if relaxed else self._writer).begin() as connection:
                yield connection
                self._reach(f"{move}.before_commit")
            self._reach(f"{move}.after_commit")


def _check_room(connection: Connection, batch: Batch, limits: QueueLimits) -> None:
    limits.check(
        queued_jobs=int(connection.execute(sql.WAITING).scalar() or 0),
        new_jobs=batch.counts["total"],
        active_batches=int(connection.execute(sql.LIVE_OF_OWNER, {"of_owner": batch.owner}).scalar_one()),
    )


def _claim(connection: Connection, full_batches: Sequence[str], now: float) -> RowMapping | None:
    batch_id = connection.execute(sql.FAIREST, {"full": list(full_batches)}).scalar()
    if batch_id is None:
        return None
    row = connection.execute(sql.CLAIM_JOB, {"of": batch_id, "now": now}).mappings().one()
    connection.execute(sql.BEGIN_ATTEMPT, {"job_id": row["job_id"], "fence": row["fence"], "started_at": now})
    connection.execute(sql.CLAIM_BATCH, {"of": batch_id, "now": now})
    return row


def _finish(connection: Connection, job_id: str, fence: int, ending: Ending, now: float) -> Event | None:
    row = connection.execute(sql.ATTEMPT_TO_END, {"of": job_id, "of_fence": fence}).mappings().first()
    if row is None:
        return None
    _close_attempt(connection, job_id, fence, ending.failure.code if ending.failure else "succeeded", now)
    return _end_jobs(connection, [row], sql.RUNNING, ending, now)[0]


def _end_jobs(connection: Connection, ended: Sequence[Any], was: str, ending: Ending, now: float) -> list[Event]:
    """The one way into a terminal state: rows, counters and events of jobs of one batch, all or none."""
    batch_id, count, last = ended[0]["batch_id"], len(ended), ended[0]["last_seq"]
    told = [rows.ended_data(row, ending) for row in ended]
    made = [
        rows.event_row(batch_id, last + 1 + i, rows.EVENT_OF_STATE[ending.state], data, now)
        for i, data in enumerate(told)
    ]
    connection.execute(sql.ADD_EVENT, made)
    same = rows.ending_parameters(ending, now)
    connection.execute(
        sql.END_JOB,
        [{"of": row["job_id"], "number": event["seq"], **same} for row, event in zip(ended, made, strict=True)],
    )
    lost = was == sql.RUNNING and ending.is_cut_short
    counts = sql.NO_CHANGE | {sql.change_of(was): -count, sql.change_of(ending.state.value): count}
    best = rows.best_parameters(BestJob.of(told[0], ending.result))  # of jobs that end the same way, the first
    sums = rows.costs(ending.resources, lost=lost)
    connection.execute(sql.COUNT_ENDED, {"of": batch_id, "last": last + count, **counts, **sums, **best})
    return [rows.read_event(event) for event in made]


def _requeue(
    connection: Connection,
    job_id: str,
    fence: int,
    reason: str,
    now: float,
    *,
    used: Mapping[str, float] | None = None,
    counts: bool = True,
) -> bool:
    """Back to the queue; what the attempt used is ``used``, or what ``progress`` stored of it."""
    current = and_(jobs.c.job_id == job_id, jobs.c.fence == fence, jobs.c.state == sql.RUNNING)
    row = connection.execute(select(jobs.c.batch_id, jobs.c.resources).where(current)).mappings().first()
    if row is None:
        return False
    values: dict[str, Any] = {"state": sql.QUEUED, "started_at": None, "evaluations_done": 0, "resources": "{}"}
    if not counts:
        values["attempts"] = jobs.c.attempts - 1
    connection.execute(update(jobs).where(current).values(values))
    _close_attempt(connection, job_id, fence, reason, now)
    spent = rows.load(row["resources"]) if used is None else used
    connection.execute(sql.COUNT_REQUEUED, {"of": row["batch_id"], **rows.costs(spent, lost=True)})
    return True


def _close_attempt(connection: Connection, job_id: str, fence: int, outcome: str, now: float) -> None:
    connection.execute(sql.END_ATTEMPT, {"of": job_id, "of_fence": fence, "how": outcome[:200], "now": now})


def _touch(connection: Connection, batch_id: str, **values: Any) -> None:
    connection.execute(
        update(batches).where(batches.c.batch_id == batch_id).values(row_version=batches.c.row_version + 1, **values)
    )


def _promise(connection: Connection, delivery: Delivery) -> None:
    """Store a delivery, if there is still somebody to receive it."""
    receiver = (webhooks.c.webhook_id == delivery.webhook_id) & webhooks.c.disabled_at.is_(None)
    if connection.execute(select(webhooks.c.webhook_id).where(receiver)).scalar() is not None:
        connection.execute(insert(deliveries).values(asdict(delivery)))
