"""The event stream as a cursor over the store."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

from stratopt.api.services.optimization_service import OptimizationService
from stratopt.api.streaming import batch_events
from stratopt.optimization.endings import cancelled
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.jobs import Batch, BatchId, BatchState, Ending, Job, JobId, JobState, counts_of_new_batch
from stratopt.storage.memory_job_store import MemoryJobStore

BATCH_ID = BatchId("bat_1")


def running_batch(jobs: int) -> tuple[MemoryJobStore, Batch]:
    store = MemoryJobStore()
    counts = counts_of_new_batch(jobs)
    batch = Batch(batch_id=BATCH_ID, state=BatchState.QUEUED, counts=counts, request={}, parallel_jobs=1, seed=0)
    spec = JobSpec(strategy_id="s", strategy="RSI", symbol="BTC", timeframe="1d")
    store.submit(batch, [Job(job_id=JobId(f"job_{i}"), batch_id=BATCH_ID, index=i, spec=spec) for i in range(jobs)])
    return store, batch


def ended_batch(jobs: int) -> tuple[MemoryJobStore, Batch]:
    store, _ = running_batch(jobs)
    store.end_queued(BATCH_ID, cancelled(), 1.0)
    store.end_batch(BATCH_ID, BatchState.CANCELLED, 2.0)
    found = store.batch(BATCH_ID)
    assert found is not None
    return store, found


async def read(service: Any, batch: Batch, after_seq: int) -> list[bytes]:
    stream = batch_events(cast(OptimizationService, service), batch, after_seq, is_draining=lambda: False)
    return [piece async for piece in stream]


def test_a_reader_gets_every_event_of_a_batch_with_more_than_one_page_of_them() -> None:
    store, batch = ended_batch(2_500)
    service = SimpleNamespace(
        manager=SimpleNamespace(store=store, revision=lambda _: 1, running_jobs=lambda _: []),
        view=lambda _: {},
        batch=lambda _: batch,
    )
    pieces = asyncio.run(asyncio.wait_for(read(service, batch, after_seq=0), 20))
    ids = [int(piece.split(b"id: ")[1].split(b"\n")[0]) for piece in pieces if b"id: " in piece]
    assert ids == list(range(1, 2_502))
    rest = asyncio.run(asyncio.wait_for(read(service, batch, after_seq=2_400), 20))
    assert sum(b"id: " in piece for piece in rest) == 101


class Worked:
    """A manager with one worker: each look at what runs is one step of its work, before the step's events are stored."""

    def __init__(self, steps: list[str]) -> None:
        self.store, self.batch = running_batch(3)
        self._steps = steps
        self._running: dict[str, Job] = {}
        self._at = 0

    def revision(self, batch_id: str) -> int:
        return self._at

    def running_jobs(self, batch_id: str) -> list[Job]:
        """What ran when the step began; the step itself happens just after this look."""
        looked = list(self._running.values())
        if self._at < len(self._steps):
            self._do(*self._steps[self._at].split())
            self._at += 1
        return looked

    def _do(self, what: str, job_id: str = "") -> None:
        if what == "start":
            job = self.store.claim(full_batches=[], now=1.0)
            assert job is not None
            assert job.job_id == job_id
            self._running[job_id] = job
        elif what == "die":
            died = self._running.pop(job_id)
            self.store.release(job_id, died.fence, "killed", 1.0)
        elif what == "finish":
            job = self._running.pop(job_id)
            self.store.finish(job_id, job.fence, Ending(state=JobState.SUCCEEDED, result={"summary": {}}), 2.0)
        else:
            self.store.end_batch(BATCH_ID, BatchState.COMPLETED, 3.0)


def told_by(manager: Worked, after_seq: int = 0) -> list[tuple[str, str | None, str]]:
    """Kind, id and job of each event but progress."""
    service = SimpleNamespace(
        manager=manager,
        view=lambda _: dict.fromkeys(("batch_id", "status", "counts", "progress")),
        batch=lambda _: manager.batch,
    )
    found = []
    for piece in asyncio.run(asyncio.wait_for(read(service, manager.batch, after_seq), 20))[2:]:
        fields = dict(line.split(": ", 1) for line in piece.decode().splitlines() if line)
        if fields["event"] != "progress":
            found.append((fields["event"], fields.get("id"), json.loads(fields["data"]).get("job_id", "")))
    return found


def test_a_job_that_starts_is_told_once_and_without_an_id() -> None:
    steps = ["start job_0", "finish job_0", "start job_1", "die job_1", "start job_1", "finish job_1"]
    told = told_by(Worked([*steps, "start job_2", "finish job_2", "end"]))
    assert told == [
        ("strategy.started", None, "job_0"),
        ("strategy.completed", "1", "job_0"),
        ("strategy.started", None, "job_1"),
        ("strategy.completed", "2", "job_1"),
        ("strategy.started", None, "job_2"),
        ("strategy.completed", "3", "job_2"),
        ("batch.ended", "4", ""),
    ]


def test_a_reader_that_comes_back_is_not_told_of_a_start_after_the_end() -> None:
    manager = Worked(["finish job_1", "start job_2", "finish job_2", "end"])
    for job_id in ("job_0", "job_1"):
        manager._do("start", job_id)
        if job_id == "job_0":
            manager._do("finish", job_id)
    assert told_by(manager, after_seq=1) == [
        ("strategy.started", None, "job_1"),
        ("strategy.completed", "2", "job_1"),
        ("strategy.started", None, "job_2"),
        ("strategy.completed", "3", "job_2"),
        ("batch.ended", "4", ""),
    ]


def test_a_start_says_of_its_job_what_an_end_says() -> None:
    manager = Worked(
        ["start job_0", "finish job_0", "start job_1", "finish job_1", "start job_2", "finish job_2", "end"]
    )
    service = SimpleNamespace(
        manager=manager,
        view=lambda _: dict.fromkeys(("batch_id", "status", "counts", "progress")),
        batch=lambda _: manager.batch,
    )
    pieces = asyncio.run(asyncio.wait_for(read(service, manager.batch, 0), 20))
    kinds = {
        kind: next(p for p in pieces if p.startswith(b"event: " + kind))
        for kind in (b"strategy.started", b"strategy.completed")
    }
    started, completed = (json.loads(piece.split(b"data: ")[1]) for piece in kinds.values())
    completed.pop("summary")
    assert started == {**completed, "status": "running"}
