"""Which bars of a series a job searches and tests, known before anything is computed."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from stratopt.evaluation.splits import Fold, hold_out, walk_forward
from stratopt.market.bars import Bars
from stratopt.market.stamps import moment_to_ms
from stratopt.optimization.exceptions import OptimizationError
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.trial_evaluator import longest_warmup
from stratopt.search.parameter_space import ParameterSpace
from stratopt.strategies.base import Strategy

MOST_WARMUP_SHARE = 0.25
DEFAULT_OUT_OF_SAMPLE_RATIO = {True: 0.6, False: 0.3}


@dataclass(frozen=True, kw_only=True)
class Windows:
    """``bars`` until the job's end date, ``warmup`` bars that a point may need, the ``first`` scored bar, and the folds from there on."""

    bars: Bars
    warmup: int
    first: int
    folds: Sequence[Fold]


def windows_of(spec: JobSpec, strategy: Strategy, space: ParameterSpace, bars: Bars) -> Windows:
    """How a job would use ``bars``.

    Raises
    ------
    OptimizationError
        ``data_unavailable`` when the strategy needs a volume that the series does not have.
    StratoptError
        ``insufficient_data`` when the windows would be too short.
    """
    if strategy.needs_volume:
        _refuse_constant_volume(bars, strategy)
    bars = bars_until(bars, spec.end_date)
    warmup = longest_warmup(strategy, space)
    first = _first_scored_bar(spec, bars, warmup)
    return Windows(bars=bars, warmup=warmup, first=first, folds=_folds(spec, first, len(bars)))


def bars_until(bars: Bars, end_date: str | None) -> Bars:
    """The bars of a job: all before its end date, for those before its start date warm up."""
    end = moment_to_ms(end_date, field="end_date")
    return bars if end is None else bars[: bisect.bisect_left(bars.open_time, end)]


def _refuse_constant_volume(bars: Bars, strategy: Strategy) -> None:
    if len(bars) and bars.volume.min() == bars.volume.max():
        raise OptimizationError(
            f"{strategy.name} reads the volume, but the volume of {bars.symbol} {bars.timeframe} is {bars.volume[0]:g} on every bar; "
            "take a series with volume or a strategy that does not need it",
            code="data_unavailable",
            symbol=bars.symbol,
        )


def _first_scored_bar(spec: JobSpec, bars: Bars, warmup: int) -> int:
    """Where scoring starts: at the start date, or later where earlier bars are too few for the longest warm-up.

    The delay is at most a quarter of the bars; a point that needs longer is flat until it is warm.
    """
    start = moment_to_ms(spec.start_date, field="start_date")
    begin = 0 if start is None else bisect.bisect_left(bars.open_time, start)
    return max(begin, min(warmup, begin + int((len(bars) - begin) * MOST_WARMUP_SHARE)))


def _folds(spec: JobSpec, first: int, stop: int) -> Sequence[Fold]:
    ratio = spec.validation.out_of_sample_ratio or DEFAULT_OUT_OF_SAMPLE_RATIO[spec.search.cross_validation]
    if not spec.search.cross_validation:
        return hold_out(first, stop, ratio)
    return walk_forward(
        first, stop, out_of_sample_ratio=ratio, folds=spec.validation.folds, anchored=spec.validation.anchored
    )
