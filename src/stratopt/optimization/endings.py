"""How jobs and batches end, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stratopt.errors import StratoptError
from stratopt.optimization.jobs import Batch, BatchState, Ending, Failure, Job, JobState


def ending_of(message: Mapping[str, Any]) -> Ending:
    """The ending that a worker's answer describes."""
    resources = message.get("resources", {})
    if message["type"] == "succeeded":
        return Ending(state=JobState.SUCCEEDED, result=message["result"], resources=resources)
    return Ending(state=JobState.FAILED, failure=Failure(**message["failure"]), resources=resources)


def job_late(job: Job) -> Ending:
    """The job passed its own limit."""
    minutes = job.spec.search.timeout_minutes
    message = f"the job ran longer than its limit of {minutes:g} minutes and was ended; raise timeout_minutes or lower max_evals"
    return _timed_out(code="timeout", message=message, timeout_minutes=minutes)


def batch_late(batch: Batch) -> Ending:
    """The batch passed its limit before the job ended."""
    limit = batch.deadline_seconds
    message = (
        f"the batch reached its limit of {limit:g} s before this job ended; raise deadline_minutes or ask for less"
    )
    return _timed_out(code="deadline_exceeded", message=message, limit_seconds=limit)


def cancelled() -> Ending:
    """The batch was cancelled."""
    failure = Failure(code="cancelled", message="the batch was cancelled before this job ended")
    return Ending(state=JobState.CANCELLED, failure=failure)


def given_up(job: Job, reason: str) -> Ending:
    """The job's worker died too often."""
    message = (
        f"its worker process died {job.attempts} times, the last time by {reason}; "
        "the job is given up so that it cannot harm others"
    )
    context = {"attempts": job.attempts, "reason": reason, "poison": True}
    return Ending(state=JobState.FAILED, failure=Failure(code="worker_died", message=message, context=context))


def started_too_often(job: Job) -> Ending:
    """Servers ended while the job ran, again and again."""
    message = (
        f"it was started {job.fence - 1} times and every time its worker or the whole server ended before it did; "
        "the job is given up so that it cannot harm others"
    )
    context = {"attempts": job.fence - 1, "reason": "the server ended", "poison": True}
    return Ending(state=JobState.FAILED, failure=Failure(code="worker_died", message=message, context=context))


def refused(error: StratoptError) -> Ending:
    """What the job needs is not there."""
    return Ending(state=JobState.FAILED, failure=Failure(code=error.code, message=error.message, context=error.context))


def batch_outcome(batch: Batch, *, late: bool) -> BatchState:
    """The state of a batch whose jobs have all ended."""
    if batch.state is BatchState.CANCELLING:
        return BatchState.CANCELLED
    if late and batch.counts["timed_out"]:
        return BatchState.TIMED_OUT
    return BatchState.COMPLETED if batch.counts["succeeded"] else BatchState.FAILED


def _timed_out(*, code: str, message: str, **context: Any) -> Ending:
    return Ending(state=JobState.TIMED_OUT, failure=Failure(code=code, message=message, context=context))
