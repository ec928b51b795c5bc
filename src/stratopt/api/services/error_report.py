"""The error report of a batch: what failed, how often, whether it gets worse, what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from stratopt.api.services.views import error_view, identity
from stratopt.optimization.jobs import Batch, Job, JobState

ADVICE: Mapping[str, str] = {
    "strategy_error": "Read the message of each strategy: it names the exception and its line. The others are not affected.",
    "invalid_parameter_space": "Give every parameter a range that its strategy accepts; GET /api/v1/strategies/{name} shows them.",
    "not_serializable": "Let the strategy return numbers, text and lists of them only.",
    "no_trades": "Widen the parameter space or the date range, lower min_trades, or allow the side that the strategy takes (execution.direction).",
    "infeasible": "Relax the constraints, or maximise something that is defined: the message counts the points by reason.",
    "look_ahead": "Compute the target of each bar from bars up to its own close only.",
    "timeout": "Raise timeout_minutes, lower max_evals, or take coarser bars.",
    "deadline_exceeded": "Raise deadline_minutes, ask for less, or give the batch more parallel_jobs.",
    "out_of_memory": "Shorten the date range or raise STRATOPT_WORKER_MEMORY_LIMIT_MEGABYTES.",
    "worker_died": "The strategy probably crashes native code or is killed for its memory; run it alone with `stratopt optimize`.",
    "data_unavailable": "Check the series with `stratopt data validate`, or choose one with the columns that the strategy needs.",
    "corrupt_series": "Import the series again with `stratopt data import`.",
    "corrupt_map": "Restart the server: it writes the memory map of the series anew. Check the disk if that comes back.",
    "insufficient_data": "Widen the date range, take a finer timeframe, or fewer folds.",
    "cancelled": "Submit the rest again with POST .../retry.",
    "internal_error": "This is a fault of stratopt; the server's log has the details.",
}


def error_report(batch: Batch, jobs: Sequence[Job]) -> dict[str, Any]:
    """By code, by strategy, rate, trend and advice, over the jobs that have ended."""
    ended = sorted((job for job in jobs if job.seq is not None), key=lambda job: job.seq or 0)
    failed = [job for job in ended if job.state is not JobState.SUCCEEDED]
    codes = Counter(_code(job) for job in failed)
    return {
        "batch_id": batch.batch_id,
        "complete": batch.state.is_terminal,
        "ended": len(ended),
        "failed": len(failed),
        "error_rate": len(failed) / len(ended) if ended else None,
        "by_code": dict(codes.most_common()),
        "by_strategy": dict(Counter(job.spec.strategy for job in failed).most_common()),
        "trend": _trend(ended),
        "recommendations": [
            {"code": code, "count": n, "text": ADVICE[code]} for code, n in codes.most_common() if code in ADVICE
        ],
        "items": [{**identity(job), "status": job.state.value, "error": error_view(job)} for job in failed],
    }


def _code(job: Job) -> str:
    return str((job.failure or {})["code"])


def _trend(ended: Sequence[Job]) -> dict[str, Any]:
    """The error rate of the first and of the second half, in the order in which jobs ended."""
    half = len(ended) // 2
    if half == 0:
        return {"first_half_rate": None, "second_half_rate": None, "direction": "unknown"}
    first, second = (
        sum(job.state is not JobState.SUCCEEDED for job in part) / len(part) for part in (ended[:half], ended[half:])
    )
    direction = "rising" if second > first else "falling" if second < first else "steady"
    return {"first_half_rate": first, "second_half_rate": second, "direction": direction}
