"""BatchAnalysisReport: what a batch found, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class RankedResult:
    """One line of the ranking. ``in_sample`` and ``out_of_sample`` hold the same metrics, fractions and yearly ratios.

    ``verdict`` is likely_real, unproven or likely_luck, with its reasons; ``evidence`` the numbers behind it; ``robustness`` what the
    request asked for beyond.
    """

    rank: int
    percentile: float
    category: str
    verdict: str
    verdict_reasons: Sequence[str]
    job_id: str
    strategy_id: str
    strategy: str
    symbol: str
    timeframe: str
    best_params: Mapping[str, Any]
    in_sample: Mapping[str, float | None]
    out_of_sample: Mapping[str, float | None]
    out_of_sample_years: float
    evidence: Mapping[str, float | None]
    robustness: Mapping[str, Any]
    evaluations: int
    seconds: float | None
    cpu_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class FailedItem:
    """A job without a result, with its reason."""

    job_id: str
    strategy_id: str
    strategy: str
    symbol: str
    timeframe: str
    status: str
    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """What to do next, and the number that says so."""

    advice: str
    because: str


@dataclass(frozen=True, kw_only=True)
class ResultDetail:
    """Series of one ranked result for its pictures, thinned to a few hundred points.

    ``days`` ISO dates; ``wealth`` of the final parameters over all bars and ``oos_wealth`` of the out-of-sample account, both 1 before
    their first bar, ``oos_wealth`` and ``oos_drawdown`` None before it begins; ``monthly_returns`` by month; ``surface`` scores of the last
    search over its two most varied parameters; ``search`` what the last search learned: convergence and parameter importance.
    """

    job_id: str
    days: Sequence[str]
    wealth: Sequence[float]
    oos_wealth: Sequence[float | None]
    oos_drawdown: Sequence[float | None]
    monthly_returns: Mapping[str, float]
    surface: Mapping[str, Any] | None
    search: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class BatchAnalysisReport:
    """The aggregated report of a batch. ``complete`` is False while jobs are still open.

    ``statistics`` spread of each out-of-sample metric; ``evidence`` the tests over the batch; ``correlation`` of the out-of-sample returns
    (``job_ids`` and rows, None where unknown).
    """

    batch_id: str
    label: str | None
    status: str
    complete: bool
    seed: int
    created_at: float
    ended_at: float | None
    counts: Mapping[str, int]
    success_rate: float | None
    verdicts: Mapping[str, int]
    categories: Mapping[str, int]
    ranking: Sequence[RankedResult]
    failures: Sequence[FailedItem]
    statistics: Mapping[str, Mapping[str, float | None]]
    risk: Mapping[str, Any]
    distribution: Mapping[str, Sequence[float]]
    correlation: Mapping[str, Any]
    evidence: Mapping[str, Any] | None
    errors_by_code: Mapping[str, int]
    errors_by_strategy: Mapping[str, int]
    evaluations: int
    efficiency: Mapping[str, float | None]
    recommendations: Sequence[Recommendation]
    details: Sequence[ResultDetail] = field(default_factory=tuple)
    executive_summary: Sequence[str] = field(default_factory=tuple)

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        return asdict(self)
