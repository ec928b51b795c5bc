"""What a job hands to the statistics of its batch: facts about its own trials and account, and tables on the common calendar grid."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from stratopt.backtest.costs import Costs
from stratopt.backtest.result import BacktestResult
from stratopt.evaluation.calendar_grid import CalendarGrid, calendar_grid, grid_of_width
from stratopt.evaluation.cost_stress import break_even_multiple
from stratopt.evaluation.effective_trials import correlation_eigenvalues, entropy_rank
from stratopt.evaluation.overfitting import deflated_sharpe_ratio, minimum_backtest_years
from stratopt.evaluation.pbo import block_totals, overfitting_by_group
from stratopt.evaluation.random_timing import circular_shift_test
from stratopt.evaluation.sharpe import (
    SharpeMoments,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
    sharpe_moments,
    sharpe_variance,
)
from stratopt.evaluation.stability import plateau
from stratopt.kernels.arrays import AnyArray, Int8Array1D
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.trial_evaluator import TrialEvaluator
from stratopt.optimization.trial_ledger import OF_A_FOLD, AccountSeries, TrialLedger, account_series, keep_ledger
from stratopt.search.parameters import Params
from stratopt.search.study import StudyResult

COST_MULTIPLES = (1.0, 2.0, 3.0)
FEWEST_ROWS_A_BLOCK = 2
PBO_BLOCKS = (16, 8)
SAME_DIRECTION = 1e-6


@dataclass(frozen=True, kw_only=True)
class GatheredEvidence:
    """JSON-safe facts and tables of one job."""

    facts: Mapping[str, Any]
    tables: Mapping[str, Mapping[str, Any]]


def gather_evidence(
    spec: JobSpec,
    evaluator: TrialEvaluator,
    *,
    study: StudyResult,
    inside: BacktestResult,
    outside: BacktestResult,
    stitched: Int8Array1D,
    first: int,
    unguided: Sequence[Params] = (),
) -> GatheredEvidence:
    """Facts of the last search ``study``, its best account ``inside``, and the out-of-sample account ``outside`` of ``stitched``.

    ``unguided`` are other points that were tried, as ``keep_ledger`` takes them.
    """
    stop = outside.window.stop
    assert study.best is not None
    whole = account_series(evaluator.backtest(evaluator.target(study.best.params), first, stop))
    grid = calendar_grid(whole.stamps)
    account = account_series(outside)
    facts: dict[str, Any] = {
        "bucket_days": grid.days,
        "out_of_sample": _account_facts(account, outside),
        "costs": _cost_facts(evaluator, stitched, outside),
        "monthly_returns": _monthly(account),
    }
    tables: dict[str, Mapping[str, Any]] = {"buckets": _bucket_table(grid, whole, account)}
    if spec.validation.statistical_tests:
        window = inside.window
        ledger = keep_ledger(evaluator, study.trials, window.start, window.stop, grid.days, unguided=unguided)
        facts["trials"] = _trial_facts(ledger, study, account_series(inside), inside)
        tables["trial_blocks"] = _trial_table(ledger)
    return GatheredEvidence(facts=facts, tables=tables)


def _account_facts(account: AccountSeries, outside: BacktestResult) -> dict[str, Any]:
    """What the out-of-sample returns alone say, against cash and against the asset at equal exposure."""
    benchmark = account.mean_weight * account.asset_returns
    excess = sharpe_moments(account.returns - benchmark)
    annual = math.sqrt(outside.window.periods_per_year)
    moments = sharpe_moments(account.returns)
    facts: dict[str, Any] = {
        "periods": account.returns.size,
        "mean_weight": account.mean_weight,
        "excess_sharpe": None if excess is None else excess.sharpe * annual,
        "sharpe_standard_error": None,
        "psr": None,
        "excess_psr": None if excess is None else _psr(excess),
        "minimum_track_record_periods": None,
    }
    if moments is not None:
        variance = sharpe_variance(
            moments.sharpe, moments.periods, skewness=moments.skewness, kurtosis=moments.kurtosis
        )
        needed = minimum_track_record_length(moments.sharpe, skewness=moments.skewness, kurtosis=moments.kurtosis)
        facts["sharpe_standard_error"] = math.sqrt(variance) * annual
        facts["psr"] = _psr(moments)
        facts["minimum_track_record_periods"] = needed if math.isfinite(needed) else None
    facts["random_timing"] = _timing(account, outside)
    return facts


def _psr(moments: SharpeMoments) -> float:
    return probabilistic_sharpe_ratio(
        moments.sharpe, moments.periods, skewness=moments.skewness, kurtosis=moments.kurtosis
    )


def _timing(account: AccountSeries, outside: BacktestResult) -> dict[str, Any] | None:
    """The account's own positions at every other time; None if it never traded."""
    if not len(outside.trade_rows):
        return None
    held = np.zeros(account.returns.size)
    positions = outside.trade_columns
    ends, start = outside.window.period_ends, outside.window.start
    for entry, exit_, side, is_open in zip(
        positions["entry_bar"], positions["exit_bar"], positions["side"], positions["open"], strict=True
    ):
        last = ends.size if is_open else int(np.searchsorted(ends, exit_ - start))
        held[int(np.searchsorted(ends, entry - start)) : last] = side
    return dataclasses.asdict(circular_shift_test(held, account.asset_returns))


