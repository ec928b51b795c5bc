"""Statistics over a whole batch: which strategies are better than their benchmark after everything that was tried.

What enters: each job's out-of-sample account and the trials of its last search, as sums over calendar buckets (at most 512 of them,
whatever the bars). Jobs on other series or ranges meet on the widest grid among them; a bucket that a job does not cover is a gap.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np

from stratopt.evaluation.bootstrap import SHORTEST_BLOCK, affordable_draws, common_block_length
from stratopt.evaluation.calendar_grid import MOST_BUCKETS, widen
from stratopt.evaluation.effective_trials import (
    average_correlation_trials,
    cheverud_nyholt,
    correlation_eigenvalues,
    entropy_rank,
    kaiser_count,
    mean_correlation,
    participation_ratio,
    variance_count,
)
from stratopt.evaluation.multiple_testing import step_down_p_values, superior_predictive_ability
from stratopt.evaluation.optimal_clusters import optimal_number_of_clusters
from stratopt.evaluation.overfitting import minimum_backtest_years
from stratopt.evaluation.sharpe import annual_sharpe_needed
from stratopt.evaluation.winner_bias import CorrectedHeadline, corrected_headline
from stratopt.kernels.arrays import AnyArray, Float64Array1D, Float64Array2D, Int64Array1D
from stratopt.optimization.evidence import trial_overfitting
from stratopt.optimization.jobs import Job
from stratopt.optimization.processes import one_library_thread
from stratopt.optimization.trial_ledger import OF_A_FOLD

MOST_OVERFITTING_COLUMNS = 8192
MOST_ABILITY_COLUMNS = 32_768
MOST_CLUSTERED_COLUMNS = 128
FEWEST_BUCKETS = 10


class TableReader(Protocol):
    """Where tables of results are read from: columns by name, a list column as a matrix."""

    def columns(self, name: str) -> Mapping[str, AnyArray]:
        """All columns of a table."""
        ...


@dataclass(frozen=True, kw_only=True)
class BatchStatistics:
    """Tests over a batch; None where they could not be computed.

    ``step_down_p`` by job id; ``correlation`` float64 (M, M) of the out-of-sample returns in the order of ``job_ids``, NaN where two jobs
    share too few buckets.
    """

    trials: int
    trials_in_matrix: int
    strategies: int
    out_of_sample_years: float | None
    sharpe_needed: float | None
    step_down_p: Mapping[str, float | None]
    spa: Mapping[str, Any] | None
    pbo: Mapping[str, Any] | None
    effective_trials: float | None
    effective_trials_by: Mapping[str, float | None] | None
    minimum_backtest_years: float
    headline: CorrectedHeadline | None
    bucket_days: int | None
    buckets: int
    job_ids: Sequence[str]
    correlation: Float64Array2D

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form without the per-job parts."""
        return {
            "trials": self.trials,
            "trials_in_matrix": self.trials_in_matrix,
            "strategies": self.strategies,
            "out_of_sample_years": self.out_of_sample_years,
            "sharpe_needed": self.sharpe_needed,
            "spa": None if self.spa is None else dict(self.spa),
            "pbo": None if self.pbo is None else dict(self.pbo),
            "effective_trials": self.effective_trials,
            "effective_trials_by": None if self.effective_trials_by is None else dict(self.effective_trials_by),
            "minimum_backtest_years": self.minimum_backtest_years,
            "headline": None if self.headline is None else dataclasses.asdict(self.headline),
            "bucket_days": self.bucket_days,
            "buckets": self.buckets,
        }


@dataclass(frozen=True, eq=False)
class _Series:
    """One job on the batch's grid: out-of-sample ``periods``, returns and benchmark, and its trials with their buckets."""

    job: Job
    buckets: Int64Array1D
    periods: float
    returns: Float64Array1D
    benchmark: Float64Array1D
    trial_buckets: Int64Array1D
    trials: AnyArray
    trial_benchmark: AnyArray
    of_last_search: AnyArray


