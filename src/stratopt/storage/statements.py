"""Statements of the moves that every job makes, built once: building one anew costs as much as running it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float, Integer, Text, and_, bindparam, case, delete, func, insert, or_, select, update

from stratopt.optimization.jobs import BatchState, JobState
from stratopt.storage.rows import COUNTED
from stratopt.storage.schema import attempts, batches, events, idempotency_keys, jobs

RUNNING, QUEUED = JobState.RUNNING.value, JobState.QUEUED.value
LIVE_BATCHES = (BatchState.QUEUED.value, BatchState.RUNNING.value, BatchState.CANCELLING.value)
DISPATCHED_BATCHES = (BatchState.QUEUED.value, BatchState.RUNNING.value)
OPEN_JOBS = (QUEUED, RUNNING)

BATCH = select(batches).where(batches.c.batch_id == bindparam("of"))

EVENTS = (
    select(events)
    .where(events.c.batch_id == bindparam("of"), events.c.seq > bindparam("after"))
    .order_by(events.c.seq)
    .limit(bindparam("most"))
)

WAITING = select(func.sum(batches.c.queued)).where(batches.c.state.in_(LIVE_BATCHES))
"""Queued jobs of all batches."""

_OWN = batches.alias("own")
WAITING_BEFORE = WAITING.where(
    _OWN.c.batch_id == bindparam("of"),
    or_(
        batches.c.priority > _OWN.c.priority,
        and_(batches.c.priority == _OWN.c.priority, batches.c.created_at < _OWN.c.created_at),
    ),
)
"""Queued jobs of the batches that come before one, were all of one owner."""

LIVE_OF_OWNER = (
    select(func.count())
    .select_from(batches)
    .where(batches.c.state.in_(LIVE_BATCHES), batches.c.owner == bindparam("of_owner"))
)

EXPIRED = select(batches.c.batch_id, batches.c.owner, batches.c.expires_at.label("expired_at")).where(
    batches.c.expires_at < bindparam("now"), batches.c.state.not_in(LIVE_BATCHES)
)
"""Finished batches whose time of keeping is over."""

EVALUATIONS = select(
    func.sum(jobs.c.evaluations_done).label("done"),
    func.sum(case((jobs.c.state.in_(OPEN_JOBS), jobs.c.evaluations_done), else_=jobs.c.evaluations_total)).label(
        "settled"
    ),
    func.sum(jobs.c.evaluations_total).label("total"),
).where(jobs.c.batch_id == bindparam("of"))

ADD_BATCH, ADD_JOB, ADD_KEY = insert(batches), insert(jobs), insert(idempotency_keys)

FORGET_KEYS = delete(idempotency_keys).where(idempotency_keys.c.created_at < bindparam("before"))

PROMISE = select(idempotency_keys).where(
    and_(*(idempotency_keys.c[name] == bindparam(f"of_{name}") for name in ("owner", "path", "key"))),
    idempotency_keys.c.created_at >= bindparam("since"),
)
"""What an idempotency key was used for."""


def _fairest() -> Any:
    busy = (
        select(batches.c.owner, func.sum(batches.c.running).label("running"))
        .where(batches.c.state.in_(LIVE_BATCHES))
        .group_by(batches.c.owner)
        .subquery()
    )
    return (
        select(batches.c.batch_id)
        .join(busy, busy.c.owner == batches.c.owner)
        .where(
            batches.c.state.in_(DISPATCHED_BATCHES),
            batches.c.queued > 0,
            batches.c.batch_id.not_in(bindparam("full", expanding=True)),
        )
        .order_by(
            busy.c.running, batches.c.priority.desc(), batches.c.running, batches.c.created_at, batches.c.batch_id
        )
        .limit(1)
    )


FAIREST = _fairest()
"""The batch that the next job is taken from: of the owner with the fewest running jobs the one of the highest priority, then the one
with the fewest running jobs, then the oldest. A priority takes no turn from another owner.
"""

_NEXT_JOB = (
    select(jobs.c.job_id)
    .where(jobs.c.batch_id == bindparam("of"), jobs.c.state == QUEUED)
    .order_by(jobs.c.position)
    .limit(1)
)

CLAIM_JOB = (
    update(jobs)
    .where(jobs.c.job_id == _NEXT_JOB.scalar_subquery())
    .values(
        state=RUNNING,
        fence=jobs.c.fence + 1,
        attempts=jobs.c.attempts + 1,
        started_at=bindparam("now"),
        evaluations_done=0,
    )
    .returning(*(column for column in jobs.c if column.name != "result"))
)

BEGIN_ATTEMPT = insert(attempts)

CLAIM_BATCH = (
    update(batches)
    .where(batches.c.batch_id == bindparam("of"))
    .values(
        state=BatchState.RUNNING.value,
        queued=batches.c.queued - 1,
        running=batches.c.running + 1,
        started_at=func.coalesce(batches.c.started_at, bindparam("now")),
        row_version=batches.c.row_version + 1,
    )
)

_ENDED_COLUMNS = (jobs.c.job_id, jobs.c.batch_id, jobs.c.position, jobs.c.spec, batches.c.last_seq)
_JOBS_AND_BATCH = select(*_ENDED_COLUMNS).join(batches, batches.c.batch_id == jobs.c.batch_id)

ATTEMPT_TO_END = _JOBS_AND_BATCH.where(
    jobs.c.job_id == bindparam("of"), jobs.c.fence == bindparam("of_fence"), jobs.c.state == RUNNING
)
JOBS_TO_END = _JOBS_AND_BATCH.where(jobs.c.batch_id == bindparam("of"), jobs.c.state == QUEUED).order_by(
    jobs.c.position
)

END_ATTEMPT = (
    update(attempts)
    .where(and_(attempts.c.job_id == bindparam("of"), attempts.c.fence == bindparam("of_fence")))
    .values(outcome=bindparam("how"), ended_at=bindparam("now"))
)

END_JOB = (
    update(jobs)
    .where(jobs.c.job_id == bindparam("of"))
    .values(
        seq=bindparam("number"),
        state=bindparam("new_state"),
        ended_at=bindparam("now"),
        result=bindparam("new_result"),
        failure=bindparam("new_failure"),
        resources=bindparam("used"),
        evaluations_done=func.coalesce(bindparam("evaluated"), jobs.c.evaluations_done),
    )
)

ADD_EVENT = insert(events)


def change_of(count: str) -> str:
    """The parameter of COUNT_ENDED that is added to a count of jobs."""
    return f"{count}_change"


NO_CHANGE = {change_of(count): 0 for count in COUNTED}

_COSTS = {
    "worker_seconds": batches.c.worker_seconds + bindparam("wall"),
    "cpu_seconds": batches.c.cpu_seconds + bindparam("cpu"),
    "evaluations": batches.c.evaluations + bindparam("evaluated"),
    "peak_memory_bytes": case(
        (batches.c.peak_memory_bytes < bindparam("peak"), bindparam("peak")), else_=batches.c.peak_memory_bytes
    ),
    "lost_attempts": batches.c.lost_attempts + bindparam("lost"),
}
"""Sums and the parameters of ``rows.costs``."""


def _best() -> dict[str, Any]:
    """The columns of the best job, new where the one that ends beats it (``rows.best_parameters``; NULL beats nothing).

    A batch that came without a scope has jobs that nobody compared: its best is not known.
    """
    ratio, place = bindparam("ratio", type_=Float), bindparam("place", type_=Integer)
    known = batches.c.best_sharpe_ratio
    beats = and_(
        batches.c.strategies.is_not(None),
        or_(known.is_(None), ratio > known, and_(ratio == known, place < batches.c.best_index)),
    )
    new = {"best_sharpe_ratio": ratio, "best_index": place, "best_job": bindparam("winner", type_=Text)}
    return {name: case((beats, value), else_=batches.c[name]) for name, value in new.items()}


COUNT_REQUEUED = (
    update(batches)
    .where(batches.c.batch_id == bindparam("of"))
    .values(
        queued=batches.c.queued + 1,
        running=batches.c.running - 1,
        **_COSTS,
        row_version=batches.c.row_version + 1,
    )
)

COUNT_ENDED = (
    update(batches)
    .where(batches.c.batch_id == bindparam("of"))
    .values(
        **{count: batches.c[count] + bindparam(change_of(count)) for count in COUNTED},
        last_seq=bindparam("last"),
        **_COSTS,
        **_best(),
        row_version=batches.c.row_version + 1,
    )
)
