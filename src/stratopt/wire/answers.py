"""Bodies about batches and jobs that the server sends, as the OpenAPI document describes them. A test compares them with what a real server answers."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from stratopt.wire.base import Answer


class Counts(Answer):
    """Jobs by state; they add up to ``total``."""

    total: int
    queued: int
    running: int
    succeeded: int
    failed: int
    timed_out: int
    cancelled: int


class BatchProgress(Answer):
    """How far a batch is."""

    evaluations_done: int = Field(description="That were really made.")
    evaluations_total: int = Field(description="That were planned; a search may end earlier.")
    fraction: float = Field(description="Of the plan that is settled: of jobs that have ended, nothing is left to do.")
    eta_seconds: float | None


class ParallelJobs(Answer):
    """Worker processes of a batch: asked for, and used."""

    requested: int | None
    effective: int


class BatchLinks(Answer):
    """Where the rest of a batch is."""

    self: str
    results: str
    events: str
    report: str
    cancel: str


class BatchResources(Answer):
    """What a batch costs so far: ended attempts, and what running ones told last. `memory_bytes` is now, of running jobs.

    `evaluations` are those that were computed; what a checkpoint answered after an interruption counts once.
    """

    wall_seconds: float
    worker_seconds: float
    cpu_seconds: float
    memory_bytes: int
    peak_memory_bytes: int | None
    evaluations: int
    evaluations_per_second: float | None
    lost_attempts: int = Field(
        description="Attempts whose worker was killed or died, or that a restart cut off. The sums have what it told last; what it used afterwards is unknown."
    )
    worker_utilisation: float | None = Field(
        description="Worker seconds over wall seconds times `parallel_jobs.effective`."
    )


class BestItem(Answer):
    """The job with the highest out-of-sample Sharpe ratio so far, the earlier one where two have the same.

    It is the best of many and not yet charged for the number of trials: whether it is more than luck, the report's ranking tells.
    """

    job_id: str
    strategy_id: str
    symbol: str
    timeframe: str
    sharpe_ratio: float = Field(description="Of a year, out of sample.")


class BatchStatus(Answer):
    """A batch. Times are RFC 3339 in UTC. What its jobs are about is null in batches of releases that did not store it; so is `best`."""

    batch_id: str
    status: str = Field(
        description="queued, running, cancelling, then one of completed, failed, cancelled, timed_out; later versions may add states."
    )
    is_terminal: bool
    counts: Counts
    strategies: int | None = Field(description="How many; one that was submitted twice counts twice.")
    symbols: list[str] | None = Field(description="Of its jobs, each once, in the order of submission.")
    timeframes: list[str] | None = Field(description="Of its jobs, each once, in the order of submission.")
    start_date: str | None = Field(
        description="The earliest that a job was asked to start at; null if one has no start."
    )
    end_date: str | None = Field(description="The latest that a job was asked to end at; null if one has no end.")
    best: BestItem | None = Field(description="null until a job has an out-of-sample Sharpe ratio.")
    progress: BatchProgress
    queue_position: int | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    expires_at: str | None
    resources: BatchResources
    parallel_jobs: ParallelJobs
    deadline_seconds: float
    seed: int
    label: str | None
    metadata: dict[str, Any]
    warnings: list[str]
    error: dict[str, Any] | None
    links: BatchLinks


class BatchPage(Answer):
    """Batches, newest first."""

    data: list[BatchStatus]
    has_more: bool
    next_cursor: str | None


class PlannedJob(Answer):
    """What one job would do."""

    strategy_id: str
    config: dict[str, Any]
    evaluations: int


class TimeEstimate(Answer):
    """How long it will take, by ended jobs of this server with the same timeframe and half to twice the evaluations."""

    worker_seconds: float
    wall_seconds: float
    comparable_jobs: int


class BatchPlan(Answer):
    """What a request would do: the answer of `validate_only`."""

    valid: bool
    jobs: list[PlannedJob]
    evaluations_total: int
    time_estimate: TimeEstimate | None = Field(
        description="null unless at least three comparable jobs have ended since the server was started, for each job"
    )
    parallel_jobs: ParallelJobs
    warnings: list[str]


class Evaluations(Answer):
    """Evaluations of one job."""

    done: int
    total: int


class ItemError(Answer):
    """Why a job has no result; a problem document without an HTTP status."""

    type: str
    title: str
    code: str
    detail: str


class JobIdentity(Answer):
    """Which job of the batch it is."""

    job_id: str
    index: int
    strategy_id: str
    strategy: str
    symbol: str
    timeframe: str


class JobCourse(JobIdentity):
    """How far a job is."""

    status: str
    is_terminal: bool
    evaluations: Evaluations
    attempts: int
    started_at: str | None
    ended_at: str | None


class JobStatus(JobCourse):
    """One job of a batch, without its result."""

    status: str = Field(description="queued, running, then one of succeeded, failed, timed_out, cancelled.")
    error: ItemError | None
    resources: dict[str, Any]
    config: dict[str, Any]


class BatchItem(JobCourse):
    """One job of a batch in a list: its result, or the problem that took its place."""

    result: dict[str, Any] | None
    error: ItemError | None
    resources: dict[str, Any]


class JobResult(BatchItem):
    """One job in full, with its resolved configuration."""

    config: dict[str, Any]


class SingleResult(JobResult):
    """The answer of a single optimisation."""

    batch_id: str


class ItemPage(Answer):
    """Items of a batch."""

    data: list[BatchItem]
    complete: bool
    has_more: bool
    next_cursor: int | None


class TablePage(Answer):
    """Rows of a table of a result: one object a row, by column."""

    data: list[dict[str, Any]]
    has_more: bool
    next_cursor: int | None


class BatchEvent(Answer):
    """Something that ended."""

    seq: int
    event: str
    created_at: str
    data: dict[str, Any]


class EventPage(Answer):
    """Events of a batch; `next_cursor` is where to go on, also when more may come."""

    data: list[BatchEvent]
    complete: bool
    has_more: bool
    next_cursor: int


class ErrorTrend(Answer):
    """Error rates of the first and the second half of the jobs, in the order in which they ended."""

    first_half_rate: float | None
    second_half_rate: float | None
    direction: str


class ErrorAdvice(Answer):
    """What to do about a code."""

    code: str
    count: int
    text: str


class FailedItem(JobIdentity):
    """A job without a result."""

    status: str
    error: ItemError | None


class ErrorReport(Answer):
    """What went wrong in a batch."""

    batch_id: str
    complete: bool
    ended: int
    failed: int
    error_rate: float | None
    by_code: dict[str, int]
    by_strategy: dict[str, int]
    trend: ErrorTrend
    recommendations: list[ErrorAdvice]
    items: list[FailedItem]
