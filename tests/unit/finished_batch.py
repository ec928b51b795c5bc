"""A finished batch of real results, without a server: jobs, batch and the store of their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import stratopt
from stratopt.optimization.artifacts import ArtifactStore
from stratopt.optimization.job_spec import JobSpec, SearchConfig, ValidationConfig
from stratopt.optimization.jobs import Batch, BatchId, BatchState, Job, JobId, JobState
from stratopt.optimization.strategy_optimizer import optimize_strategy
from stratopt.strategies.catalogue import get_strategy

NAMES = ("MACD", "RSI", "Donchian", "Momentum")


def spec_of(name: str, **validation: Any) -> JobSpec:
    return JobSpec(
        strategy_id=name,
        strategy=name,
        symbol="BTCUSD",
        timeframe="1d",
        start_date="2015-06-01",
        search=SearchConfig(max_evals=12, algorithm="random"),
        validation=ValidationConfig(folds=2, **validation),
    )


def finished_job(index: int, spec: JobSpec, store: ArtifactStore) -> Job:
    found = optimize_strategy(spec, stratopt.load_bars("BTC"), get_strategy(spec.strategy))
    tables = {name: store.put(columns) for name, columns in found.tables.items()}
    return Job(
        job_id=JobId(f"job_{index}"),
        batch_id=BatchId("bat_1"),
        index=index,
        spec=spec,
        state=JobState.SUCCEEDED,
        attempts=1,
        result={**found.result, "artifacts": tables},
        resources={"wall_seconds": 1.5, "cpu_seconds": 1.25, "peak_memory_bytes": 2**27},
    )


def failed_job(index: int, name: str = "Broken", *, state: JobState = JobState.FAILED, **failure: Any) -> Job:
    record = {"code": "strategy_error", "message": "it raised", "context": {}, "traceback": None, **failure}
    return Job(
        job_id=JobId(f"job_{index}"),
        batch_id=BatchId("bat_1"),
        index=index,
        spec=replace(spec_of("MACD"), strategy_id=name, strategy=name),
        state=state,
        failure=record,
        resources={"wall_seconds": 0.5, "cpu_seconds": 0.25},
    )


def batch_of(jobs: Sequence[Job], state: BatchState = BatchState.COMPLETED, **more: Any) -> Batch:
    counts: Mapping[str, int] = {
        "total": len(jobs),
        **{s.value: sum(1 for job in jobs if job.state is s) for s in JobState},
    }
    return Batch(
        batch_id=BatchId("bat_1"),
        state=state,
        counts=counts,
        request={},
        parallel_jobs=2,
        seed=7,
        created_at=1_700_000_000.0,
        started_at=1_700_000_001.0,
        ended_at=1_700_000_005.0,
        **more,
    )


def make_jobs(folder: Path, **validation: Any) -> tuple[list[Job], ArtifactStore]:
    store = ArtifactStore(folder)
    return [finished_job(k, spec_of(name, **validation), store) for k, name in enumerate(NAMES)], store
