"""What a list tells of a batch without opening a result: what its jobs are about, and which did best so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stratopt.market.stamps import moment_to_ms
from stratopt.optimization.job_spec import JobSpec


@dataclass(frozen=True, kw_only=True)
class BatchScope:
    """What the jobs of a batch are about, in the order of submission.

    ``start_date`` is the earliest start and ``end_date`` the latest end that they were asked for, in Unix seconds; None where one
    of them is open on that side.
    """

    strategies: int
    symbols: tuple[str, ...]
    timeframes: tuple[str, ...]
    start_date: float | None
    end_date: float | None

    @classmethod
    def of(cls, specs: Sequence[JobSpec]) -> BatchScope:
        """The scope of a batch with these jobs."""
        return cls(
            strategies=len({spec.strategy_id for spec in specs}),
            symbols=tuple(dict.fromkeys(spec.symbol for spec in specs)),
            timeframes=tuple(dict.fromkeys(spec.timeframe for spec in specs)),
            start_date=_outermost(min, (spec.start_date for spec in specs), "start_date"),
            end_date=_outermost(max, (spec.end_date for spec in specs), "end_date"),
        )


def _outermost(choose: Callable[[Iterable[int]], int], moments: Iterable[str | None], field: str) -> float | None:
    found = [moment_to_ms(moment, field=field) for moment in set(moments)]
    limited = [moment for moment in found if moment is not None]
    return choose(limited) / 1000 if limited and len(limited) == len(found) else None


IDENTITY = ("job_id", "strategy_id", "symbol", "timeframe")


@dataclass(frozen=True, kw_only=True)
class BestJob:
    """The job of a batch with the highest out-of-sample Sharpe ratio, the earlier one where two have the same."""

    index: int
    job_id: str
    strategy_id: str
    symbol: str
    timeframe: str
    sharpe_ratio: float

    @classmethod
    def of(cls, told: Mapping[str, Any], result: Mapping[str, Any] | None) -> BestJob | None:
        """An ended job as the best of its batch, ``told`` as its event tells it; None without an out-of-sample Sharpe ratio."""
        outside = (result or {}).get("out_of_sample") or {}
        ratio = outside.get("metrics", {}).get("sharpe_ratio")
        if ratio is None or not math.isfinite(ratio):
            return None
        return cls(**{name: told[name] for name in ("index", *IDENTITY)}, sharpe_ratio=float(ratio))

    @property
    def identity(self) -> dict[str, str]:
        """Which job it is, for those who know the batch."""
        return {name: getattr(self, name) for name in IDENTITY}

    def beats(self, other: BestJob | None) -> bool:
        """Whether this one takes the place of ``other``, in whatever order they ended."""
        return other is None or (self.sharpe_ratio, -self.index) > (other.sharpe_ratio, -other.index)
