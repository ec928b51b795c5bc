"""Jobs and batches: their states, the legal moves between them, and what is known of each. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType

from stratopt.optimization.batch_summary import BatchScope, BestJob
from stratopt.optimization.job_spec import JobSpec

BatchId = NewType("BatchId", str)
JobId = NewType("JobId", str)


class JobState(StrEnum):
    """A job ends in exactly one of the last four, and never leaves it."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing follows."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


class BatchState(StrEnum):
    """A batch is ``completed`` when at least one of its jobs succeeded."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing follows."""
        return self not in (BatchState.QUEUED, BatchState.RUNNING, BatchState.CANCELLING)


LEGAL_JOB_MOVES: Mapping[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.TIMED_OUT}),
    JobState.RUNNING: frozenset(
        {JobState.QUEUED, JobState.SUCCEEDED, JobState.FAILED, JobState.TIMED_OUT, JobState.CANCELLED}
    ),
    **{state: frozenset() for state in JobState if state.is_terminal},
}


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a job did not succeed: a stable code, a sentence and facts. The traceback is for in-process use only."""

    code: str
    message: str
    context: Mapping[str, Any] = field(default_factory=dict)
    traceback: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {"code": self.code, "message": self.message, "context": dict(self.context), "traceback": self.traceback}


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How an attempt ended: a terminal state with a result or a failure, and what it cost."""

    state: JobState
    result: Mapping[str, Any] | None = None
    failure: Failure | None = None
    resources: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.state.is_terminal:
            raise ValueError(f"{self.state} does not end a job")
        if (self.state is JobState.SUCCEEDED) != (self.result is not None):
            raise ValueError("a result and only a result makes a job succeed")
        if self.state is not JobState.SUCCEEDED and self.failure is None:
            raise ValueError(f"{self.state} needs its reason")

    @property
    def is_cut_short(self) -> bool:
        """Whether the worker was killed or died: what it used after its last word is unknown."""
        killed = self.state in (JobState.TIMED_OUT, JobState.CANCELLED)
        return killed or (self.failure is not None and self.failure.code == "worker_died")


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as the store knows it. Times are Unix seconds, UTC.

    ``fence`` grows with every claim, and a write with an old one is refused. ``attempts`` counts claims whose worker was given a
    fair chance: one that a server restart cut short does not count.
    """

    job_id: JobId
    batch_id: BatchId
    index: int
    spec: JobSpec
    state: JobState = JobState.QUEUED
    fence: int = 0
    attempts: int = 0
    evaluations_total: int = 0
    evaluations_done: int = 0
    created_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    seq: int | None = None
    result: Mapping[str, Any] | None = None
    failure: Mapping[str, Any] | None = None
    resources: Mapping[str, Any] = field(default_factory=dict)


def counts_of_new_batch(total: int) -> dict[str, int]:
    """Counts of a batch whose jobs all wait."""
    return {"total": total, **{state.value: total if state is JobState.QUEUED else 0 for state in JobState}}


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch as the store knows it. ``counts`` has one entry a job state plus ``total`` and always adds up.

    ``worker_seconds``, ``cpu_seconds``, ``evaluations`` are sums and ``peak_memory_bytes`` the largest over all attempts that have ended.
    ``lost_attempts`` of them were killed, died or cut off by a restart: of these the sums have what their worker told last.
    ``traceparent`` is the span of the request that submitted it, as W3C Trace Context writes it.
    ``scope`` is None where a release that did not store it submitted the batch; then ``best`` stays None too.
    """

    batch_id: BatchId
    state: BatchState
    counts: Mapping[str, int]
    request: Mapping[str, Any]
    parallel_jobs: int
    seed: int
    label: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    priority: int = 0
    owner: str = ""
    deadline_seconds: float = 14_400.0
    elapsed_seconds: float = 0.0
    created_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    expires_at: float | None = None
    row_version: int = 0
    failure: Mapping[str, Any] | None = None
    worker_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    evaluations: int = 0
    lost_attempts: int = 0
    traceparent: str | None = None
    scope: BatchScope | None = None
    best: BestJob | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluationCounts:
    """Evaluations over all jobs of a batch: ``done`` really, ``total`` planned, ``settled`` of the plan as ended jobs do nothing more."""

    done: int
    settled: int
    total: int


@dataclass(frozen=True, kw_only=True)
class ExpiredBatch:
    """A batch that was removed because its time of keeping was over."""

    batch_id: BatchId
    owner: str
    expired_at: float


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that ended in a batch; ``seq`` is dense from 1 within the batch."""

    batch_id: BatchId
    seq: int
    kind: str
    data: Mapping[str, Any]
    created_at: float
