"""BatchAnalysisReport: what a batch found, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class RankedResult:
    """One line of the ranking. ``in_sample`` and ``out_of_sample`` hold the same metrics, fractions and yearly ratios."""

    rank: int
    percentile: float
    category: str
    job_id: str
    strategy_id: str
    strategy: str
    symbol: str
    timeframe: str
    best_params: Mapping[str, Any]
    in_sample: Mapping[str, float | None]
    out_of_sample: Mapping[str, float | None]
    evaluations: int


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
class BatchAnalysisReport:
    """The aggregated report of a batch. ``complete`` is False while jobs are still open."""

    batch_id: str
    label: str | None
    status: str
    complete: bool
    seed: int
    created_at: float
    ended_at: float | None
    counts: Mapping[str, int]
    ranking: Sequence[RankedResult]
    failures: Sequence[FailedItem]
    statistics: Mapping[str, Mapping[str, float | None]]
    errors_by_code: Mapping[str, int]
    evaluations: int
    efficiency: Mapping[str, float | None]
    executive_summary: Sequence[str] = field(default_factory=tuple)

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        return asdict(self)