def _cost_facts(evaluator: TrialEvaluator, stitched: Int8Array1D, outside: BacktestResult) -> dict[str, Any]:
    """Annual ratio of the out-of-sample account at dearer trading, and where it is gone."""
    window = outside.window
    most = min(64.0, _largest_multiple(evaluator.costs))

    def sharpe_at(multiple: float) -> float | None:
        dearer = scaled_costs(evaluator.costs, min(multiple, most))
        return evaluator.backtest(stitched, window.start, window.stop, costs=dearer).sharpe_ratio

    free = evaluator.costs == scaled_costs(evaluator.costs, 0.0)
    even = None if free else break_even_multiple(sharpe_at)
    if even is not None and not even < most:
        even = None
    return {
        "sharpe_at": {f"{multiple:g}x": sharpe_at(multiple) for multiple in COST_MULTIPLES},
        "break_even_multiple": even,
        "break_even_fee_bps": None if even is None else even * evaluator.costs.fee_bps,
    }


def scaled_costs(costs: Costs, multiple: float) -> Costs:
    """Every cost times ``multiple``."""
    names = ("fee_bps", "slippage_bps", "spread_bps", "fixed_fee", "minimum_fee", "borrow_rate")
    return dataclasses.replace(costs, **{name: getattr(costs, name) * multiple for name in names})


def _largest_multiple(costs: Costs) -> float:
    """Up to where the scaled costs are within their limits."""
    rates = max(costs.fee_bps, costs.slippage_bps, costs.spread_bps) / 2_000.0
    return 1.0 / max(rates, costs.borrow_rate / 10.0, costs.fixed_fee / 1e9, costs.minimum_fee / 1e9, 1e-6)


def _monthly(account: AccountSeries) -> dict[str, float]:
    """Compounded out-of-sample return of each calendar month."""
    months = account.stamps.astype("datetime64[ms]").astype("datetime64[M]")
    begins = np.flatnonzero(np.concatenate([[True], np.diff(months).astype(np.int64) != 0]))
    growth = np.multiply.reduceat(1.0 + account.returns, begins) - 1.0
    return {str(month): float(value) for month, value in zip(months[begins], growth, strict=True)}


