"""The wall clock of the supervisor jumps by two hours in the middle of a run, with real workers (13): nothing ends early or late."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stratopt.market.catalogue import Catalogue
from stratopt.optimization.batch_manager import BatchOptimizationManager
from stratopt.optimization.job_spec import JobSpec, SearchConfig
from stratopt.optimization.jobs import Batch, BatchId, BatchState, Job, JobId, JobState, counts_of_new_batch
from stratopt.optimization.retention import Retention
from stratopt.optimization.series_access import SeriesAccess
from stratopt.optimization.slots import SlotExecutor
from stratopt.storage.memory_job_store import MemoryJobStore

from .harness import STRATEGIES, until
from .timeline import GRACE_SECONDS

pytestmark = pytest.mark.faults
LIMIT_SECONDS = 3.0


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the wall clock by so many seconds."""
    offsets, real = [0.0], time.time
    monkeypatch.setattr(time, "time", lambda: real() + sum(offsets))
    return offsets.append


@contextmanager
def supervising(folder: Path) -> Iterator[BatchOptimizationManager]:
    series = SeriesAccess(Catalogue(folder))

    def payload(job: Job) -> Mapping[str, Any]:
        return {
            "job": job.spec.to_dict(),
            "bars": series.locate(job.spec.symbol, job.spec.timeframe),
            "strategy_folder": str(STRATEGIES),
            "artifact_folder": str(folder / "artifacts"),
            "checkpoint_folder": str(folder / "checkpoints" / job.job_id),
            "checkpoint_seconds": 60.0,
        }

    store = MemoryJobStore()
    manager = BatchOptimizationManager(store, SlotExecutor(3), payload, retention=Retention(store, 86_400.0))
    manager.start()
    try:
        yield manager
    finally:
        manager.stop()


def submit(
    manager: BatchOptimizationManager, strategy: str, *, evaluations: int, job_limit: float, batch_limit: float
) -> BatchId:
    batch_id = BatchId(f"bat_{job_limit:.0f}_{batch_limit:.0f}")
    search = SearchConfig(
        max_evals=evaluations, algorithm="random", cross_validation=False, timeout_minutes=job_limit / 60
    )
    spec = JobSpec(strategy_id="s", strategy=strategy, symbol="BTC", timeframe="1d", search=search)
    batch = Batch(
        batch_id=batch_id,
        state=BatchState.QUEUED,
        counts=counts_of_new_batch(1),
        request={},
        parallel_jobs=1,
        seed=0,
        created_at=time.time(),
        deadline_seconds=batch_limit,
    )
    manager.submit(batch, [Job(job_id=JobId(f"{batch_id}_job"), batch_id=batch_id, index=0, spec=spec)])
    return batch_id


@pytest.mark.parametrize("hours", [2.0, -2.0])
def test_13_limits_hold_whatever_the_wall_clock_says(
    tmp_path: Path, jump: Callable[[float], None], hours: float
) -> None:
    """Of a job, of a batch, and of neither: each is an hour away from what the jump skips."""
    with supervising(tmp_path) as manager:
        manager.wait(submit(manager, "Quick", evaluations=2, job_limit=900, batch_limit=900), timeout=100)
        batches = {
            "of the job": submit(manager, "SpinsWithoutLock", evaluations=2, job_limit=LIMIT_SECONDS, batch_limit=3600),
            "of the batch": submit(manager, "Slow", evaluations=900, job_limit=3600, batch_limit=LIMIT_SECONDS),
            "of neither": submit(manager, "Slow", evaluations=40, job_limit=3601, batch_limit=3601),
        }
        until(lambda: manager.workers_busy == len(batches))
        jump(hours * 3600)
        ended = {name: manager.wait(batch_id, timeout=100) for name, batch_id in batches.items()}
        spent = {}
        for name, batch_id in batches.items():
            (job,) = manager.store.jobs(batch_id)
            spent[name] = (job.state, job.resources["wall_seconds"])
    assert ended["of the batch"].state is BatchState.TIMED_OUT
    state, seconds = spent["of the job"]
    assert state is JobState.TIMED_OUT
    assert LIMIT_SECONDS <= seconds < LIMIT_SECONDS + GRACE_SECONDS
    state, seconds = spent["of the batch"]
    assert state is JobState.TIMED_OUT
    assert LIMIT_SECONDS - 1.0 <= seconds < LIMIT_SECONDS + GRACE_SECONDS  # its clock began at the submission
    state, seconds = spent["of neither"]
    assert state is JobState.SUCCEEDED
    assert 4.0 <= seconds < 3600
