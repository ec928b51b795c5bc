"""Where jobs and batches live: the durability contract."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from stratopt.optimization.exceptions import ConcurrencyError, ResourceExhaustionError
from stratopt.optimization.jobs import (
    Batch,
    BatchId,
    BatchState,
    Ending,
    EvaluationCounts,
    Event,
    ExpiredBatch,
    Job,
    JobId,
    JobState,
)

if TYPE_CHECKING:
    from stratopt.optimization.webhooks.messages import Delivery


IDEMPOTENCY_SECONDS = 86_400.0


@dataclass(frozen=True, kw_only=True)
class IdempotencyKey:
    """A client's promise that equal keys mean the same request; scoped by owner and path, kept for ``IDEMPOTENCY_SECONDS``."""

    owner: str
    path: str
    key: str
    body_hash: str

    def check(self, body_hash: str) -> None:
        """ConcurrencyError ``idempotency_key_reused`` unless the key came with ``body_hash`` first."""
        if body_hash != self.body_hash:
            raise ConcurrencyError(
                f"Idempotency-Key {self.key!r} was used for another request in the last {IDEMPOTENCY_SECONDS / 3600:g} hours; "
                "use a new key for a new request",
                code="idempotency_key_reused",
                key=self.key,
            )


@dataclass(frozen=True, kw_only=True)
class QueueLimits:
    """How much may wait, and the disk that must be free for it, checked in the transaction that submits.

    ``seconds_until_room`` says how soon so many more jobs will have left the queue, None where nobody knows.
    """

    max_queued_jobs: int
    max_active_batches: int
    minimum_free_disk_bytes: int = 0
    free_disk_bytes: Callable[[], int] = lambda: 0
    seconds_until_room: Callable[[int], float | None] = lambda jobs: None

    def check(self, *, queued_jobs: int, new_jobs: int, active_batches: int) -> None:
        """ResourceExhaustionError when the limits leave no room."""
        if (free := self.free_disk_bytes()) < self.minimum_free_disk_bytes:
            raise ResourceExhaustionError(
                f"the data directory has {free // 2**20} MiB left, and {self.minimum_free_disk_bytes // 2**20} must be free "
                "for results; delete batches or make room",
                code="storage_full",
                free_bytes=free,
                limit=self.minimum_free_disk_bytes,
            )
        if active_batches >= self.max_active_batches:
            raise ResourceExhaustionError(
                f"{active_batches} of your batches have not ended, and the limit is {self.max_active_batches}; "
                "wait for one to end or cancel one",
                code="too_many_active_batches",
                active=active_batches,
                limit=self.max_active_batches,
            )
        if queued_jobs + new_jobs > self.max_queued_jobs:
            raise ResourceExhaustionError(
                f"{queued_jobs} jobs wait, {new_jobs} more would pass the queue's limit of {self.max_queued_jobs}; "
                "try again later",
                code="queue_full",
                queued=queued_jobs,
                requested=new_jobs,
                limit=self.max_queued_jobs,
                room_in_seconds=self._room_in_seconds(queued_jobs, new_jobs),
            )

    def _room_in_seconds(self, queued_jobs: int, new_jobs: int) -> float | None:
        """When the request would fit; None if that is unknown, or never because it is larger than the whole queue."""
        if new_jobs > self.max_queued_jobs:
            return None
        seconds = self.seconds_until_room(queued_jobs + new_jobs - self.max_queued_jobs)
        return None if seconds is None else round(seconds, 1)


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """The batch that a submission made, or the earlier one with the same idempotency key."""

    batch: Batch
    replayed: bool = False


