"""BatchOptimizationManager: one supervisor thread that moves every job from submission to its end."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from stratopt.errors import StratoptError
from stratopt.optimization.books import Books
from stratopt.optimization.endings import (
    batch_late,
    batch_outcome,
    cancelled,
    ending_of,
    given_up,
    refused,
    started_too_often,
)
from stratopt.optimization.exceptions import BatchOptimizationError, ResourceExhaustionError
from stratopt.optimization.executor import Died, Executor, ExecutorEvent, Finished, Progressed
from stratopt.optimization.job_store import IdempotencyKey, JobStore, QueueLimits, Submitted
from stratopt.optimization.jobs import Batch, BatchId, BatchState, Ending, Event, Job, JobId
from stratopt.optimization.listener import Listener
from stratopt.optimization.retention import Retention
from stratopt.optimization.revisions import Revisions
from stratopt.optimization.under_way import Dead, Live, Running, under_way
from stratopt.optimization.webhooks.messages import Delivery

MAX_ATTEMPTS = 3
MOST_STARTS = 20
"""Of one job, those included that a server cut off by its own end: it may be the job that ends servers."""
BACK_OFF_SECONDS = (0.2, 1.0)
IDLE_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 1.0
STORAGE_RETRY_SECONDS = 0.5
WORKER_RETRY_SECONDS = 0.5

log = logging.getLogger(__name__)


class BatchOptimizationManager:
    """Accepts batches, runs their jobs on an executor, records what happened.

    Only the supervisor thread calls the executor and the store's moves; other threads submit, cancel and wait. What cannot be
    stored is held and tried again; nothing that a worker finished is lost while this process lives.

    Parameters
    ----------
    store : JobStore
    executor : Executor
    payload : callable
        What a worker needs to run a job; a StratoptError that it raises is the job's failure.
    limits : QueueLimits, optional
        How much may wait.
    retention : Retention
        What removes batches when they are deleted or expire.
    may_dispatch : callable
        Whether the machine has room for another job now (memory, CPU), beside so many that run.
    listener : Listener
        Hears of ends and failures.
    announcement : callable
        The message that is stored together with a batch's end, if anybody asked for one.
    """

    def __init__(
        self,
        store: JobStore,
        executor: Executor,
        payload: Callable[[Job], Mapping[str, Any]],
        *,
        retention: Retention,
        limits: QueueLimits | None = None,
        may_dispatch: Callable[[int], bool] = lambda busy: True,
        listener: Listener | None = None,
        announcement: Callable[[Batch, BatchState], Delivery | None] = lambda batch, state: None,
    ) -> None:
        self.store = store
        self._executor = executor
        self._payload = payload
        self._limits = limits
        self._retention = retention
        self._may_dispatch = may_dispatch
        self._listener = listener or Listener()
        self._announcement = announcement
        self._running: dict[JobId, Running] = {}
        self._dead: list[Dead] = []
        self._held: list[tuple[Job, Ending]] = []
        self._claimed: deque[Job] = deque()
        self._unsettled: set[BatchId] = set()
        self._live: dict[BatchId, Live] = {}
        self._inbox: deque[Callable[[], None]] = deque()
        self._next: dict[str, float] = {"storage": 0.0, "worker": 0.0}
        self._revisions = Revisions()
        self._books = Books(store, retention, self._revisions.forget)
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="stratopt-supervisor", daemon=True)
        self._last_step = time.monotonic()
        self.failure: BaseException | None = None

    # ---- for other threads

    def start(self) -> None:
        """Recover what an earlier server left and begin to dispatch."""
        self._thread.start()
        self._ready.wait()
        if self.failure:
            raise self.failure

    def stop(self) -> None:
        """Stop dispatching and end the workers; what they ran is requeued at the next start."""
        self._stopping.set()
        self._executor.wake()
        if self._thread.is_alive():
            self._thread.join()

    def submit(self, batch: Batch, jobs: Sequence[Job], key: IdempotencyKey | None = None) -> Submitted:
        """Store a batch and let it run. ResourceExhaustionError ``storage_unavailable`` when the supervisor has stopped."""
        self._refuse_if_failed()
        submitted = self.store.submit(batch, jobs, key, self._limits)
        self._tell(lambda: self._admit(submitted.batch))
        return submitted

    def cancel(self, batch_id: str) -> Batch:
        """Ask for the end of a batch; running jobs are killed, finished results stay. Finished batches are returned unchanged."""
        batch = self.store.set_cancelling(batch_id)
        if batch is None:
            raise BatchOptimizationError(f"no batch {batch_id!r}", code="not_found", batch_id=batch_id)
        if not batch.state.is_terminal:
            self._tell(lambda: self._end_all(batch.batch_id, cancelled()))
        return batch

    def wait(self, batch_id: str, timeout: float | None = None) -> Batch:
        """The batch when it has ended, or as it is after ``timeout`` seconds; an error when it will not end, as in ``submit``."""
        until = None if timeout is None else time.monotonic() + timeout
        seen = -1
        while True:
            left = math.inf if until is None else until - time.monotonic()
            seen = self._revisions.wait(batch_id, seen, min(left, LOOK_AGAIN_SECONDS))
            batch = self.store.batch(batch_id)
            if batch is None:
                raise BatchOptimizationError(f"no batch {batch_id!r}", code="not_found", batch_id=batch_id)
            if batch.state.is_terminal or (until is not None and time.monotonic() >= until):
                return batch
            self._refuse_if_failed()

    def delete(self, batch_id: str) -> None:
        """Remove a batch that has ended, then its tables; BatchOptimizationError where the store refuses it."""
        self._retention.delete(batch_id)
        self._revisions.forget(batch_id)

    def revision(self, batch_id: str) -> int:
        """A number that grows whenever something about the batch changed in this process."""
        return self._revisions.of(batch_id)

    @property
    def silent_seconds(self) -> float:
        """How long ago the supervisor last went round; about a second at most while it works."""
        return time.monotonic() - self._last_step

    @property
    def workers_busy(self) -> int:
        """Jobs that a worker has now."""
        return len(self._running)

    def running_jobs(self, batch_id: str) -> Sequence[Job]:
        """Jobs of a batch that a worker has now; none whose end is stored."""
        return [running.job for running in self._running.copy().values() if running.job.batch_id == batch_id]

    def usage(self, batch_id: str | None = None) -> Mapping[JobId, Mapping[str, float]]:
        """What running jobs, of one batch or all, last said that they cost."""
        running = self._running.copy()
        return {j: r.used for j, r in running.items() if r.used and batch_id in (None, r.job.batch_id)}

    def _refuse_if_failed(self) -> None:
        if self.failure is not None:
            raise ResourceExhaustionError(
                f"the supervisor stopped ({type(self.failure).__name__}: {self.failure}); see the log and start again",
                code="storage_unavailable",
            ) from self.failure

    def _tell(self, action: Callable[[], None]) -> None:
        self._inbox.append(action)
        self._executor.wake()

    # ---- the supervisor thread

    def _supervise(self) -> None:
        try:
            self._executor.open()
            recovered = self.store.recover(time.time())
            log.info("supervisor_started", extra={"recovered_jobs": recovered})
            for batch in self.store.unfinished():
                self._admit(batch)
                if batch.state is BatchState.CANCELLING:
                    self._end_all(batch.batch_id, cancelled())
            self._ready.set()
            while not self._stopping.is_set():
                self._step()
        except BaseException as error:
            self.failure = error
            log.exception("supervisor_failed")
        finally:
            self._ready.set()
            self._executor.close()
            self._revisions.wake()

    def _step(self) -> None:
        self._last_step = time.monotonic()
        try:
            while self._inbox:
                self._inbox[0]()  # stays in the inbox until it went through
                self._inbox.popleft()
            self._store_held()
            self._requeue_due()
            self._end_late_batches()
            self._dispatch()
            self._books.keep(self.usage(), self._live)
        except ResourceExhaustionError as error:
            self._storage_failed(error)
            self._next["storage"] = time.monotonic() + STORAGE_RETRY_SECONDS
        for event in self._executor.events(self._patience()):
            self._handle(event)

    def _storage_failed(self, error: ResourceExhaustionError) -> None:
        log.warning("storage_failed", extra={"code": error.code, "reason": error.message})
        self._listener.storage_failed(error.code)

    def _patience(self) -> float:
        now = time.monotonic()
        moments = [now + IDLE_SECONDS, *(dead.again_at for dead in self._dead)]
        moments += [live.deadline for live in self._live.values()]
        if any(running.used for running in self._running.values()):
            moments.append(self._books.next_progress)
        if self._claimed:
            moments.append(self._next["worker"])
        earliest = max(min(moments), self._next["storage"])
        return max(0.0, earliest - now)

    def _admit(self, batch: Batch) -> None:
        if not batch.state.is_terminal:
            self._live.setdefault(batch.batch_id, Live(batch, time.monotonic()))
            self._settle(batch.batch_id)

    def _dispatch(self) -> None:
        self._start_claimed()
        while not self._claimed and (full := self._full_batches()) is not None:
            job = self.store.claim(full_batches=full, now=time.time())
            if job is None:
                return
            self._claimed.append(job)
            self._start_claimed()
            self._store_held()

    def _start_claimed(self) -> None:
        """Hand out what was claimed; what cannot be, because the storage fails or no worker can be made, stays for the next time."""
        while self._claimed and self._can_start() and self._start(self._claimed[0]):
            self._claimed.popleft()

    def _can_start(self) -> bool:
        return self._executor.free() > 0 and time.monotonic() >= self._next["worker"]

    def _full_batches(self) -> list[str] | None:
        """The batches that have as many jobs under way as they may, or no time left; None when no job may start now."""
        if not self._live or self._executor.free() <= 0 or not self._may_dispatch(len(self._running)):
            return None
        busy = Counter(running.job.batch_id for running in self._running.values())
        busy.update(dead.job.batch_id for dead in self._dead)
        busy.update(job.batch_id for job, _ in self._held)
        now = time.monotonic()
        full: list[str] = [
            b for b, live in self._live.items() if busy[b] >= live.batch.parallel_jobs or live.deadline <= now
        ]
        return None if len(full) == len(self._live) else full

    def _start(self, job: Job) -> bool:
        """Whether the job need not be started again: a worker has it, or it cannot be run."""
        if job.batch_id not in self._live:  # submitted between the claim's look and its message to us
            batch = self.store.batch(job.batch_id)
            assert batch is not None
            self._live[job.batch_id] = Live(batch, time.monotonic())
        self._revisions.touch(job.batch_id)
        if job.fence > MOST_STARTS:
            self._held.append((job, started_too_often(job)))
            return True
        running = under_way(job, self._live[job.batch_id])
        try:
            payload = self._payload(job)
        except ResourceExhaustionError:
            raise
        except StratoptError as error:
            self._held.append((job, refused(error)))
            return True
        try:
            self._executor.start(job.job_id, payload, running.deadline)
        except ResourceExhaustionError as error:
            log.warning("no_worker", extra={"job_id": job.job_id, "code": error.code, "reason": error.message})
            self._next["worker"] = time.monotonic() + WORKER_RETRY_SECONDS
            return False
        self._running[job.job_id] = running
        return True

    def _handle(self, event: ExecutorEvent) -> None:
        running = self._running.get(event.job_id)
        if running is None:
            return
        if isinstance(event, Progressed):
            running.used = {**event.resources, "evaluations": event.evaluations_done}
            self._revisions.touch(running.job.batch_id)
            return
        del self._running[event.job_id]
        if isinstance(event, Finished):
            self._finish(running.job, ending_of(event.message))
        elif event.killed_by_deadline:
            self._finish(running.job, replace(running.late, resources=running.spent()))
        else:
            self._retry_or_give_up(running, event)

    def _retry_or_give_up(self, running: Running, death: Died) -> None:
        job, used = running.job, running.spent()
        log.warning("worker_died", extra={"job_id": job.job_id, "reason": death.reason, "attempt": job.attempts})
        self._listener.worker_died(death.kind)
        if job.attempts < MAX_ATTEMPTS:
            pause = BACK_OFF_SECONDS[min(job.attempts, len(BACK_OFF_SECONDS)) - 1]
            self._dead.append(Dead(job, time.time(), time.monotonic() + pause, death.reason, used))
        else:
            self._finish(job, replace(given_up(job, death.reason), resources=used))

    def _requeue_due(self) -> None:
        now = time.monotonic()
        for dead in [dead for dead in self._dead if dead.again_at <= now]:
            self.store.release(dead.job.job_id, dead.job.fence, dead.reason, dead.died_at, dead.used)
            self._dead.remove(dead)
            self._revisions.touch(dead.job.batch_id)

    def _finish(self, job: Job, ending: Ending) -> None:
        """Store an ending together with the claim of what the free worker does next; what cannot be stored is held."""
        full = None if self._held or self._claimed else self._full_batches()
        self._held.append((job, ending))
        try:
            if full is None:
                self._store_held()
                return
            event, following = self.store.finish_and_claim(
                job.job_id, job.fence, ending, full_batches=full, now=time.time()
            )
            self._held.pop()
            if following is not None:
                self._claimed.append(following)
            self._note_end(job, ending, event)
            self._start_claimed()
        except ResourceExhaustionError as error:
            self._storage_failed(error)

    def _store_held(self) -> None:
        """Write endings in order, and the end of a batch after its last one; what cannot be written stays for the next time."""
        while self._held:
            job, ending = self._held[0]
            event = self.store.finish(job.job_id, job.fence, ending, time.time())
            self._held.pop(0)
            self._note_end(job, ending, event)
        for batch_id in list(self._unsettled):
            self._settle(batch_id)
            self._unsettled.discard(batch_id)

    def _note_end(self, job: Job, ending: Ending, event: Event | None) -> None:
        if event is None or self._was_last(event):
            self._unsettled.add(job.batch_id)
        self._revisions.touch(job.batch_id)
        if event is not None:
            self._listener.job_ended(job, ending)

    def _end_late_batches(self) -> None:
        now = time.monotonic()
        for live in [live for live in self._live.values() if live.deadline <= now]:
            self._end_all(live.batch.batch_id, batch_late(live.batch))

    def _end_all(self, batch_id: BatchId, ending: Ending) -> None:
        """End whatever of a batch has not ended; may be called again after a failure of the storage."""
        for job_id, running in [(j, r) for j, r in self._running.items() if r.job.batch_id == batch_id]:
            self._executor.kill(job_id)
            del self._running[job_id]
            self._held.append((running.job, replace(ending, resources=running.spent())))
        for dead in [dead for dead in self._dead if dead.job.batch_id == batch_id]:
            self._dead.remove(dead)
            self._held.append((dead.job, replace(ending, resources=dead.used)))
        for job in [job for job in self._claimed if job.batch_id == batch_id]:
            self._claimed.remove(job)
            self._held.append((job, ending))
        self._store_held()
        self.store.end_queued(batch_id, ending, time.time())
        self._settle(batch_id)

    def _was_last(self, event: Event) -> bool:
        """Whether all jobs of the batch have ended: each of them wrote one event, numbered without holes."""
        live = self._live.get(event.batch_id)
        return live is None or event.seq >= live.batch.counts["total"]

    def _settle(self, batch_id: BatchId) -> None:
        """End the batch if nothing of it is left to do; forget it if it has ended: a repeated submission may be told of late."""
        batch, live = self.store.batch(batch_id), self._live.get(batch_id)
        if batch is None:
            self._live.pop(batch_id, None)
            self._revisions.forget(batch_id)
            return
        if batch.state.is_terminal:
            self._live.pop(batch_id, None)
        elif live and not batch.counts["queued"] and not batch.counts["running"]:
            outcome = batch_outcome(batch, late=live.deadline <= time.monotonic())
            delivery = self._announcement(batch, outcome)
            self.store.end_batch(batch_id, outcome, time.time(), delivery=delivery)
            del self._live[batch_id]
            log.info("batch_ended", extra={"batch_id": batch_id, "state": outcome.value})
            self._listener.batch_ended(batch_id, outcome)
        self._revisions.touch(batch_id)
