"""Numbers about many results: spread, risk, distribution, efficiency."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from stratopt.optimization.batch_report import RankedResult
from stratopt.optimization.jobs import Batch, Job

SPREAD = ("count", "mean", "median", "lower_quartile", "upper_quartile", "standard_deviation", "minimum", "maximum")
MOST_BINS = 24


def spread(values: Sequence[float | None]) -> dict[str, float | None]:
    """Mean, median, quartiles, deviation (ddof 1) and range of the known values; None without any."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return dict.fromkeys(SPREAD)
    quartiles = statistics.quantiles(known, n=4, method="inclusive") if len(known) > 1 else [known[0]] * 3
    return {
        "count": len(known),
        "mean": statistics.fmean(known),
        "median": quartiles[1],
        "lower_quartile": quartiles[0],
        "upper_quartile": quartiles[2],
        "standard_deviation": statistics.stdev(known) if len(known) > 1 else None,
        "minimum": known[0],
        "maximum": known[-1],
    }


def risk(ranking: Sequence[RankedResult]) -> dict[str, Any]:
    """Out-of-sample risk of the batch: extremes with their strategy, and shares of strategies beyond limits."""
    drawdowns = [(r.out_of_sample["max_drawdown"], r.job_id) for r in ranking]
    volatilities = [(r.out_of_sample["volatility"], r.job_id) for r in ranking]
    known = [(value, job_id) for value, job_id in drawdowns if value is not None]
    moving = [(value, job_id) for value, job_id in volatilities if value is not None]
    return {
        "deepest_drawdown": _extreme(min(known, default=None)),
        "highest_volatility": _extreme(max(moving, default=None)),
        "share_losing": _share([r.out_of_sample["total_return"] for r in ranking], lambda v: v < 0),
        "share_drawdown_over_20_percent": _share([value for value, _ in known], lambda v: v < -0.2),
        "share_drawdown_over_50_percent": _share([value for value, _ in known], lambda v: v < -0.5),
        "median_return_over_drawdown": spread([r.out_of_sample["calmar_ratio"] for r in ranking])["median"],
        "median_sharpe_lost_out_of_sample": spread([_lost(r) for r in ranking])["median"],
    }


def _extreme(found: tuple[float, str] | None) -> dict[str, Any] | None:
    return None if found is None else {"value": found[0], "job_id": found[1]}


def _share(values: Sequence[float | None], holds: Any) -> float | None:
    known = [value for value in values if value is not None]
    return sum(1 for value in known if holds(value)) / len(known) if known else None


def _lost(r: RankedResult) -> float | None:
    inside, outside = r.in_sample["sharpe_ratio"], r.out_of_sample["sharpe_ratio"]
    return None if inside is None or outside is None else inside - outside


def distribution(values: Sequence[float | None]) -> dict[str, Sequence[float]]:
    """Histogram of the known values: ``edges`` (round numbers) and ``counts``."""
    known = [value for value in values if value is not None]
    if not known:
        return {"edges": [], "counts": []}
    low, high = min(known), max(known)
    width = next(w for w in (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0, math.inf) if (high - low) / w < MOST_BINS - 1)
    if math.isinf(width):
        width = (high - low) / MOST_BINS
    first = math.floor(low / width)
    bins = math.floor(high / width) - first + 1
    counts = [0] * bins
    for value in known:
        counts[min(math.floor(value / width) - first, bins - 1)] += 1
    return {"edges": [round((first + k) * width, 10) for k in range(bins + 1)], "counts": counts}


def efficiency(batch: Batch, ended: Sequence[Job], ranking: Sequence[RankedResult]) -> Mapping[str, float | None]:
    """What the batch cost, attempts that were cut short included as far as they told; None where a clock did not run."""
    wall = None if batch.started_at is None or batch.ended_at is None else batch.ended_at - batch.started_at
    last = {name: sum(float(job.resources.get(name, 0.0)) for job in ended) for name in ("wall_seconds", "cpu_seconds")}
    # a batch has at least what the last attempts of its jobs have; one of an old database has no sums of its own
    worked, cpu = max(batch.worker_seconds, last["wall_seconds"]), max(batch.cpu_seconds, last["cpu_seconds"])
    peaks = [batch.peak_memory_bytes, *(job.resources.get("peak_memory_bytes") or 0 for job in ended)]
    evaluations = sum(r.evaluations for r in ranking)
    return {
        "wall_seconds": wall,
        "worker_seconds": worked,
        "cpu_seconds": cpu,
        "parallel_jobs": batch.parallel_jobs,
        "parallel_speedup": worked / wall if wall else None,
        "evaluations_per_second": evaluations / wall if wall else None,
        "evaluations_per_cpu_second": evaluations / cpu if cpu else None,
        "seconds_per_strategy": worked / len(ended) if ended else None,
        "cpu_seconds_per_strategy": cpu / len(ended) if ended else None,
        "peak_memory_bytes": max(peaks) or None,
        "lost_attempts": batch.lost_attempts,
    }
