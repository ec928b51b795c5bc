"""Jobs of a plan that cannot succeed, told before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from stratopt.api.services.planning import MarketLookup, StrategyLookup
from stratopt.errors import StratoptError
from stratopt.market.bars import Bars
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.windows import windows_of
from stratopt.search.override import override_space
from stratopt.strategies.base import Strategy


def doomed_jobs(specs: Sequence[JobSpec], strategies: StrategyLookup, market: MarketLookup) -> list[str]:
    """A sentence for each job whose series has too few bars in its range, or no volume where the strategy needs it."""
    series = cache(market.bars)
    reasons: dict[str, str | None] = {}
    for spec in specs:
        if spec.fingerprint not in reasons:
            bars = series(spec.symbol, spec.timeframe)
            reasons[spec.fingerprint] = _refusal(spec, strategies.get(spec.strategy), bars)
    told = ((spec, reasons[spec.fingerprint]) for spec in specs)
    return [f"{s.strategy_id} on {s.symbol} {s.timeframe} will fail: {reason}" for s, reason in told if reason]


def _refusal(spec: JobSpec, strategy: Strategy, bars: Bars) -> str | None:
    try:
        windows_of(spec, strategy, override_space(strategy.space, spec.parameter_space or {}), bars)
    except StratoptError as error:
        return error.message
    return None
