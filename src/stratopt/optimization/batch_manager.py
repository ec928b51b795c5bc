"""BatchOptimizationManager: one supervisor thread that moves every job from submission to its end."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stratopt.errors import StratoptError
from stratopt.optimization.exceptions import BatchOptimizationError
from stratopt.optimization.executor import Died, Executor, ExecutorEvent, Finished, Progressed
from stratopt.optimization.job_store import IdempotencyKey, JobStore, Submitted
from stratopt.optimization.jobs import Batch, BatchId, BatchState, Ending, Failure, Job, JobId, JobState

MAX_ATTEMPTS = 3
BACK_OFF_SECONDS = (0.2, 1.0)
IDLE_SECONDS = 1.0
PROGRESS_SECONDS = 0.25

log = logging.getLogger(__name__)


@dataclass
class Running:
    """A job that a worker has; ``deadline`` is monotonic, ``deadline_is_batch`` says whose limit it is."""

    job: Job
    deadline: float
    deadline_is_batch: bool


class BatchOptimizationManager:
    """Accepts batches, runs their jobs on an executor, records what happened.

    Only the supervisor thread calls the executor and the store's moves; other threads submit, cancel and wait.

    Parameters
    ----------
    store : JobStore
    executor : Executor
    payload : callable
        What a worker needs to run a job; an error it raises is the job's failure.
    """

    def __init__(self, store: JobStore, executor: Executor, payload: Callable[[Job], Mapping[str, Any]]) -> None:
        self.store = store
        self._executor = executor
        self._payload = payload
        self._running: dict[JobId, Running] = {}
        self._requeue_at: list[tuple[float, Job, str]] = []
        self._batch_deadlines: dict[BatchId, float] = {}
        self._live: dict[BatchId, Batch] = {}
        self._inbox: deque[Callable[[], None]] = deque()
        self._progress: dict[JobId, int] = {}
        self._next_flush = 0.0
        self._changed = threading.Condition()
        self._revision: Counter[str] = Counter()
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="stratopt-supervisor", daemon=True)
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
        """Store a batch and let it run."""
        submitted = self.store.submit(batch, jobs, key)
        self._tell(lambda: self._admit(submitted.batch))
        return submitted

    def cancel(self, batch_id: str) -> Batch:
        """Ask for the end of a batch; running jobs are killed, finished results stay. Finished batches are returned unchanged."""
        batch = self.store.set_cancelling(batch_id)
        if batch is None:
            raise BatchOptimizationError(f"no batch {batch_id!r}", code="not_found", batch_id=batch_id)
        if not batch.state.is_terminal:
            self._tell(lambda: self._cancel(batch.batch_id))
        return batch

    def wait(self, batch_id: str, timeout: float | None = None) -> Batch:
        """The batch when it has ended, or as it is after ``timeout`` seconds."""
        until = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while True:
                batch = self.store.batch(batch_id)
                if batch is None:
                    raise BatchOptimizationError(f"no batch {batch_id!r}", code="not_found", batch_id=batch_id)
                left = None if until is None else until - time.monotonic()
                if batch.state.is_terminal or (left is not None and left <= 0) or self.failure:
                    return batch
                self._changed.wait(1.0 if left is None else min(left, 1.0))

    def revision(self, batch_id: str) -> int:
        """A number that grows whenever something about the batch changed in this process."""
        return self._revision[batch_id]

    def evaluations_done(self, job_id: str) -> int | None:
        """Latest progress of a running job, fresher than the store's."""
        return self._progress.get(JobId(job_id))

    def _tell(self, action: Callable[[], None]) -> None:
        self._inbox.append(action)
        self._executor.wake()

    # ---- the supervisor thread

    def _supervise(self) -> None:
        try:
            self._executor.open()
            self.store.recover(time.time())
            for batch in self.store.unfinished():
                self._admit(batch)
                if batch.state is BatchState.CANCELLING:
                    self._cancel(batch.batch_id)
            self._ready.set()
            while not self._stopping.is_set():
                self._step()
        except BaseException as error:
            self.failure = error
            log.exception("supervisor_failed")
            raise
        finally:
            self._ready.set()
            self._executor.close()
            with self._changed:
                self._changed.notify_all()

    def _step(self) -> None:
        while self._inbox:
            self._inbox.popleft()()
        self._requeue_due()
        self._end_late_batches()
        self._dispatch()
        for event in self._executor.events(self._patience()):
            self._handle(event)
        self._flush_progress()

    def _patience(self) -> float:
        now = time.monotonic()
        moments = [now + IDLE_SECONDS, *(at for at, _, _ in self._requeue_at), *self._batch_deadlines.values()]
        if self._progress:
            moments.append(self._next_flush)
        return max(0.0, min(moments) - now)

    def _admit(self, batch: Batch) -> None:
        if batch.state.is_terminal or batch.batch_id in self._live:
            return
        self._live[batch.batch_id] = batch
        elapsed = max(0.0, time.time() - batch.created_at)
        self._batch_deadlines[batch.batch_id] = time.monotonic() + max(0.0, batch.deadline_seconds - elapsed)
        self._settle(batch.batch_id)

    def _dispatch(self) -> None:
        while self._live and self._executor.free() > 0:
            busy = Counter(running.job.batch_id for running in self._running.values())
            busy.update(job.batch_id for _, job, _ in self._requeue_at)
            full = [batch_id for batch_id, batch in self._live.items() if busy[batch_id] >= batch.parallel_jobs]
            job = self.store.claim(full_batches=full, now=time.time())
            if job is None:
                return
            self._start(job)

    def _start(self, job: Job) -> None:
        self._touch(job.batch_id)
        own = time.monotonic() + job.spec.search.timeout_minutes * 60
        batch_limit = self._batch_deadlines[job.batch_id]
        try:
            payload = self._payload(job)
        except StratoptError as error:
            self._finish(
                job,
                Ending(
                    state=JobState.FAILED,
                    failure=Failure(code=error.code, message=error.message, context=error.context),
                ),
            )
            return
        self._executor.start(job.job_id, payload, min(own, batch_limit))
        self._running[job.job_id] = Running(job, min(own, batch_limit), batch_limit < own)

    def _handle(self, event: ExecutorEvent) -> None:
        running = self._running.get(event.job_id)
        if running is None:
            return
        if isinstance(event, Progressed):
            self._progress[event.job_id] = event.evaluations_done
            self._touch(running.job.batch_id)
            return
        del self._running[event.job_id]
        self._progress.pop(event.job_id, None)
        if isinstance(event, Finished):
            self._finish(running.job, _ending(event.message))
        elif event.killed_by_deadline:
            self._finish(running.job, _late(running))
        else:
            self._retry_or_give_up(running.job, event)

    def _retry_or_give_up(self, job: Job, death: Died) -> None:
        if job.attempts < MAX_ATTEMPTS:
            self._requeue_at.append((time.monotonic() + BACK_OFF_SECONDS[job.attempts - 1], job, death.reason))
            return
        message = f"its worker process died {job.attempts} times, the last time by {death.reason}; the job is given up so that it cannot harm others"
        failure = Failure(
            code="worker_died",
            message=message,
            context={"attempts": job.attempts, "reason": death.reason, "poison": True},
        )
        self._finish(job, Ending(state=JobState.FAILED, failure=failure))

    def _requeue_due(self) -> None:
        now = time.monotonic()
        due = [entry for entry in self._requeue_at if entry[0] <= now]
        self._requeue_at = [entry for entry in self._requeue_at if entry[0] > now]
        for _, job, reason in due:
            self.store.release(job.job_id, job.attempts, reason)
            self._touch(job.batch_id)

    def _finish(self, job: Job, ending: Ending) -> None:
        self.store.finish(job.job_id, job.attempts, ending, time.time())
        self._settle(job.batch_id)

    def _cancel(self, batch_id: BatchId) -> None:
        failure = Failure(code="cancelled", message="the batch was cancelled before this job ended")
        self._end_all(batch_id, Ending(state=JobState.CANCELLED, failure=failure))

    def _end_late_batches(self) -> None:
        now = time.monotonic()
        for batch_id in [b for b, deadline in self._batch_deadlines.items() if deadline <= now]:
            limit = self._live[batch_id].deadline_seconds
            failure = Failure(
                code="deadline_exceeded",
                message=f"the batch reached its limit of {limit:g} s before this job ended; raise deadline_minutes or ask for less",
                context={"limit_seconds": limit},
            )
            self._end_all(batch_id, Ending(state=JobState.TIMED_OUT, failure=failure))

    def _end_all(self, batch_id: BatchId, ending: Ending) -> None:
        for job_id, running in [(j, r) for j, r in self._running.items() if r.job.batch_id == batch_id]:
            self._executor.kill(job_id)
            del self._running[job_id]
            self._progress.pop(job_id, None)
            self.store.finish(job_id, running.job.attempts, ending, time.time())
        for _, job, _ in [entry for entry in self._requeue_at if entry[1].batch_id == batch_id]:
            self.store.finish(job.job_id, job.attempts, ending, time.time())
        self._requeue_at = [entry for entry in self._requeue_at if entry[1].batch_id != batch_id]
        self.store.cancel_queued(batch_id, ending, time.time())
        self._settle(batch_id)

    def _settle(self, batch_id: BatchId) -> None:
        """End the batch if nothing of it is left to do."""
        batch = self.store.batch(batch_id)
        if (
            batch is not None
            and not batch.state.is_terminal
            and not batch.counts["queued"]
            and not batch.counts["running"]
        ):
            self.store.end_batch(
                batch_id, _outcome(batch, late=self._batch_deadlines[batch_id] <= time.monotonic()), time.time()
            )
            del self._live[batch_id], self._batch_deadlines[batch_id]
        self._touch(batch_id)

    def _flush_progress(self) -> None:
        now = time.monotonic()
        if self._progress and now >= self._next_flush:
            self._next_flush = now + PROGRESS_SECONDS
            self.store.progress(dict(self._progress))

    def _touch(self, batch_id: BatchId) -> None:
        with self._changed:
            self._revision[batch_id] += 1
            self._changed.notify_all()


def _ending(message: Mapping[str, Any]) -> Ending:
    resources = message.get("resources", {})
    if message["type"] == "succeeded":
        return Ending(state=JobState.SUCCEEDED, result=message["result"], resources=resources)
    return Ending(state=JobState.FAILED, failure=Failure(**message["failure"]), resources=resources)


def _late(running: Running) -> Ending:
    if running.deadline_is_batch:
        return Ending(
            state=JobState.TIMED_OUT,
            failure=Failure(
                code="deadline_exceeded",
                message="the batch reached its time limit while this job ran; raise deadline_minutes or ask for less",
            ),
        )
    minutes = running.job.spec.search.timeout_minutes
    message = f"the job ran longer than its limit of {minutes:g} minutes and was ended; raise timeout_minutes or lower max_evals"
    return Ending(
        state=JobState.TIMED_OUT, failure=Failure(code="timeout", message=message, context={"timeout_minutes": minutes})
    )


def _outcome(batch: Batch, *, late: bool) -> BatchState:
    if batch.state is BatchState.CANCELLING:
        return BatchState.CANCELLED
    if late and batch.counts["timed_out"]:
        return BatchState.TIMED_OUT
    return BatchState.COMPLETED if batch.counts["succeeded"] else BatchState.FAILED
