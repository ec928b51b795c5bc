"""ResultAggregator: finished jobs -> BatchAnalysisReport. Pure: the same jobs and tables give the same report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stratopt.evaluation.verdict import Evidence, Judgement, Verdict, judge
from stratopt.optimization.advice import recommendations
from stratopt.optimization.batch_report import BatchAnalysisReport, FailedItem, RankedResult
from stratopt.optimization.batch_statistics import BatchStatistics, TableReader, batch_statistics
from stratopt.optimization.executive_summary import executive_summary
from stratopt.optimization.jobs import Batch, Job, JobState
from stratopt.optimization.result_details import details
from stratopt.optimization.spreads import distribution, efficiency, risk, spread

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
VERDICT_ORDER = (Verdict.LIKELY_REAL, Verdict.UNPROVEN, Verdict.LIKELY_LUCK)
CATEGORIES = ("excellent", "good", "average", "poor")
"""From best to worst; what is likely real may be excellent, what is unproven good, what is likely luck average."""


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """From where on a result is called so: a yearly out-of-sample Sharpe ratio **and** a percentile of the batch; else it is poor.

    The ratios are absolute, so that the best of a bad batch is not excellent; the percentiles are relative, so that not all of a good
    batch are; and a ratio that luck may have made is not excellent either (``CATEGORIES``).
    """

    excellent: float = 1.5
    good: float = 1.0
    average: float = 0.5
    excellent_percentile: float = 75.0
    good_percentile: float = 40.0
    average_percentile: float = 10.0

    def category(self, sharpe: float | None, percentile: float, verdict: Verdict = Verdict.LIKELY_REAL) -> str:
        """The best category that the verdict allows and of which both limits are reached."""
        if sharpe is None:
            return "poor"
        for name in CATEGORIES[VERDICT_ORDER.index(verdict) : -1]:
            if sharpe >= getattr(self, name) and percentile >= getattr(self, f"{name}_percentile"):
                return name
        return "poor"


class ResultAggregator:
    """Ranks by out-of-sample evidence: by verdict, then by out-of-sample Sharpe ratio; never by the score that was maximised."""

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        self._thresholds = thresholds or Thresholds()

    def aggregate(self, batch: Batch, jobs: Sequence[Job], reader: TableReader | None = None) -> BatchAnalysisReport:
        """The report over the jobs that have ended; failed ones never disappear.

        Without a ``reader`` of the jobs' tables there are no tests over the batch and no pictures, and every verdict says so.
        """
        succeeded = [job for job in jobs if job.state is JobState.SUCCEEDED]
        failures = [_failed(job) for job in jobs if job.state.is_terminal and job.state is not JobState.SUCCEEDED]
        tested = None if reader is None or not succeeded else batch_statistics(succeeded, reader, seed=batch.seed)
        ranking = self._rank(succeeded, tested)
        by_id: dict[str, Job] = {job.job_id: job for job in succeeded}
        statistics = {name: spread([r.out_of_sample[name] for r in ranking]) for name in SHOWN_METRICS}
        evidence = None if tested is None else tested.to_dict()
        correlation = _correlation(ranking, tested)
        advice = recommendations(ranking, failures, evidence, correlation)
        return BatchAnalysisReport(
            batch_id=batch.batch_id,
            label=batch.label,
            status=batch.state.value,
            complete=batch.state.is_terminal,
            seed=batch.seed,
            created_at=batch.created_at,
            ended_at=batch.ended_at,
            counts=dict(batch.counts),
            success_rate=len(succeeded) / (len(succeeded) + len(failures)) if succeeded or failures else None,
            verdicts={v.value: sum(1 for r in ranking if r.verdict == v.value) for v in VERDICT_ORDER},
            categories={c: sum(1 for r in ranking if r.category == c) for c in CATEGORIES},
            ranking=ranking,
            failures=failures,
            statistics=statistics,
            risk=risk(ranking),
            distribution=distribution([r.out_of_sample["sharpe_ratio"] for r in ranking]),
            correlation=correlation,
            evidence=evidence,
            errors_by_code=dict(sorted(Counter(item.code for item in failures).items())),
            errors_by_strategy=dict(sorted(Counter(item.strategy_id for item in failures).items())),
            evaluations=sum(r.evaluations for r in ranking),
            efficiency=efficiency(batch, [job for job in jobs if job.state.is_terminal], ranking),
            recommendations=advice,
            details=() if reader is None else details([by_id[r.job_id] for r in ranking], reader),
            executive_summary=executive_summary(batch, ranking, failures, evidence),
        )

    def _rank(self, jobs: Sequence[Job], tested: BatchStatistics | None) -> Sequence[RankedResult]:
        judged = [(job, _judged(job, tested, len(jobs))) for job in jobs]
        judged.sort(
            key=lambda item: (
                VERDICT_ORDER.index(item[1].verdict),
                -_or_low(_result(item[0])["out_of_sample"]["metrics"]["sharpe_ratio"]),
                item[0].index,
            )
        )
        return [
            self._ranked(rank, job, judgement, tested, len(judged))
            for rank, (job, judgement) in enumerate(judged, start=1)
        ]

    def _ranked(
        self, rank: int, job: Job, judgement: Judgement, tested: BatchStatistics | None, count: int
    ) -> RankedResult:
        result, spec = _result(job), job.spec
        outside = result["out_of_sample"]["metrics"]
        percentile = round(100.0 * (count - rank) / (count - 1), 1) if count > 1 else 100.0
        return RankedResult(
            rank=rank,
            percentile=percentile,
            category=self._thresholds.category(outside["sharpe_ratio"], percentile, judgement.verdict),
            verdict=judgement.verdict.value,
            verdict_reasons=list(judgement.reasons),
            job_id=job.job_id,
            strategy_id=spec.strategy_id,
            strategy=spec.strategy,
            symbol=spec.symbol,
            timeframe=spec.timeframe,
            best_params=result["best_params"],
            in_sample={name: result["in_sample"]["metrics"][name] for name in SHOWN_METRICS},
            out_of_sample={name: outside[name] for name in SHOWN_METRICS},
            out_of_sample_years=result["out_of_sample"]["years"],
            evidence=_evidence(job, judgement, tested),
            robustness=result["robustness"],
            evaluations=result["search"]["evaluations"],
            seconds=job.resources.get("wall_seconds"),
            cpu_seconds=job.resources.get("cpu_seconds"),
        )


def _result(job: Job) -> Mapping[str, Any]:
    assert job.result is not None
    return job.result


def _or_low(value: float | None) -> float:
    return float("-inf") if value is None else value


def _judged(job: Job, tested: BatchStatistics | None, strategies: int) -> Judgement:
    result = _result(job)
    account = result["evidence"]["out_of_sample"]
    metrics, needed = result["out_of_sample"]["metrics"], account["minimum_track_record_periods"]
    evidence = Evidence(
        sharpe=metrics["sharpe_ratio"],
        excess_sharpe=account["excess_sharpe"],
        sharpe_at_double_costs=result["evidence"]["costs"]["sharpe_at"]["2x"],
        trades=int(metrics["trade_count"] or 0),
        periods=account["periods"],
        periods_needed=float("inf") if needed is None else needed,
        step_down_p=None if tested is None else tested.step_down_p.get(job.job_id),
        spa_p=None if tested is None or tested.spa is None else tested.spa["consistent"],
        pbo=None if tested is None or tested.pbo is None else tested.pbo["pbo"],
    )
    trials = result["search"]["evaluations"] if tested is None else tested.trials
    return judge(evidence, trials=trials, strategies=strategies, years=result["out_of_sample"]["years"])


def _evidence(job: Job, judgement: Judgement, tested: BatchStatistics | None) -> dict[str, float | None]:
    found = _result(job)["evidence"]
    account, costs, own = found["out_of_sample"], found["costs"], found.get("trials") or {}
    pbo, near, timing = own.get("pbo") or {}, own.get("plateau") or {}, account["random_timing"] or {}
    return {
        "step_down_p": None if tested is None else tested.step_down_p.get(job.job_id),
        "sharpe_needed": judgement.sharpe_needed,
        "sharpe_standard_error": account["sharpe_standard_error"],
        "excess_sharpe": account["excess_sharpe"],
        "psr": account["psr"],
        "excess_psr": account["excess_psr"],
        "periods": account["periods"],
        "minimum_track_record_periods": account["minimum_track_record_periods"],
        "dsr": own.get("dsr"),
        "dsr_as_published": own.get("dsr_as_published"),
        "effective_trials": own.get("effective"),
        "pbo": pbo.get("pbo"),
        "loss_probability": pbo.get("loss_probability"),
        "plateau_ratio": near.get("ratio"),
        "random_timing_p": timing.get("p_value"),
        "sharpe_at_double_costs": costs["sharpe_at"]["2x"],
        "break_even_cost_multiple": costs["break_even_multiple"],
    }


def _correlation(ranking: Sequence[RankedResult], tested: BatchStatistics | None) -> dict[str, Any]:
    """Rows and columns in the order of the ranking."""
    if tested is None:
        return {"job_ids": [], "rows": []}
    at = {job_id: position for position, job_id in enumerate(tested.job_ids)}
    order = [at[r.job_id] for r in ranking]
    rows = tested.correlation[order][:, order]
    return {
        "job_ids": [r.job_id for r in ranking],
        "rows": [[None if math.isnan(value) else round(float(value), 4) for value in row] for row in rows],
    }


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
