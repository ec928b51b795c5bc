"""What clients see of batches and jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stratopt.optimization.jobs import Batch, Job
from stratopt.wire.base import rfc3339


def batch_view(batch: Batch, *, evaluations: tuple[int, int], queue_position: int | None, now: float) -> dict[str, Any]:
    """A batch as a status document."""
    done, total = evaluations
    base = f"/api/v1/optimize/batch/{batch.batch_id}"
    return {
        "batch_id": batch.batch_id,
        "status": batch.state.value,
        "is_terminal": batch.state.is_terminal,
        "counts": dict(batch.counts),
        "progress": {
            "evaluations_done": done,
            "evaluations_total": total,
            "fraction": round(_fraction(batch, done, total), 6),
            "eta_seconds": _eta(batch, done, total, now),
        },
        "queue_position": queue_position,
        "created_at": rfc3339(batch.created_at),
        "started_at": rfc3339(batch.started_at),
        "ended_at": rfc3339(batch.ended_at),
        "expires_at": rfc3339(batch.expires_at),
        "parallel_jobs": {"requested": batch.request.get("parallel_jobs"), "effective": batch.parallel_jobs},
        "deadline_seconds": batch.deadline_seconds,
        "seed": batch.seed,
        "label": batch.label,
        "metadata": dict(batch.metadata),
        "warnings": list(batch.warnings),
        "error": None if batch.failure is None else dict(batch.failure),
        "links": {"self": base, **{name: f"{base}/{name}" for name in ("results", "events", "report", "cancel")}},
    }


def _fraction(batch: Batch, done: int, total: int) -> float:
    ended = batch.counts["total"] - batch.counts["queued"] - batch.counts["running"]
    if batch.state.is_terminal:
        return 1.0
    return done / total if total else ended / max(1, batch.counts["total"])


def _eta(batch: Batch, done: int, total: int, now: float) -> float | None:
    """Seconds left at the mean speed so far; None where nothing was measured yet."""
    if batch.state.is_terminal:
        return 0.0
    if batch.started_at is None or done <= 0:
        return None
    return round((total - done) * (now - batch.started_at) / done, 1)


def identity(job: Job) -> dict[str, Any]:
    """Which job of the batch this is."""
    spec = job.spec
    return {
        "job_id": job.job_id,
        "index": job.index,
        "strategy_id": spec.strategy_id,
        "strategy": spec.strategy,
        "symbol": spec.symbol,
        "timeframe": spec.timeframe,
    }


def result_view(job: Job, *, full: bool = True) -> dict[str, Any]:
    """One item of a batch: its result, or the problem that took its place."""
    view = {
        **identity(job),
        "status": job.state.value,
        "is_terminal": job.state.is_terminal,
        "evaluations": {"done": job.evaluations_done, "total": job.evaluations_total},
        "attempts": job.attempts,
        "started_at": rfc3339(job.started_at),
        "ended_at": rfc3339(job.ended_at),
        "result": dict(job.result) if job.result is not None else None,
        "error": error_view(job),
        "resources": dict(job.resources),
    }
    if full:
        view["config"] = job.spec.to_dict()
    return view


def error_view(job: Job) -> Mapping[str, Any] | None:
    """Why the job has no result; tracebacks stay inside."""
    if job.failure is None:
        return None
    failure = job.failure
    return {
        "type": f"/errors/{failure['code']}",
        "title": ITEM_TITLES.get(failure["code"], "The optimisation did not succeed"),
        "code": failure["code"],
        "detail": failure["message"],
        **{k: v for k, v in failure.get("context", {}).items() if k not in {"type", "title", "code", "detail"}},
    }


ITEM_TITLES: Mapping[str, str] = {
    "strategy_error": "The strategy raised an error",
    "invalid_parameter_space": "The parameter space cannot be searched",
    "data_unavailable": "There is no usable market data",
    "insufficient_data": "There are too few bars",
    "no_trades": "No parameters led to enough trades",
    "look_ahead": "The strategy knows the future",
    "timeout": "The job reached its time limit",
    "deadline_exceeded": "The batch reached its time limit",
    "out_of_memory": "The job needed too much memory",
    "worker_died": "The worker process died",
    "cancelled": "The job was cancelled",
    "not_serializable": "The result cannot be written as JSON",
    "internal_error": "Something broke on our side",
}