class JobStore(Protocol):
    """State of all batches.

    Every method is one transaction: it happens wholly and survives the process when the call returns, or it raises and nothing
    happened. It survives the machine too, except the last ``claim`` and ``progress``, which the next start would undo or repeat anyway.
    Safe to call from several threads. Only the supervisor calls ``claim``, ``finish``, ``finish_and_claim``, ``release``,
    ``progress`` and ``end_batch``; terminal rows never change; ``seq`` of a batch's events is 1, 2, 3, ... without holes; ``counts`` always equals the rows,
    and so does ``best`` where the batch has a ``scope``.
    """

    def submit(
        self,
        batch: Batch,
        jobs: Sequence[Job],
        key: IdempotencyKey | None = None,
        limits: QueueLimits | None = None,
    ) -> Submitted:
        """Store a batch with its jobs, or find the one that ``key`` made before.

        ConcurrencyError ``idempotency_key_reused`` when the key came with another request; ResourceExhaustionError
        ``queue_full`` or ``too_many_active_batches`` when a limit would be passed.
        """
        ...

    def earlier(self, key: IdempotencyKey, now: float) -> Batch | None:
        """The batch that ``submit`` with ``key`` would find at ``now``; ConcurrencyError as there."""
        ...

    def batch(self, batch_id: str) -> Batch | None:
        """One batch."""
        ...

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
        """Newest first; ``before`` continues after that (created_at, batch_id)."""
        ...

    def job(self, job_id: str) -> Job | None:
        """One job with its result."""
        ...

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
        ...

    def claim(self, *, full_batches: Sequence[str], now: float) -> Job | None:
        """Move one queued job to running, raise its fence and count an attempt; batches in ``full_batches`` wait.

        The owner with the fewest running jobs has the next turn, whatever the priorities; of its batches the one of the highest
        priority, then the one with the fewest running jobs, then the oldest. Between owners that have as many, priority decides.
        """
        ...

    def progress(self, used: Mapping[JobId, Mapping[str, float]], elapsed_seconds: Mapping[BatchId, float]) -> None:
        """Remember what running jobs told last (``evaluations`` and what they cost) and how much of its limit each live batch has used."""
        ...

    def finish(self, job_id: str, fence: int, ending: Ending, now: float) -> Event | None:
        """End a running job: state, seq, counters and event at once. None when ``fence`` is old or the job does not run."""
        ...

    def finish_and_claim(
        self, job_id: str, fence: int, ending: Ending, *, full_batches: Sequence[str], now: float
    ) -> tuple[Event | None, Job | None]:
        """``finish`` and then ``claim`` in one transaction: one wait for the disk between two jobs of a worker."""
        ...

    def release(
        self, job_id: str, fence: int, reason: str, now: float, used: Mapping[str, float] | None = None
    ) -> bool:
        """Back to the queue after an infrastructure death at ``now``. False when ``fence`` is old or the job does not run.

        What the attempt cost goes into the batch's sums: ``used``, or without it what ``progress`` stored last.
        """
        ...

    def end_queued(self, batch_id: str, ending: Ending, now: float) -> Sequence[Event]:
        """End every queued job of a batch the same way."""
        ...

    def set_cancelling(self, batch_id: str) -> Batch | None:
        """Mark an unfinished batch; a finished one is returned as it is."""
        ...

    def end_batch(
        self,
        batch_id: str,
        state: BatchState,
        now: float,
        failure: Mapping[str, Any] | None = None,
        *,
        delivery: Delivery | None = None,
    ) -> Event | None:
        """End a batch whose jobs have all ended. None when it has ended already or a job has not.

        From now on it is kept as long as ``expires_at`` was after its submission.
        ``delivery`` is stored with it, unless its receiver is gone or disabled.
        """
        ...

    def events(self, batch_id: str, *, after_seq: int = 0, limit: int = 1000) -> Sequence[Event]:
        """What ended, in order."""
        ...

    def unfinished(self, owner: str | None = None) -> Sequence[Batch]:
        """Every batch that has not ended, oldest first."""
        ...

    def batch_ids(self) -> Collection[str]:
        """Every batch there is."""
        ...

    def expired(self, now: float) -> Sequence[str]:
        """Finished batches whose time of keeping is over."""
        ...

    def recover(self, now: float) -> int:
        """Requeue what a dead server left running; called once, before anything else. Returns how many.

        The batch's sums get what ``progress`` stored last of them.
        """
        ...

    def queue_length(self) -> int:
        """Queued jobs of all batches."""
        ...

    def position(self, batch_id: BatchId) -> int:
        """Queued jobs of batches that come before this one: of higher priority, or of the same and submitted earlier.

        An estimate: owners take turns whatever their priorities, so it may start earlier than that, or later.
        """
        ...

    def evaluations(self, batch_id: str) -> EvaluationCounts:
        """Evaluations over all jobs of a batch."""
        ...

    def delete_batch(self, batch_id: str) -> None:
        """Remove a finished batch; that there is none is no error."""
        ...

    def expire_batch(self, batch_id: str, now: float) -> bool:
        """Remove one of ``expired`` and remember that it was there. False when it is gone or not expired."""
        ...

    def expired_batch(self, batch_id: str) -> ExpiredBatch | None:
        """What is remembered of a batch that expired; of one that was deleted nothing is."""
        ...

    def forget_expired(self, before: float) -> None:
        """Forget the batches that expired before this time."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...
