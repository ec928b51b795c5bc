"""The event stream as a cursor over the store."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from stratopt.api.services.optimization_service import OptimizationService
from stratopt.api.streaming import batch_events
from stratopt.optimization.endings import cancelled
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.jobs import Batch, BatchId, BatchState, Job, JobId, counts_of_new_batch
from stratopt.storage.memory_job_store import MemoryJobStore

BATCH_ID = BatchId("bat_1")


def ended_batch(jobs: int) -> tuple[MemoryJobStore, Batch]:
    store = MemoryJobStore()
    counts = counts_of_new_batch(jobs)
    batch = Batch(batch_id=BATCH_ID, state=BatchState.QUEUED, counts=counts, request={}, parallel_jobs=1, seed=0)
    spec = JobSpec(strategy_id="s", strategy="RSI", symbol="BTC", timeframe="1d")
    store.submit(batch, [Job(job_id=JobId(f"job_{i}"), batch_id=BATCH_ID, index=i, spec=spec) for i in range(jobs)])
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
        manager=SimpleNamespace(store=store, revision=lambda _: 1), view=lambda _: {}, batch=lambda _: batch
    )
    pieces = asyncio.run(asyncio.wait_for(read(service, batch, after_seq=0), 20))
    ids = [int(piece.split(b"id: ")[1].split(b"\n")[0]) for piece in pieces if b"id: " in piece]
    assert ids == list(range(1, 2_502))
    rest = asyncio.run(asyncio.wait_for(read(service, batch, after_seq=2_400), 20))
    assert sum(b"id: " in piece for piece in rest) == 101
