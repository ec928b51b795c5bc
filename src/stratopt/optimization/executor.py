"""Where attempts run: the protocol of local slots and of a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from stratopt.optimization.jobs import JobId


@dataclass(frozen=True, kw_only=True)
class Progressed:
    """A running job reports how many evaluations it has done and what they cost (``Meter``)."""

    job_id: JobId
    evaluations_done: int
    resources: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The worker answered: ``message`` is ``{"type": "succeeded", "result", ...}`` or ``{"type": "failed", "failure", ...}``."""

    job_id: JobId
    message: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Died:
    """The worker ended without an answer that can be used; ``reason`` says how (a signal's name or an exit code).

    ``kind`` is the same in one of few words, to count by: the signal's name, ``exit_code``, ``answer`` (one that cannot be read),
    ``factory`` (the process that workers come from died), ``deadline`` or ``unknown``.
    """

    job_id: JobId
    kind: str
    reason: str
    killed_by_deadline: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)


ExecutorEvent: TypeAlias = Progressed | Finished | Died


class Executor(Protocol):
    """Runs attempts, at most one a slot. Used by one thread, except ``wake``.

    A job passes its deadline (monotonic seconds) by at most half a second: then its process is gone and ``events`` says Died with
    ``killed_by_deadline``. After ``kill`` nothing more is said of a job.
    """

    def open(self) -> None:
        """Get ready; called from the supervisor thread."""
        ...

    def free(self) -> int:
        """How many attempts can start now."""
        ...

    def start(self, job_id: JobId, payload: Mapping[str, Any], deadline: float) -> None:
        """Run an attempt; needs a free slot."""
        ...

    def kill(self, job_id: JobId) -> None:
        """End an attempt now. Unknown jobs are ignored."""
        ...

    def events(self, timeout: float) -> Sequence[ExecutorEvent]:
        """What happened; waits up to ``timeout`` seconds for something to happen."""
        ...

    def wake(self) -> None:
        """Let ``events`` return soon; from any thread."""
        ...

    def close(self) -> None:
        """End all workers."""
        ...