@one_library_thread()
def batch_statistics(jobs: Sequence[Job], reader: TableReader, *, seed: int = 0) -> BatchStatistics:
    """Statistics over the succeeded ``jobs`` of a batch; the same jobs give the same numbers."""
    results = [job.result for job in jobs if job.result is not None]
    trials = sum(result["search"]["evaluations"] for result in results)
    series = _on_one_grid(jobs, reader)
    years = [result["out_of_sample"]["years"] for result in results]
    shortest = min(years, default=None)
    grid, returns = _outside(series)
    excess = _placed(grid, [(s.buckets, (s.returns - s.benchmark)[:, None]) for s in series])
    block = common_block_length(np.nan_to_num(excess), shortest=SHORTEST_BLOCK / _periods_a_bucket(series))
    spa, pbo, effective, in_matrix = _over_trials(series, block, seed)
    entropy = None if effective is None else effective["entropy_rank"]
    p_values, headline = _over_strategies(excess, returns, years, block, seed)
    days = [int(result["evidence"]["bucket_days"]) for result in results]
    return BatchStatistics(
        trials=trials,
        trials_in_matrix=in_matrix,
        strategies=len(results),
        out_of_sample_years=shortest,
        sharpe_needed=None if shortest is None else annual_sharpe_needed(shortest, max(1, len(results))),
        step_down_p={s.job.job_id: p for s, p in zip(series, p_values, strict=True)},
        spa=spa,
        pbo=pbo,
        effective_trials=entropy,
        effective_trials_by=effective,
        minimum_backtest_years=minimum_backtest_years(trials),
        headline=headline,
        bucket_days=max(days, default=None),
        buckets=grid.size,
        job_ids=[s.job.job_id for s in series],
        correlation=_correlation(returns),
    )


@cache
def warm_up() -> None:
    """Load or compile what the tests need, so that the first report does not wait for it."""
    returns = np.sin(np.outer(np.arange(1.0, 65.0), np.arange(1.0, 4.0)))
    superior_predictive_ability(returns, mean_block=SHORTEST_BLOCK)
    trial_overfitting(returns)
    entropy_rank(correlation_eigenvalues(returns))


def _on_one_grid(jobs: Sequence[Job], reader: TableReader) -> list[_Series]:
    """Every job's tables on the widest grid, widened further until all jobs together have at most 512 buckets."""
    loaded = [(job, job.result, reader.columns(job.result["artifacts"]["buckets"])) for job in jobs if job.result]
    if not loaded:
        return []
    width = max(int(result["evidence"]["bucket_days"]) for _, result, _ in loaded)
    spans = [columns["bucket"][[0, -1]] * int(result["evidence"]["bucket_days"]) for _, result, columns in loaded]
    first, last = min(int(s[0]) for s in spans), max(int(s[1]) for s in spans)
    while last // width - first // width + 1 > MOST_BUCKETS:
        width *= 2
    return [_series(job, result, columns, width, reader) for job, result, columns in loaded]


def _series(
    job: Job, result: Mapping[str, Any], columns: Mapping[str, AnyArray], width: int, reader: TableReader
) -> _Series:
    factor = width // int(result["evidence"]["bucket_days"])
    tested = ~np.isnan(columns["oos_return"])
    numbers, pair = widen(
        columns["bucket"][tested],
        np.column_stack([columns["oos_return"][tested], columns["oos_benchmark"][tested]]),
        factor,
    )
    trial_numbers, trials, benchmark = np.empty(0, dtype=np.int64), np.empty((0, 0)), np.empty((0, 0))
    own = np.empty(0, dtype=np.bool_)
    name = result["artifacts"].get("trial_blocks")
    if name is not None:
        table = reader.columns(name)
        at = int(np.searchsorted(columns["bucket"], table["first_bucket"][0]))
        rows = slice(at, at + table["returns"].shape[1])
        trial_numbers, trials = widen(columns["bucket"][rows], table["returns"].T, factor)
        _, asset = widen(columns["bucket"][rows], columns["asset"][rows], factor)
        own = table["number"] != OF_A_FOLD
        benchmark = np.outer(asset, table["mean_weight"]).astype(np.float32)
    periods = float(columns["oos_periods"][tested].sum())
    return _Series(job, numbers, periods, pair[:, 0], pair[:, 1], trial_numbers, trials, benchmark, own)


def _periods_a_bucket(series: Sequence[_Series]) -> float:
    """Mean over all out-of-sample buckets, at least 1."""
    return max(1.0, sum(s.periods for s in series) / max(1, sum(s.buckets.size for s in series)))


def _outside(series: Sequence[_Series]) -> tuple[Int64Array1D, Float64Array2D]:
    """All buckets of the out-of-sample accounts and the accounts on them, NaN in gaps."""
    grid = _union([s.buckets for s in series])
    return grid, _placed(grid, [(s.buckets, s.returns[:, None]) for s in series])


