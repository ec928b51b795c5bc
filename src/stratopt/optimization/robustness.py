"""What a request may ask for beyond the search: Monte Carlo, random entries, regimes, other assets, repeated searches."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stratopt.backtest.engine import backtest_signals
from stratopt.backtest.result import BacktestResult
from stratopt.evaluation.altered_prices import noisy_bars
from stratopt.evaluation.cross_asset import transfer
from stratopt.evaluation.random_timing import random_entry_test
from stratopt.evaluation.regimes import (
    REGIMES,
    RegimeResult,
    by_regime,
    noticeable_difference,
    trend_labels,
    volatility_labels,
)
from stratopt.evaluation.resampling import bootstrap_returns, bootstrap_trades, random_periods
from stratopt.kernels import engine_codes as k
from stratopt.kernels.arrays import AnyArray
from stratopt.market.bars import Bars
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.repeated_searches import combinatorial, permutation
from stratopt.optimization.searches import Search, Searcher
from stratopt.optimization.trial_evaluator import TrialEvaluator
from stratopt.optimization.trial_ledger import account_series
from stratopt.search.parameters import Params
from stratopt.strategies.base import Direction

NOISE_SCALES = (0.05, 0.10, 0.20)
MOST_NOISE_RUNS = 100
FEWEST_TRADES = 5
FEWEST_BARS = 250
RANDOM_ENTRY_SEEDS = 4


def examine(
    spec: JobSpec,
    evaluator: TrialEvaluator,
    searcher: Searcher,
    searches: Sequence[Search],
    *,
    params: Params,
    outside: BacktestResult,
    others: Sequence[Bars],
    first: int,
) -> dict[str, Any]:
    """The parts that ``spec.validation`` asks for, None for the others. ``first`` is the first scored bar."""
    wanted, stop = spec.validation, outside.window.stop
    return {
        "monte_carlo": _monte_carlo(spec, evaluator, params, outside) if wanted.monte_carlo_runs else None,
        "regimes": _regimes(outside) if wanted.regime_analysis else None,
        "cross_asset": _cross_asset(evaluator, params, others) if wanted.cross_asset_validation else None,
        "random_entries": _random_entries(spec, outside) if wanted.random_entry_runs else None,
        "permutation": permutation(spec, evaluator, searcher, searches[-1]) if wanted.permutation_runs else None,
        "combinatorial": combinatorial(spec, evaluator, searcher, first=first, stop=stop)
        if wanted.combinatorial_groups
        else None,
    }


def _monte_carlo(
    spec: JobSpec, evaluator: TrialEvaluator, params: Params, outside: BacktestResult
) -> Mapping[str, Any]:
    runs, per_year = spec.validation.monte_carlo_runs, outside.window.periods_per_year
    seeds = [int(s) for s in np.random.SeedSequence([spec.search_seed, 1]).generate_state(4)]
    account = account_series(outside)
    closed = outside.trade_rows[outside.trade_rows[:, k.TRADE_OPEN] == 0]
    length = max(20, account.returns.size // 4)
    return {
        "returns": bootstrap_returns(account.returns, periods_per_year=per_year, runs=runs, seed=seeds[0]),
        "trades": None
        if len(closed) < FEWEST_TRADES
        else bootstrap_trades(closed[:, k.TRADE_RETURN], runs=runs, seed=seeds[1]),
        "random_periods": None
        if account.returns.size <= length
        else random_periods(account.returns, periods_per_year=per_year, length=length, runs=runs, seed=seeds[2]),
        "price_noise": _price_noise(evaluator, params, outside, min(runs, MOST_NOISE_RUNS), seeds[3]),
    }


def _price_noise(
    evaluator: TrialEvaluator, params: Params, outside: BacktestResult, runs: int, seed: int
) -> list[dict[str, Any]]:
    """Sharpe ratios of the final parameters on the out-of-sample bars when every move is a little different."""
    bars, window = evaluator.bars, outside.window
    found = []
    for scale in NOISE_SCALES:
        ratios = []
        for run in range(runs):
            matrix = noisy_bars(bars.matrix, scale, seed=np.random.default_rng([seed, run]))
            noisy = Bars.trusted(bars.symbol, bars.timeframe, bars.calendar, matrix)
            ratio = _sharpe(evaluator, noisy, params, window.start, window.stop)
            ratios.append(0.0 if ratio is None else ratio)
        low, middle = np.quantile(ratios, [0.05, 0.5])
        found.append({"scale": scale, "sharpe_p05": float(low), "sharpe_p50": float(middle), "runs": runs})
    return found


def _sharpe(evaluator: TrialEvaluator, bars: Bars, params: Params, start: int, stop: int) -> float | None:
    direction = evaluator.execution.direction or Direction.LONG_ONLY
    target = evaluator.strategy.target(bars, params, direction)
    return backtest_signals(
        bars, target, costs=evaluator.costs, execution=evaluator.execution, start=start, stop=stop
    ).sharpe_ratio


def _random_entries(spec: JobSpec, outside: BacktestResult) -> dict[str, Any] | None:
    """Trades of the same number, sides and lengths at random bars of the out-of-sample window, before costs; None without a trade.

    A trade holds from its entry bar up to the bar before its exit, at least one bar; returns are those of the closes.
    """
    columns, window, runs = outside.trade_columns, outside.window, spec.validation.random_entry_runs
    entries = np.asarray(columns["entry_bar"], dtype=np.int64) - window.start
    exits = np.where(columns["open"], len(window), np.asarray(columns["exit_bar"], dtype=np.int64) - window.start)
    kept = exits > entries
    if not kept.any():
        return None
    entries, exits, sides = entries[kept], exits[kept], np.asarray(columns["side"], dtype=np.float64)[kept]
    close = outside.bars.close
    before = np.concatenate([close[:1], close[:-1]])
    returns = (close / before - 1.0)[window.start : window.stop]
    cumulated = np.concatenate([[0.0], np.cumsum(returns)])
    observed = float((sides * (cumulated[exits] - cumulated[entries])).sum()) / returns.size
    seed = np.random.default_rng([spec.search_seed, RANDOM_ENTRY_SEEDS])
    found = random_entry_test(exits - entries, sides, returns, observed=observed, runs=runs, seed=seed)
    per_year = float(outside.bars.periods_per_year)
    return {
        "trades": int(kept.sum()),
        "runs": runs,
        "return_per_year": found.observed * per_year,
        "mean_of_random_per_year": found.mean_of_random * per_year,
        "quantile_95_of_random_per_year": found.quantile_95_of_random * per_year,
        "p_value": found.p_value,
        "standard_error": math.sqrt(found.p_value * (1.0 - found.p_value) / (1 + runs)),
    }


def _regimes(outside: BacktestResult) -> dict[str, Any]:
    """Results by trend and by volatility; each period has the label that was known before it began."""
    bars, window = outside.bars, outside.window
    account = account_series(outside)
    entries = outside.trade_rows[:, k.TRADE_ENTRY_BAR].astype(np.int64)
    begins = window.start + np.concatenate([[0], window.period_ends[:-1] + 1])
    found: dict[str, Any] = {}
    for kind, labels in (("trend", trend_labels(bars.close)), ("volatility", volatility_labels(bars.close))):
        known = _before(labels)
        results = by_regime(
            account.returns,
            known[begins],
            REGIMES[kind],
            periods_per_year=window.periods_per_year,
            trade_labels=known[entries].tolist(),
            bars_per_period=len(window) / account.returns.size,
        )
        found[kind] = {
            "regimes": [dataclasses.asdict(r) for r in results],
            "noticeable_difference": _differs(results),
        }
    return found


def _before(labels: AnyArray) -> AnyArray:
    return np.concatenate([np.array([""], dtype=labels.dtype), labels[:-1]])


def _differs(results: Sequence[RegimeResult]) -> bool | None:
    """Whether any two regimes differ by more than noise; None if fewer than two are known."""
    pairs = [noticeable_difference(a, b) for i, a in enumerate(results) for b in results[i + 1 :]]
    known = [pair for pair in pairs if pair is not None]
    return any(known) if known else None


def _cross_asset(evaluator: TrialEvaluator, params: Params, others: Sequence[Bars]) -> dict[str, Any]:
    """The final parameters, unchanged, on the whole of other series."""
    rows: list[dict[str, Any]] = []
    paths = []
    for bars in others:
        start = min(evaluator.strategy.warmup(params), len(bars))
        if len(bars) - start < FEWEST_BARS or (
            evaluator.strategy.needs_volume and bars.volume.min() == bars.volume.max()
        ):
            continue
        target = evaluator.strategy.target(bars, params, evaluator.execution.direction or Direction.LONG_ONLY)
        result = backtest_signals(bars, target, costs=evaluator.costs, execution=evaluator.execution, start=start)
        metrics = result.metrics
        rows.append(
            {
                "symbol": bars.symbol,
                "content_hash": bars.content_hash,
                "years": result.window.years,
                **{name: metrics[name] for name in ("sharpe_ratio", "total_return", "max_drawdown", "trade_count")},
            }
        )
        paths.append(account_series(result))
    summary = transfer(
        [row["sharpe_ratio"] for row in rows],
        [row["years"] for row in rows],
        _mean_correlation([(p.stamps, p.asset_returns) for p in paths]),
    )
    return {"series": rows, **dataclasses.asdict(summary)}


def _mean_correlation(series: Sequence[tuple[AnyArray, AnyArray]]) -> float:
    """Mean correlation of the assets' returns over the periods that pairs share; pairs that share fewer than 60 count as 1."""
    found = []
    for i, (stamps, returns) in enumerate(series):
        for other_stamps, other_returns in series[i + 1 :]:
            _, at, other_at = np.intersect1d(stamps, other_stamps, return_indices=True)
            shared = np.corrcoef(returns[at], other_returns[other_at])[0, 1] if at.size >= 60 else 1.0
            found.append(float(shared) if np.isfinite(shared) else 1.0)
    return float(np.mean(found)) if found else 0.0
