"""What the supervisor keeps in memory of batches and attempts that have not ended. Times are of the monotonic clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from stratopt.optimization.endings import batch_late, job_late
from stratopt.optimization.jobs import Batch, Ending, Job


@dataclass
class Running:
    """A job that a worker has; ``late`` is its ending at the deadline, ``used`` what the worker told last."""

    job: Job
    began: float
    deadline: float
    late: Ending
    used: Mapping[str, float] = field(default_factory=dict)

    def spent(self) -> Mapping[str, float]:
        """What an attempt that ends now without its worker's word has used: the clock's seconds, and the rest as it was told last."""
        return {**self.used, "wall_seconds": round(time.monotonic() - self.began, 6)}


@dataclass(frozen=True)
class Dead:
    """An attempt whose worker died at ``died_at`` (Unix seconds); its job is queued again at ``again_at``."""

    job: Job
    died_at: float
    again_at: float
    reason: str
    used: Mapping[str, float]


@dataclass(frozen=True)
class Live:
    """A batch that has not ended, with its limit on the monotonic clock, so that changes of the wall clock do not matter."""

    batch: Batch
    admitted_at: float

    @property
    def deadline(self) -> float:
        """When its limit is over."""
        return self.admitted_at + self.batch.deadline_seconds - self.batch.elapsed_seconds

    @property
    def elapsed_seconds(self) -> float:
        """How much of the limit is used, over all servers that had it."""
        return self.batch.elapsed_seconds + time.monotonic() - self.admitted_at


def under_way(job: Job, live: Live) -> Running:
    """A job that starts now. What ends it if it runs too long is its own limit or that of its batch, whichever comes first."""
    now = time.monotonic()
    own = now + job.spec.search.timeout_minutes * 60
    if live.deadline < own:
        return Running(job, now, live.deadline, batch_late(live.batch))
    return Running(job, now, own, job_late(job))