def _bucket_table(grid: CalendarGrid, whole: AccountSeries, account: AccountSeries) -> dict[str, Any]:
    """One row a bucket of all scored bars; the out-of-sample columns are NaN before it begins."""
    tested = grid_of_width(account.stamps, grid.days)
    at = np.searchsorted(grid.numbers, tested.numbers)
    columns: dict[str, AnyArray] = {
        "bucket": grid.numbers,
        "periods": grid.periods,
        "asset": grid.sums(whole.asset_returns),
        **{f"final_{name}": values for name, values in _path(grid, whole.returns).items()},
    }
    outside = {
        "oos_periods": tested.periods.astype(np.float64),
        "oos_return": tested.sums(account.returns),
        "oos_benchmark": tested.sums(account.mean_weight * account.asset_returns),
        **{f"oos_{name}": values for name, values in _path(tested, account.returns).items()},
    }
    for name, values in outside.items():
        columns[name] = np.full(grid.numbers.size, np.nan)
        columns[name][at] = values
    return columns


def _path(grid: CalendarGrid, returns: AnyArray) -> dict[str, AnyArray]:
    """Wealth (1 before the first return) at each bucket's end and the deepest drawdown within it."""
    wealth = np.cumprod(1.0 + returns)
    drawdown = wealth / np.maximum(np.maximum.accumulate(wealth), 1.0) - 1.0
    return {
        "wealth": wealth[grid.first_periods[1:] - 1],
        "drawdown": np.minimum.reduceat(drawdown, grid.first_periods[:-1]),
    }


def _trial_facts(
    ledger: TrialLedger, study: StudyResult, best: AccountSeries, inside: BacktestResult
) -> dict[str, Any]:
    """How much the best point of the search owes to the number of points."""
    own = ledger.returns[:, ledger.numbers != OF_A_FOLD]
    effective = entropy_rank(correlation_eigenvalues(own))
    moments = sharpe_moments(best.returns)
    ratios = np.array([t.outcome.facts["sharpe_ratio"] for t in study.trials]) / math.sqrt(
        inside.window.periods_per_year
    )
    ratios = ratios[np.isfinite(ratios)]
    count = len(study.trials)
    near = plateau([t.params for t in study.trials[:2048]], [t.outcome.score for t in study.trials[:2048]])
    return {
        "in_matrix": int(ledger.numbers.size),
        "of_last_search": ledger.trials_of_search,
        "effective": effective,
        "dsr": None
        if moments is None
        else deflated_sharpe_ratio(moments, trials=effective, trial_variance=1.0 / moments.periods),
        "dsr_as_published": None
        if moments is None or ratios.size < 2
        else deflated_sharpe_ratio(moments, trials=count, trial_variance=float(ratios.var(ddof=1))),
        "minimum_backtest_years": minimum_backtest_years(count),
        "pbo": trial_overfitting(own),
        "plateau": None if near is None else dataclasses.asdict(near),
    }


def trial_overfitting(returns: AnyArray) -> dict[str, Any] | None:
    """CSCV over the columns; None for fewer than two that vary, for columns that are all the same but for their scale, as nothing was
    chosen then, or too few rows for eight blocks.
    """
    varying = returns[:, np.ptp(returns, axis=0) > 0]
    if varying.shape[1] < 2 or _all_same(varying):
        return None
    for blocks in PBO_BLOCKS:
        if returns.shape[0] // blocks >= FEWEST_ROWS_A_BLOCK:
            sums, squares, rows = block_totals(varying, blocks)
            found = overfitting_by_group(sums, squares, rows, groups=[varying.shape[1]])[-1]
            return {**dataclasses.asdict(found), "blocks": blocks}
    return None


def _all_same(returns: AnyArray) -> bool:
    """Whether every column, scaled to length 1, is the same: all have one Sharpe ratio in every block."""
    directions = returns / np.linalg.norm(returns, axis=0)
    return bool(np.ptp(directions, axis=1).max() < SAME_DIRECTION)


def _trial_table(ledger: TrialLedger) -> dict[str, Any]:
    """One row a trial; ``returns`` are its bucket sums in the order of the buckets of the searched bars."""
    rows = np.ascontiguousarray(ledger.returns.T)
    return {
        "number": ledger.numbers,
        "mean_weight": ledger.mean_weights,
        "first_bucket": np.full(ledger.numbers.size, ledger.grid.numbers[0]),
        "returns": pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1]),
    }
