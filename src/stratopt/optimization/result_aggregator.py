"""ResultAggregator: finished jobs -> BatchAnalysisReport. Pure: the same jobs give the same report."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stratopt.optimization.batch_report import BatchAnalysisReport, FailedItem, RankedResult
from stratopt.optimization.jobs import Batch, Job, JobState

SHOWN_METRICS = (
    "sharpe_ratio",
    "total_return",
    "cagr",
    "max_drawdown",
    "volatility",
    "sortino_ratio",
    "calmar_ratio",
    "profit_factor",
    "win_rate",
    "trade_count",
    "exposure",
)


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Yearly out-of-sample Sharpe ratios from which a result is called so; below ``average`` it is poor.

    They are absolute, so that the best of a bad batch is not excellent.
    """

    excellent: float = 1.5
    good: float = 1.0
    average: float = 0.5


class ResultAggregator:
    """Ranks by out-of-sample Sharpe ratio, never by the score that the search maximised."""

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        self._thresholds = thresholds or Thresholds()

    def aggregate(self, batch: Batch, jobs: Sequence[Job]) -> BatchAnalysisReport:
        """The report over the jobs that have ended; failed ones never disappear."""
        succeeded = [job for job in jobs if job.state is JobState.SUCCEEDED]
        failed = [job for job in jobs if job.state.is_terminal and job.state is not JobState.SUCCEEDED]
        ranking = self._rank(succeeded)
        failures = [_failed(job) for job in failed]
        return BatchAnalysisReport(
            batch_id=batch.batch_id,
            label=batch.label,
            status=batch.state.value,
            complete=batch.state.is_terminal,
            seed=batch.seed,
            created_at=batch.created_at,
            ended_at=batch.ended_at,
            counts=dict(batch.counts),
            ranking=ranking,
            failures=failures,
            statistics={name: _spread([r.out_of_sample[name] for r in ranking]) for name in SHOWN_METRICS},
            errors_by_code=dict(sorted(Counter(item.code for item in failures).items())),
            evaluations=sum(r.evaluations for r in ranking),
            efficiency=_efficiency(batch, succeeded),
            executive_summary=_sentences(batch, ranking, failures),
        )

    def _rank(self, jobs: Sequence[Job]) -> Sequence[RankedResult]:
        ordered = sorted(
            jobs, key=lambda job: (-_or_low(_result(job)["out_of_sample"]["metrics"]["sharpe_ratio"]), job.index)
        )
        return [self._ranked(rank, job, len(ordered)) for rank, job in enumerate(ordered, start=1)]

    def _ranked(self, rank: int, job: Job, count: int) -> RankedResult:
        result, spec = _result(job), job.spec
        outside = result["out_of_sample"]["metrics"]
        return RankedResult(
            rank=rank,
            percentile=round(100.0 * (count - rank) / (count - 1), 1) if count > 1 else 100.0,
            category=self._category(outside["sharpe_ratio"]),
            job_id=job.job_id,
            strategy_id=spec.strategy_id,
            strategy=spec.strategy,
            symbol=spec.symbol,
            timeframe=spec.timeframe,
            best_params=result["best_params"],
            in_sample={name: result["in_sample"]["metrics"][name] for name in SHOWN_METRICS},
            out_of_sample={name: outside[name] for name in SHOWN_METRICS},
            evaluations=result["search"]["evaluations"],
        )

    def _category(self, sharpe: float | None) -> str:
        limits = self._thresholds
        for name in ("excellent", "good", "average"):
            if sharpe is not None and sharpe >= getattr(limits, name):
                return name
        return "poor"


def _result(job: Job) -> Mapping[str, Any]:
    assert job.result is not None
    return job.result


def _or_low(value: float | None) -> float:
    return float("-inf") if value is None else value


def _failed(job: Job) -> FailedItem:
    spec, failure = job.spec, job.failure or {}
    return FailedItem(
        job_id=job.job_id,
        strategy_id=spec.strategy_id,
        strategy=spec.strategy,
        symbol=spec.symbol,
        timeframe=spec.timeframe,
        status=job.state.value,
        code=failure["code"],
        message=failure["message"],
    )


def _spread(values: Sequence[float | None]) -> dict[str, float | None]:
    known = sorted(value for value in values if value is not None)
    if not known:
        return dict.fromkeys(
            ("count", "mean", "median", "lower_quartile", "upper_quartile", "standard_deviation", "minimum", "maximum")
        )
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


def _efficiency(batch: Batch, jobs: Sequence[Job]) -> dict[str, float | None]:
    wall = None if batch.started_at is None or batch.ended_at is None else batch.ended_at - batch.started_at
    worked = sum(float(job.resources.get("wall_seconds", 0.0)) for job in jobs)
    evaluations = sum(_result(job)["search"]["evaluations"] for job in jobs)
    return {
        "wall_seconds": wall,
        "worker_seconds": worked,
        "cpu_seconds": sum(float(job.resources.get("cpu_seconds", 0.0)) for job in jobs),
        "parallel_speedup": worked / wall if wall else None,
        "evaluations_per_second": evaluations / wall if wall else None,
    }


def _sentences(batch: Batch, ranking: Sequence[RankedResult], failures: Sequence[FailedItem]) -> Sequence[str]:
    total = batch.counts["total"]
    sentences = [f"{len(ranking)} of {total} optimisations succeeded, {len(failures)} did not."]
    if not ranking:
        return [*sentences, "There is nothing to rank; the errors below say why."]
    best = ranking[0]
    evaluations = sum(r.evaluations for r in ranking)
    sentences.append(
        f"Best out of sample: {best.strategy_id} on {best.symbol} {best.timeframe} with a yearly Sharpe ratio of {_number(best.out_of_sample['sharpe_ratio'])} "
        f"(in sample {_number(best.in_sample['sharpe_ratio'])})."
    )
    positive = sum(1 for r in ranking if _or_low(r.out_of_sample["total_return"]) > 0)
    sentences.append(f"{positive} of {len(ranking)} made money on bars that their search never saw, after costs.")
    sentences.append(
        f"{evaluations} parameter sets were tried to find these. The best of many tries looks good by luck alone: read the first rank as a candidate, not as proof."
    )
    return sentences


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"
