"""What is counted, and what the gauges of the queue mean."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from stratopt.monitoring.metrics import Metrics
from stratopt.monitoring.resources import ResourceGate
from stratopt.optimization.batch_manager import BatchOptimizationManager
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.jobs import Batch, BatchId, BatchState, Job, JobId, counts_of_new_batch
from stratopt.optimization.retention import Retention
from stratopt.optimization.slots import SlotExecutor
from stratopt.storage.memory_job_store import MemoryJobStore


@pytest.fixture
def store() -> MemoryJobStore:
    return MemoryJobStore()


@pytest.fixture
def metrics(store: MemoryJobStore) -> Iterator[Metrics]:
    """Of a server whose supervisor does not run."""
    executor = SlotExecutor(1)
    manager = BatchOptimizationManager(store, executor, lambda job: {}, retention=Retention(store, 1.0))
    metrics = Metrics()
    metrics.watch(manager, 1, ResourceGate(minimum_free_bytes=0, maximum_load_per_core=1_000.0))
    yield metrics
    executor.close()


def submit(store: MemoryJobStore, name: str, created_at: float) -> None:
    spec = JobSpec(strategy_id="s", strategy="RSI", symbol="BTC", timeframe="1d")
    batch = Batch(
        batch_id=BatchId(name),
        state=BatchState.QUEUED,
        counts=counts_of_new_batch(2),
        request={},
        parallel_jobs=1,
        seed=0,
        created_at=created_at,
    )
    jobs = [Job(job_id=JobId(f"{name}_{i}"), batch_id=BatchId(name), index=i, spec=spec) for i in range(2)]
    store.submit(batch, jobs)


def value(metrics: Metrics, name: str, **labels: str) -> float:
    found = metrics.registry.get_sample_value(name, labels)
    assert found is not None, f"{name} {labels} is not shown"
    return found


def test_a_batch_is_old_only_while_none_of_its_jobs_has_started(store: MemoryJobStore, metrics: Metrics) -> None:
    """A long batch has queued jobs for hours, and nothing is wrong with it."""
    now = time.time()
    submit(store, "long", now - 7200)
    submit(store, "next", now - 600)
    assert value(metrics, "stratopt_queue_oldest_seconds") == pytest.approx(7200, abs=60)
    claimed = store.claim(full_batches=[], now=now)
    assert claimed is not None
    assert claimed.batch_id == "long"
    assert value(metrics, "stratopt_queue_oldest_seconds") == pytest.approx(600, abs=60)
    store.claim(full_batches=["long"], now=now)
    assert value(metrics, "stratopt_queue_oldest_seconds") == 0.0
    assert value(metrics, "stratopt_queue_depth") == 2


def test_failures_of_the_storage_count_whoever_met_them(metrics: Metrics) -> None:
    metrics.expect(failures=[], rejections=["storage_full", "queue_full"])
    assert value(metrics, "stratopt_storage_errors_total", code="storage_full") == 0
    metrics.storage_failed("storage_full")
    metrics.refused("storage_full")
    metrics.refused("queue_full")
    assert value(metrics, "stratopt_storage_errors_total", code="storage_full") == 2
    assert value(metrics, "stratopt_requests_rejected_total", code="storage_full") == 1
    assert metrics.registry.get_sample_value("stratopt_storage_errors_total", {"code": "queue_full"}) is None


def test_deaths_of_workers_are_counted_by_reason_from_zero(metrics: Metrics) -> None:
    assert value(metrics, "stratopt_worker_deaths_total", reason="SIGSEGV") == 0
    metrics.worker_died("SIGSEGV")
    assert value(metrics, "stratopt_worker_deaths_total", reason="SIGSEGV") == 1