def _over_strategies(
    excess: Float64Array2D, returns: Float64Array2D, years: Sequence[float], block: float, seed: int
) -> tuple[Sequence[float | None], CorrectedHeadline | None]:
    if excess.shape[0] < FEWEST_BUCKETS:
        return [None] * excess.shape[1], None
    per_year = np.sum(~np.isnan(returns), axis=0) / np.asarray(years)
    headline = corrected_headline(returns, periods_per_year=per_year, mean_block=block, seed=seed)
    draws = affordable_draws(*excess.shape)
    return step_down_p_values(excess, mean_block=block, draws=draws, seed=seed), headline


def _over_trials(
    series: Sequence[_Series], block: float, seed: int
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None, Mapping[str, float | None] | None, int]:
    """SPA, PBO and effective numbers over the trials of all jobs, and how many entered."""
    searched = [s for s in series if s.trials.size]
    if len(searched) < len(series) or not searched:
        return None, None, None, 0
    grid = _union([s.trial_buckets for s in searched])
    excess = _placed(grid, [(s.trial_buckets, s.trials - s.trial_benchmark) for s in searched], np.float32)
    excess = _thinned(excess, MOST_ABILITY_COLUMNS)
    ability = superior_predictive_ability(excess, mean_block=block, draws=affordable_draws(*excess.shape), seed=seed)
    shared = _shared(searched)
    return (
        None if ability is None else dataclasses.asdict(ability),
        None if shared is None else trial_overfitting(_thinned(shared, MOST_OVERFITTING_COLUMNS)),
        None if shared is None else _effective_trials(shared, seed),
        excess.shape[1],
    )


def _effective_trials(shared: AnyArray, seed: int) -> Mapping[str, float | None]:
    """Every estimate of the number of unrelated trials, by name; only the entropy rank is used, the others show how far they disagree."""
    eigenvalues = correlation_eigenvalues(shared)
    clusters = optimal_number_of_clusters(_thinned(shared, MOST_CLUSTERED_COLUMNS), seed)
    return {
        "entropy_rank": entropy_rank(eigenvalues),
        "mean_correlation": average_correlation_trials(mean_correlation(shared), shared.shape[1]),
        "participation_ratio": participation_ratio(eigenvalues),
        "kaiser_count": float(kaiser_count(eigenvalues)),
        "principal_components_95": float(variance_count(eigenvalues)),
        "cheverud_nyholt": cheverud_nyholt(eigenvalues),
        "optimal_clusters": None if clusters is None else float(clusters),
    }


def _shared(searched: Sequence[_Series]) -> AnyArray | None:
    """Trials of the last searches of all jobs on the buckets that all of them cover; None without any."""
    common = searched[0].trial_buckets
    for s in searched[1:]:
        common = np.intersect1d(common, s.trial_buckets)
    if common.size < 2:
        return None
    return np.column_stack([s.trials[np.isin(s.trial_buckets, common)][:, s.of_last_search] for s in searched])


def _thinned(values: AnyArray, most: int) -> AnyArray:
    """At most ``most`` columns, evenly spaced."""
    if values.shape[1] <= most:
        return values
    return values[:, np.linspace(0, values.shape[1] - 1, most).astype(np.int64)]


def _union(parts: Sequence[Int64Array1D]) -> Int64Array1D:
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)


def _placed(
    grid: Int64Array1D,
    parts: Sequence[tuple[Int64Array1D, AnyArray]],
    kind: type[np.floating[Any]] = np.float64,
) -> AnyArray:
    """Columns of all parts side by side on ``grid``, NaN where a part has no bucket."""
    found = np.full((grid.size, sum(values.shape[1] for _, values in parts)), np.nan, dtype=kind)
    column = 0
    for buckets, values in parts:
        found[np.searchsorted(grid, buckets), column : column + values.shape[1]] = values
        column += values.shape[1]
    return found


def _correlation(returns: Float64Array2D) -> Float64Array2D:
    """Correlation of every two columns over the rows both have, NaN for fewer than 10 of them or a column that stands still."""
    seen = ~np.isnan(returns)
    filled, mask = np.where(seen, returns, 0.0), seen.astype(np.float64)
    count = mask.T @ mask
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, other = (filled.T @ mask) / count, (mask.T @ filled) / count
        product = (filled.T @ filled) / count - mean * other
        spread = np.sqrt(((filled**2).T @ mask) / count - mean**2)
        other_spread = np.sqrt((mask.T @ filled**2) / count - other**2)
        found = np.clip(product / (spread * other_spread), -1.0, 1.0)
    found[(count < 10) | (spread < 1e-12) | (other_spread < 1e-12)] = math.nan
    return found
