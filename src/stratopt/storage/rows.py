"""Rows to values and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson
from sqlalchemy import RowMapping

from stratopt.optimization.batch_summary import BatchScope, BestJob
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.jobs import Batch, BatchId, BatchState, Ending, Event, Job, JobId, JobState

EVENT_OF_STATE = {
    JobState.SUCCEEDED: "strategy.completed",
    JobState.FAILED: "strategy.failed",
    JobState.TIMED_OUT: "strategy.failed",
    JobState.CANCELLED: "strategy.failed",
}
SUMS = ("worker_seconds", "cpu_seconds", "peak_memory_bytes", "evaluations", "lost_attempts")
COUNTED = ("queued", "running", "succeeded", "failed", "timed_out", "cancelled")


def dump(document: Any) -> str:
    """JSON text; numpy scalars are allowed, NaN becomes null."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def load(text: str | None) -> Any:
    """The document of a JSON text."""
    return None if text is None else orjson.loads(text)


def batch_row(batch: Batch) -> dict[str, Any]:
    """Columns of a new batch."""
    return {
        "batch_id": batch.batch_id,
        "state": batch.state.value,
        "total": batch.counts["total"],
        **{name: batch.counts[name] for name in COUNTED},
        "request": dump(batch.request),
        "parallel_jobs": batch.parallel_jobs,
        "seed": batch.seed,
        "label": batch.label,
        "metadata": dump(batch.metadata),
        "warnings": dump(batch.warnings),
        "priority": batch.priority,
        "owner": batch.owner,
        "deadline_seconds": batch.deadline_seconds,
        "elapsed_seconds": batch.elapsed_seconds,
        "created_at": batch.created_at,
        "expires_at": batch.expires_at,
        "last_seq": 0,
        "row_version": 0,
        "traceparent": batch.traceparent,
        **(_scope_row(batch.scope) if batch.scope else {}),
    }


def _scope_row(scope: BatchScope) -> dict[str, Any]:
    return {**asdict(scope), "symbols": dump(scope.symbols), "timeframes": dump(scope.timeframes)}


def read_batch(row: RowMapping | Mapping[str, Any]) -> Batch:
    """The batch of a row."""
    return Batch(
        batch_id=BatchId(row["batch_id"]),
        state=BatchState(row["state"]),
        counts={name: row[name] for name in ("total", *COUNTED)},
        request=load(row["request"]),
        parallel_jobs=row["parallel_jobs"],
        seed=row["seed"],
        label=row["label"],
        metadata=load(row["metadata"]),
        warnings=tuple(load(row["warnings"])),
        priority=row["priority"],
        owner=row["owner"],
        deadline_seconds=row["deadline_seconds"],
        elapsed_seconds=row["elapsed_seconds"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        expires_at=row["expires_at"],
        row_version=row["row_version"],
        failure=load(row["failure"]),
        traceparent=row["traceparent"],
        scope=None if row["strategies"] is None else _read_scope(row),
        best=_read_best(row),
        **{name: row[name] for name in SUMS},
    )


def _read_scope(row: RowMapping | Mapping[str, Any]) -> BatchScope:
    return BatchScope(
        symbols=tuple(load(row["symbols"])),
        timeframes=tuple(load(row["timeframes"])),
        **{name: row[name] for name in ("strategies", "start_date", "end_date")},
    )


def _read_best(row: RowMapping | Mapping[str, Any]) -> BestJob | None:
    if row["best_sharpe_ratio"] is None:
        return None
    return BestJob(index=row["best_index"], sharpe_ratio=row["best_sharpe_ratio"], **load(row["best_job"]))


def best_parameters(ended: BestJob | None) -> dict[str, Any]:
    """What ``statements.COUNT_ENDED`` wants to know of a job that may be the best of its batch."""
    if ended is None:
        return {"ratio": None, "place": None, "winner": None}
    return {"ratio": ended.sharpe_ratio, "place": ended.index, "winner": dump(ended.identity)}


def job_row(job: Job) -> dict[str, Any]:
    """Columns of a new job."""
    return {
        "job_id": job.job_id,
        "batch_id": job.batch_id,
        "position": job.index,
        "strategy_id": job.spec.strategy_id,
        "spec": dump(job.spec.to_dict()),
        "state": job.state.value,
        "fence": 0,
        "attempts": 0,
        "evaluations_total": job.evaluations_total,
        "evaluations_done": 0,
        "created_at": job.created_at,
        "resources": "{}",
    }


def read_job(row: RowMapping | Mapping[str, Any]) -> Job:
    """The job of a row; a row read without its result has ``result`` None."""
    return Job(
        job_id=JobId(row["job_id"]),
        batch_id=BatchId(row["batch_id"]),
        index=row["position"],
        spec=JobSpec.from_dict(load(row["spec"])),
        state=JobState(row["state"]),
        fence=row["fence"],
        attempts=row["attempts"],
        evaluations_total=row["evaluations_total"],
        evaluations_done=row["evaluations_done"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        seq=row["seq"],
        result=load(row.get("result")),
        failure=load(row["failure"]),
        resources=load(row["resources"]),
    )


def read_event(row: RowMapping | Mapping[str, Any]) -> Event:
    """The event of a row."""
    return Event(
        batch_id=BatchId(row["batch_id"]),
        seq=row["seq"],
        kind=row["kind"],
        data=load(row["data"]),
        created_at=row["created_at"],
    )


def event_row(batch_id: str, seq: int, kind: str, data: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Columns of an event."""
    return {"batch_id": batch_id, "seq": seq, "kind": kind, "data": dump(data), "created_at": now}


def ending_parameters(ending: Ending, now: float) -> dict[str, Any]:
    """What ``statements.END_JOB`` wants to know of an ending."""
    return {
        "new_state": ending.state.value,
        "now": now,
        "new_result": None if ending.result is None else dump(ending.result),
        "new_failure": None if ending.failure is None else dump(ending.failure.to_dict()),
        "used": dump(ending.resources),
        "evaluated": ending.resources.get("evaluations"),
    }


def costs(used: Mapping[str, Any], *, lost: bool) -> dict[str, float]:
    """What an ended attempt adds to the sums of its batch; evaluations that a checkpoint answered were counted before."""
    return {
        "wall": float(used.get("wall_seconds", 0.0)),
        "cpu": float(used.get("cpu_seconds", 0.0)),
        "evaluated": int(used.get("evaluations", 0)) - int(used.get("evaluations_resumed", 0)),
        "peak": int(used.get("peak_memory_bytes", 0)),
        "lost": int(lost),
    }


def ended_data(row: Mapping[str, Any], ending: Ending) -> dict[str, Any]:
    """What the event of an ended job says."""
    spec = load(row["spec"])
    data = {"job_id": row["job_id"], "index": row["position"], "status": ending.state.value}
    data |= {name: spec[name] for name in ("strategy_id", "strategy", "symbol", "timeframe")}
    if ending.failure:
        data["error"] = {"code": ending.failure.code, "message": ending.failure.message}
    if ending.result is not None:
        data["summary"] = ending.result.get("summary")
    return data
