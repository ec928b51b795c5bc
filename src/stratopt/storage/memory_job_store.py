"""JobStore in memory: the twin that the contract suite compares with, and the store of batches run inside a script."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from stratopt.optimization.batch_summary import BestJob
from stratopt.optimization.exceptions import BatchOptimizationError
from stratopt.optimization.job_store import IDEMPOTENCY_SECONDS, IdempotencyKey, QueueLimits, Submitted
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
from stratopt.optimization.webhooks.messages import Delivery
from stratopt.storage import rows


class MemoryJobStore:
    """See ``JobStore`` for the contract; state ends with the process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._batches: dict[str, Batch] = {}
        self._jobs: dict[str, Job] = {}
        self._of_batch: dict[str, list[str]] = {}
        self._events: dict[str, list[Event]] = {}
        self._keys: dict[tuple[str, str, str], tuple[str, str, float]] = {}
        self._expired: dict[str, ExpiredBatch] = {}

    def close(self) -> None:
        """Nothing is held."""

    # ---- look-ups

    def earlier(self, key: IdempotencyKey, now: float) -> Batch | None:
        """The batch that ``submit`` with ``key`` would find."""
        with self._lock:
            body_hash, batch_id, created_at = self._keys.get((key.owner, key.path, key.key), ("", "", 0.0))
            if batch_id not in self._batches or created_at < now - IDEMPOTENCY_SECONDS:
                return None
            key.check(body_hash)
            return self._batches[batch_id]

    def batch(self, batch_id: str) -> Batch | None:
        """One batch."""
        with self._lock:
            return self._batches.get(batch_id)

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
        """Newest first."""
        with self._lock:
            found = [
                b
                for b in self._batches.values()
                if (owner is None or b.owner == owner)
                and (not states or b.state in states)
                and (label is None or b.label == label)
                and (created_after is None or b.created_at > created_after)
                and (before is None or (b.created_at, b.batch_id) < before)
            ]
        return sorted(found, key=lambda b: (b.created_at, b.batch_id), reverse=True)[:limit]

    def job(self, job_id: str) -> Job | None:
        """One job with its result."""
        with self._lock:
            return self._jobs.get(job_id)

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
        with self._lock:
            found = [self._jobs[job_id] for job_id in self._of_batch.get(batch_id, ())]
        chosen = [
            job if with_results else replace(job, result=None)
            for job in found
            if job.index > after_index
            and (not states or job.state in states)
            and (name is None or name in (job.job_id, job.spec.strategy_id))
        ]
        return chosen[:limit]

    def events(self, batch_id: str, *, after_seq: int = 0, limit: int = 1000) -> Sequence[Event]:
        """What ended, in order."""
        with self._lock:
            return self._events.get(batch_id, [])[after_seq : after_seq + limit]

    def unfinished(self, owner: str | None = None) -> Sequence[Batch]:
        """Every batch that has not ended, oldest first."""
        with self._lock:
            live = [b for b in self._batches.values() if not b.state.is_terminal and owner in (None, b.owner)]
        return sorted(live, key=lambda b: b.created_at)

    def batch_ids(self) -> Collection[str]:
        """Every batch there is."""
        with self._lock:
            return set(self._batches)

    def expired(self, now: float) -> Sequence[str]:
        """Finished batches whose time of keeping is over."""
        with self._lock:
            ended = [b for b in self._batches.values() if b.state.is_terminal]
        return [b.batch_id for b in ended if b.expires_at is not None and b.expires_at < now]

    def expired_batch(self, batch_id: str) -> ExpiredBatch | None:
        """What is remembered of a batch that expired."""
        with self._lock:
            return self._expired.get(batch_id)

    def queue_length(self) -> int:
        """Queued jobs of all batches."""
        return sum(b.counts["queued"] for b in self.unfinished())

    def position(self, batch_id: str) -> int:
        """Queued jobs of batches that come before this one."""
        own = self._batches[batch_id]
        place = (-own.priority, own.created_at)
        return sum(b.counts["queued"] for b in self.unfinished() if (-b.priority, b.created_at) < place)

    def evaluations(self, batch_id: str) -> EvaluationCounts:
        """Evaluations over all jobs of a batch."""
        found = self.jobs(batch_id)
        return EvaluationCounts(
            done=sum(job.evaluations_done for job in found),
            settled=sum(job.evaluations_total if job.state.is_terminal else job.evaluations_done for job in found),
            total=sum(job.evaluations_total for job in found),
        )

    # ---- moves

    def submit(
        self,
        batch: Batch,
        jobs: Sequence[Job],
        key: IdempotencyKey | None = None,
        limits: QueueLimits | None = None,
    ) -> Submitted:
        """Store a batch with its jobs, or find the one that the key made before."""
        with self._lock:
            if key and (earlier := self.earlier(key, batch.created_at)):
                return Submitted(batch=earlier, replayed=True)
            if limits:
                limits.check(
                    queued_jobs=self.queue_length(),
                    new_jobs=batch.counts["total"],
                    active_batches=len(self.unfinished(batch.owner)),
                )
            self._batches[batch.batch_id] = batch
            self._jobs.update({job.job_id: job for job in jobs})
            self._of_batch[batch.batch_id] = [job.job_id for job in jobs]
            self._events[batch.batch_id] = []
            if key:
                self._keys[key.owner, key.path, key.key] = (key.body_hash, batch.batch_id, batch.created_at)
        return Submitted(batch=batch)

    def claim(self, *, full_batches: Sequence[str], now: float) -> Job | None:
        """Move one queued job to running, raise its fence and count an attempt."""
        with self._lock:
            busy: Counter[str] = Counter()
            for batch in self.unfinished():
                busy[batch.owner] += batch.counts["running"]
            ready = [
                b
                for b in self.unfinished()
                if b.state is not BatchState.CANCELLING and b.counts["queued"] and b.batch_id not in full_batches
            ]
            if not ready:
                return None
            batch = min(
                ready, key=lambda b: (busy[b.owner], -b.priority, b.counts["running"], b.created_at, b.batch_id)
            )
            job = self.jobs(batch.batch_id, states=[JobState.QUEUED], limit=1)[0]
            job = replace(
                job,
                state=JobState.RUNNING,
                fence=job.fence + 1,
                attempts=job.attempts + 1,
                started_at=now,
                evaluations_done=0,
            )
            self._jobs[job.job_id] = job
            started = now if batch.started_at is None else batch.started_at
            self._change(batch.batch_id, {"queued": -1, "running": 1}, state=BatchState.RUNNING, started_at=started)
            return job

    def progress(self, used: Mapping[JobId, Mapping[str, float]], elapsed_seconds: Mapping[BatchId, float]) -> None:
        """Remember how far running jobs are, what they cost, and how much of its limit each live batch has used."""
        with self._lock:
            for job_id, told in used.items():
                if self._jobs[job_id].state is JobState.RUNNING:
                    done = int(told["evaluations"])
                    self._jobs[job_id] = replace(self._jobs[job_id], evaluations_done=done, resources=told)
            for batch_id, elapsed in elapsed_seconds.items():
                self._change(batch_id, {}, elapsed_seconds=elapsed)

    def finish(self, job_id: str, fence: int, ending: Ending, now: float) -> Event | None:
        """End the running attempt of a job."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None or job.state is not JobState.RUNNING or job.fence != fence:
                return None
            return self._end(job, ending, now)

    def finish_and_claim(
        self, job_id: str, fence: int, ending: Ending, *, full_batches: Sequence[str], now: float
    ) -> tuple[Event | None, Job | None]:
        """Both moves at once."""
        with self._lock:
            return self.finish(job_id, fence, ending, now), self.claim(full_batches=full_batches, now=now)

    def release(
        self, job_id: str, fence: int, reason: str, now: float, used: Mapping[str, float] | None = None
    ) -> bool:
        """Back to the queue after an infrastructure death."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None or job.state is not JobState.RUNNING or job.fence != fence:
                return False
            self._jobs[job_id] = replace(job, state=JobState.QUEUED, started_at=None, evaluations_done=0, resources={})
            spent = self._sums(job.batch_id, job.resources if used is None else used, lost=True)
            self._change(job.batch_id, {"queued": 1, "running": -1}, **spent)
            return True

    def end_queued(self, batch_id: str, ending: Ending, now: float) -> Sequence[Event]:
        """End every queued job of a batch the same way."""
        with self._lock:
            return [self._end(job, ending, now) for job in self.jobs(batch_id, states=[JobState.QUEUED])]

    def set_cancelling(self, batch_id: str) -> Batch | None:
        """Mark an unfinished batch."""
        with self._lock:
            batch = self._batches.get(batch_id)
            if batch is not None and not batch.state.is_terminal:
                self._change(batch_id, {}, state=BatchState.CANCELLING)
            return self._batches.get(batch_id)

    def end_batch(
        self,
        batch_id: str,
        state: BatchState,
        now: float,
        failure: Mapping[str, Any] | None = None,
        *,
        delivery: Delivery | None = None,
    ) -> Event | None:
        """End a batch whose jobs have all ended. It has no receivers, so that no ``delivery`` is stored."""
        with self._lock:
            batch = self._batches.get(batch_id)
            if batch is None or batch.state.is_terminal or batch.counts["queued"] or batch.counts["running"]:
                return None
            kept = None if batch.expires_at is None else now + batch.expires_at - batch.created_at
            self._change(batch_id, {}, state=state, ended_at=now, expires_at=kept, failure=failure)
            return self._event(
                batch.batch_id, "batch.ended", {"status": state.value, "counts": dict(batch.counts)}, now
            )

    def recover(self, now: float) -> int:
        """Requeue what was left running; such attempts do not count."""
        with self._lock:
            left = [job for job in self._jobs.values() if job.state is JobState.RUNNING]
            for job in left:
                self.release(job.job_id, job.fence, "server_restarted", now)
                self._jobs[job.job_id] = replace(self._jobs[job.job_id], attempts=job.attempts - 1)
            return len(left)

    def delete_batch(self, batch_id: str) -> None:
        """Remove a finished batch."""
        with self._lock:
            batch = self._batches.get(batch_id)
            if batch is None:
                return
            if not batch.state.is_terminal:
                raise BatchOptimizationError(
                    f"batch {batch_id} is {batch.state}; cancel it first", code="batch_running", batch_id=batch_id
                )
            self._remove(batch_id)

    def expire_batch(self, batch_id: str, now: float) -> bool:
        """Remove an expired batch and remember that it was there."""
        with self._lock:
            if batch_id not in self.expired(now):
                return False
            batch = self._batches[batch_id]
            assert batch.expires_at is not None
            self._expired[batch_id] = ExpiredBatch(
                batch_id=batch.batch_id, owner=batch.owner, expired_at=batch.expires_at
            )
            self._remove(batch_id)
            return True

    def forget_expired(self, before: float) -> None:
        """Forget the batches that expired before this time."""
        with self._lock:
            self._expired = {name: one for name, one in self._expired.items() if one.expired_at >= before}

    # ---- inside the lock

    def _remove(self, batch_id: str) -> None:
        for job_id in self._of_batch.pop(batch_id):
            del self._jobs[job_id]
        del self._batches[batch_id], self._events[batch_id]

    def _end(self, job: Job, ending: Ending, now: float) -> Event:
        row = {"job_id": job.job_id, "position": job.index, "spec": rows.dump(job.spec.to_dict())}
        told = rows.ended_data(row, ending)
        event = self._event(job.batch_id, rows.EVENT_OF_STATE[ending.state], told, now)
        self._jobs[job.job_id] = replace(
            job,
            state=ending.state,
            ended_at=now,
            seq=event.seq,
            result=ending.result,
            failure=None if ending.failure is None else ending.failure.to_dict(),
            resources=ending.resources,
            evaluations_done=int(ending.resources.get("evaluations", job.evaluations_done)),
        )
        lost = job.state is JobState.RUNNING and ending.is_cut_short
        sums = self._sums(job.batch_id, ending.resources, lost=lost)
        best = self._best(job.batch_id, BestJob.of(told, ending.result))
        self._change(job.batch_id, {job.state.value: -1, ending.state.value: 1}, best=best, **sums)
        return event

    def _best(self, batch_id: BatchId, ended: BestJob | None) -> BestJob | None:
        batch = self._batches[batch_id]
        return ended if batch.scope and ended and ended.beats(batch.best) else batch.best

    def _sums(self, batch_id: BatchId, used: Mapping[str, Any], *, lost: bool) -> dict[str, float]:
        batch, added = self._batches[batch_id], rows.costs(used, lost=lost)
        return {
            "worker_seconds": batch.worker_seconds + added["wall"],
            "cpu_seconds": batch.cpu_seconds + added["cpu"],
            "evaluations": batch.evaluations + added["evaluated"],
            "peak_memory_bytes": max(batch.peak_memory_bytes, added["peak"]),
            "lost_attempts": batch.lost_attempts + added["lost"],
        }

    def _event(self, batch_id: BatchId, kind: str, data: Mapping[str, Any], now: float) -> Event:
        kept = self._events[batch_id]
        kept.append(Event(batch_id=batch_id, seq=len(kept) + 1, kind=kind, data=data, created_at=now))
        return kept[-1]

    def _change(self, batch_id: str, counts: Mapping[str, int], **values: Any) -> None:
        batch = self._batches[batch_id]
        changed = {name: number + counts.get(name, 0) for name, number in batch.counts.items()}
        self._batches[batch_id] = replace(batch, counts=changed, row_version=batch.row_version + 1, **values)
