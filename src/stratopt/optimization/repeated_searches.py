"""Slow checks that repeat the search: combinatorial cross-validation and bar permutation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from stratopt.backtest.result import BacktestResult
from stratopt.evaluation.altered_prices import permuted_bars
from stratopt.evaluation.combinatorial_splits import CombinatorialPurgedSplits, CombinatorialSplit
from stratopt.kernels.arrays import BoolArray1D, Int8Array1D
from stratopt.market.bars import Bars
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.searches import Search, Searcher
from stratopt.optimization.trial_evaluator import TrialEvaluator
from stratopt.search.parameters import Params
from stratopt.strategies.base import Direction, Strategy

EMBARGO_SHARE = 0.01
COMBINATORIAL_SEEDS, PERMUTATION_SEEDS = 2, 3


def combinatorial(
    spec: JobSpec, evaluator: TrialEvaluator, searcher: Searcher, *, first: int, stop: int
) -> dict[str, Any]:
    """Combinatorial purged cross-validation over the bars [first, stop): a search for each split, the tested groups joined to paths.

    A search scores the account that is flat on the tested, purged and embargoed bars. It trains on the future of its test groups and
    its paths share data: a spread of out-of-sample ratios, not a simulation of trading (Lopez de Prado 2018, ch. 12).
    """
    wanted, length = spec.validation, stop - first
    embargo = math.ceil(EMBARGO_SHARE * length) if wanted.embargo_bars is None else wanted.embargo_bars
    splits = CombinatorialPurgedSplits(
        length=length,
        groups=wanted.combinatorial_groups,
        test_groups=wanted.combinatorial_test_groups,
        purge=wanted.purge_bars,
        embargo=embargo,
    )
    seeds = _seeds(spec, COMBINATORIAL_SEEDS, splits.split_count)
    found = [
        _best_of_split(evaluator, searcher, split, seed, first=first, stop=stop)
        for split, seed in zip(splits, seeds, strict=True)
    ]
    accounts = [
        evaluator.backtest(_path_target(evaluator, splits.edges, found, path, first), first, stop)
        for path in splits.paths()
    ]
    ratios = [_ratio(account) for account in accounts]
    return {
        "groups": splits.groups,
        "test_groups": splits.test_groups,
        "purge_bars": splits.purge,
        "embargo_bars": embargo,
        "splits": splits.split_count,
        "splits_without_a_point": sum(1 for params in found if params is None),
        "path_sharpe_ratios": ratios,
        "sharpe_mean": float(np.mean(ratios)),
        "sharpe_deviation": float(np.std(ratios, ddof=1)) if len(ratios) > 1 else None,
        "sharpe_standard_error": 1.0 / math.sqrt(accounts[0].window.years),
        "share_of_losing_paths": sum(1 for account in accounts if (account.metrics["total_return"] or 0.0) < 0.0)
        / len(accounts),
    }


def permutation(spec: JobSpec, evaluator: TrialEvaluator, searcher: Searcher, final: Search) -> dict[str, Any]:
    """The last search repeated on bars in random order: how often does it find as good a point where there is nothing to find?

    p is (1 + permutations that did at least as well) / (1 + permutations), with its binomial error; the luck of the whole search is in it.
    """
    assert final.study.best is not None
    runs, bars, window = spec.validation.permutation_runs, evaluator.bars, final.window
    scores = []
    for seed in _seeds(spec, PERMUTATION_SEEDS, runs):
        shuffled = Bars.trusted(bars.symbol, bars.timeframe, bars.calendar, permuted_bars(bars.matrix, seed))
        other = dataclasses.replace(evaluator, bars=shuffled)
        study = searcher.run(other.window(window.train_start, window.train_stop), seed)
        scores.append(-math.inf if study.best is None else _score(study.best.outcome.score))
    score = _score(final.study.best.outcome.score)
    as_good = sum(1 for other_score in scores if other_score >= score)
    p_value = (1 + as_good) / (1 + runs)
    finite = [other_score for other_score in scores if math.isfinite(other_score)]
    return {
        "runs": runs,
        "score": score,
        "score_p50_of_permuted": float(np.quantile(finite, 0.5)) if finite else None,
        "score_p95_of_permuted": float(np.quantile(finite, 0.95)) if finite else None,
        "without_a_point": runs - len(finite),
        "p_value": p_value,
        "standard_error": math.sqrt(p_value * (1.0 - p_value) / (1 + runs)),
    }


def flat_elsewhere(strategy: Strategy, direction: Direction, allowed: BoolArray1D) -> Strategy:
    """The strategy, flat on the bars that are not ``allowed``."""

    def signal(bars: Bars, params: Params) -> Int8Array1D:
        return np.where(allowed, strategy.target(bars, params, direction), np.int8(0))

    return Strategy(
        name=strategy.name,
        category=strategy.category,
        doc=strategy.doc,
        source=strategy.source,
        space=strategy.space,
        signal=signal,
        warmup=strategy.warmup,
        compiled=False,
        needs_volume=strategy.needs_volume,
    )


def _best_of_split(
    evaluator: TrialEvaluator, searcher: Searcher, split: CombinatorialSplit, seed: int, *, first: int, stop: int
) -> Params | None:
    """The best point on the bars that the split trains on, None where none is feasible."""
    allowed = np.zeros(len(evaluator.bars), dtype=bool)
    allowed[first + split.train - 1] = True  # the target of a bar earns on the bar after it
    masked = dataclasses.replace(evaluator, strategy=flat_elsewhere(evaluator.strategy, evaluator.direction, allowed))
    study = searcher.run(masked.window(first, stop), seed)
    return None if study.best is None else study.best.params


def _path_target(
    evaluator: TrialEvaluator, edges: Sequence[int], found: Sequence[Params | None], path: Any, first: int
) -> Int8Array1D:
    """Each group's targets under the parameters of the split that tested it; flat where that found none."""
    early = 1 if evaluator.execution.fill == "next_open" else 0
    target = np.zeros(len(evaluator.bars), dtype=np.int8)
    for group, split in enumerate(path):
        params = found[int(split)]
        block = slice(max(0, first + edges[group] - early), first + edges[group + 1])
        target[block] = 0 if params is None else evaluator.target(params)[block]
    return target


def _ratio(account: BacktestResult) -> float:
    """Sharpe ratio of a path; an account that never trades has none and counts as 0."""
    return account.sharpe_ratio or 0.0


def _score(score: float | None) -> float:
    return -math.inf if score is None else float(score)


def _seeds(spec: JobSpec, stream: int, count: int) -> list[int]:
    return [int(seed) for seed in np.random.SeedSequence([spec.search_seed, stream]).generate_state(count)]
