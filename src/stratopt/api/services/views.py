"""What clients see of batches and jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from stratopt.api.services.titles import TITLES
from stratopt.optimization.batch_summary import BatchScope, BestJob
from stratopt.optimization.jobs import Batch, EvaluationCounts, Job
from stratopt.wire.base import rfc3339

MOVED_BY_THE_CLOCK = frozenset({"eta_seconds", "wall_seconds", "evaluations_per_second", "worker_utilisation"})


def batch_view(
    batch: Batch,
    *,
    evaluations: EvaluationCounts,
    queue_position: int | None,
    usage: Sequence[Mapping[str, float]],
    now: float,
) -> dict[str, Any]:
    """A batch as a status document; ``usage`` is what its running jobs cost so far."""
    base = f"/api/v1/optimize/batch/{batch.batch_id}"
    return {
        "batch_id": batch.batch_id,
        "status": batch.state.value,
        "is_terminal": batch.state.is_terminal,
        "counts": dict(batch.counts),
        **_scope(batch.scope),
        "best": None if batch.best is None else _best(batch.best),
        "progress": {
            "evaluations_done": evaluations.done,
            "evaluations_total": evaluations.total,
            "fraction": round(_fraction(batch, evaluations), 6),
            "eta_seconds": _eta(batch, evaluations, now),
        },
        "queue_position": queue_position,
        "created_at": rfc3339(batch.created_at),
        "started_at": rfc3339(batch.started_at),
        "ended_at": rfc3339(batch.ended_at),
        "expires_at": rfc3339(batch.expires_at),
        "resources": batch_resources(batch, usage, now),
        "parallel_jobs": {"requested": batch.request.get("parallel_jobs"), "effective": batch.parallel_jobs},
        "deadline_seconds": batch.deadline_seconds,
        "seed": batch.seed,
        "label": batch.label,
        "metadata": dict(batch.metadata),
        "warnings": list(batch.warnings),
        "error": None if batch.failure is None else dict(batch.failure),
        "links": {"self": base, **{name: f"{base}/{name}" for name in ("results", "events", "report", "cancel")}},
    }


def version_of(view: Mapping[str, Any]) -> str:
    """Of a status document: another one if anything but the clock made it differ."""
    still = {
        name: {key: part for key, part in value.items() if key not in MOVED_BY_THE_CLOCK}
        if name in {"progress", "resources"}
        else value
        for name, value in view.items()
    }
    return blake2b(orjson.dumps(still, option=orjson.OPT_SERIALIZE_NUMPY), digest_size=12).hexdigest()


def _scope(scope: BatchScope | None) -> dict[str, Any]:
    """What the jobs are about; nulls where a release that did not store it submitted the batch."""
    if scope is None:
        return dict.fromkeys(("strategies", "symbols", "timeframes", "start_date", "end_date"))
    return {
        "strategies": scope.strategies,
        "symbols": list(scope.symbols),
        "timeframes": list(scope.timeframes),
        "start_date": rfc3339(scope.start_date),
        "end_date": rfc3339(scope.end_date),
    }


def _best(best: BestJob) -> dict[str, Any]:
    return {**best.identity, "sharpe_ratio": best.sharpe_ratio}


def batch_resources(batch: Batch, usage: Sequence[Mapping[str, float]], now: float) -> dict[str, Any]:
    """What a batch costs: seconds of the clock, of workers and of CPU, memory, speed, how busy its workers were."""

    def running(name: str) -> float:
        return sum(used.get(name, 0.0) for used in usage)

    wall = 0.0 if batch.started_at is None else max(0.0, (batch.ended_at or now) - batch.started_at)
    worker_seconds = batch.worker_seconds + running("wall_seconds")
    evaluations = batch.evaluations + int(running("evaluations") - running("evaluations_resumed"))
    peaks = [batch.peak_memory_bytes, *(int(used.get("peak_memory_bytes", 0)) for used in usage)]
    return {
        "wall_seconds": round(wall, 3),
        "worker_seconds": round(worker_seconds, 3),
        "cpu_seconds": round(batch.cpu_seconds + running("cpu_seconds"), 3),
        "memory_bytes": int(running("memory_bytes")),
        "peak_memory_bytes": max(peaks) or None,
        "evaluations": evaluations,
        "evaluations_per_second": round(evaluations / wall, 3) if wall else None,
        "lost_attempts": batch.lost_attempts,
        "worker_utilisation": round(min(1.0, worker_seconds / (wall * batch.parallel_jobs)), 4) if wall else None,
    }


def _fraction(batch: Batch, evaluations: EvaluationCounts) -> float:
    ended = batch.counts["total"] - batch.counts["queued"] - batch.counts["running"]
    if batch.state.is_terminal:
        return 1.0
    return evaluations.settled / evaluations.total if evaluations.total else ended / max(1, batch.counts["total"])


def _eta(batch: Batch, evaluations: EvaluationCounts, now: float) -> float | None:
    """Seconds left at the mean speed so far; None where nothing was measured yet."""
    if batch.state.is_terminal:
        return 0.0
    if batch.started_at is None or evaluations.settled <= 0:
        return None
    left = evaluations.total - evaluations.settled
    return round(left * (now - batch.started_at) / evaluations.settled, 1)


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


def result_view(job: Job, *, full: bool = True, usage: Mapping[str, float] | None = None) -> dict[str, Any]:
    """One item of a batch: its result, or the problem that took its place; ``usage`` is what it costs while it runs."""
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
        "resources": dict(usage or job.resources),
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
        "title": TITLES.get(failure["code"], "The optimisation did not succeed"),
        "code": failure["code"],
        "detail": failure["message"],
        **{k: v for k, v in failure.get("context", {}).items() if k not in {"type", "title", "code", "detail"}},
    }
