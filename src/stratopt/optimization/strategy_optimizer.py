"""One strategy on one series: search inside the training windows, test on untouched bars, tell both."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from stratopt.backtest.result import BacktestResult
from stratopt.evaluation.splits import Fold
from stratopt.kernels.arrays import Int8Array1D
from stratopt.market.bars import Bars
from stratopt.optimization.evidence import gather_evidence
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.manifest import code_hash, manifest
from stratopt.optimization.robustness import examine
from stratopt.optimization.searches import FINAL, Search, Searcher
from stratopt.optimization.study_checkpoints import StudyCheckpoints
from stratopt.optimization.trial_evaluator import TrialEvaluator
from stratopt.optimization.windows import windows_of
from stratopt.optimization.without_score import refuse_without_score
from stratopt.search.importance import parameter_importance
from stratopt.search.override import override_space
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Params
from stratopt.strategies.base import Direction, Strategy
from stratopt.strategies.catalogue import is_built_in
from stratopt.strategies.look_ahead import refuse_chosen_look_ahead, refuse_look_ahead

MOST_OF_FRONT = 16


@dataclass(frozen=True, kw_only=True)
class Optimized:
    """What a job found: a JSON-safe result and the tables that belong to it."""

    result: Mapping[str, Any]
    tables: Mapping[str, Mapping[str, Any]]


def optimize_strategy(
    spec: JobSpec,
    bars: Bars,
    strategy: Strategy,
    *,
    other_bars: Sequence[Bars] = (),
    on_progress: Callable[[int], None] | None = None,
    checkpoints: StudyCheckpoints | None = None,
) -> Optimized:
    """Search and test one strategy.

    ``bars`` may begin before the spec's start date: earlier bars serve as warm-up. With walk-forward every fold is searched on
    its own window and tested on the block after it; the blocks are stitched into one out-of-sample account. The result depends on
    nothing but the spec, the bars and the strategy's code. ``other_bars`` are the assets that cross-asset validation tries.
    With ``checkpoints`` searches go on where an interrupted attempt was, with the same result.

    Raises
    ------
    StrategyError
        ``look_ahead`` when the strategy knows the future, before the search or at a point that a search chose.
    OptimizationError
        ``no_trades`` when no search found a point that trades enough, ``infeasible`` when points traded and none has a score,
        ``insufficient_data`` when the windows would be too short.
    """
    space = override_space(strategy.space, spec.parameter_space or {})
    windows = windows_of(spec, strategy, space, bars)
    bars, first = windows.bars, windows.first
    direction = spec.execution.direction or Direction.LONG_ONLY
    refuse_look_ahead(strategy, space, bars, direction=direction, warmup=windows.warmup, seed=spec.search_seed)
    evaluator = TrialEvaluator(
        bars=bars,
        strategy=strategy,
        costs=spec.costs,
        execution=spec.execution,
        objective=spec.search.objective,
        min_trades=spec.search.min_trades,
        objectives=spec.search.objectives or (),
        constraints=spec.search.constraints or (),
    )
    inputs = {"bars": bars.content_hash, "strategy": strategy.source_hash, "code": code_hash()} if checkpoints else {}
    searcher = Searcher(spec, space, on_progress, checkpoints=checkpoints, inputs=inputs)
    searches = _search_all(spec, evaluator, searcher, windows.folds, first)
    refuse_without_score(spec, evaluator, searches)
    if not is_built_in(strategy):
        chosen = _chosen(spec, space, searches)
        refuse_chosen_look_ahead(
            strategy, chosen, bars, direction=direction, warmup=windows.warmup, seed=spec.search_seed
        )
    return _tell(spec, space, evaluator, searcher, searches, first, other_bars)


def _search_all(
    spec: JobSpec, evaluator: TrialEvaluator, searcher: Searcher, folds: Sequence[Fold], first: int
) -> Sequence[Search]:
    """A search for every fold and, with walk-forward, a final one over all bars."""
    windows = list(enumerate(folds))
    if spec.search.cross_validation:
        stop = folds[-1].test_stop
        windows.append((FINAL, Fold(train_start=first, train_stop=stop, test_start=stop, test_stop=stop)))
    seeds = np.random.SeedSequence(spec.search_seed).generate_state(len(windows), np.uint32)
    return [
        Search(
            fold=number,
            window=window,
            study=searcher.run(evaluator.window(window.train_start, window.train_stop), int(seed)),
        )
        for (number, window), seed in zip(windows, seeds, strict=True)
    ]


def _chosen(spec: JobSpec, space: ParameterSpace, searches: Sequence[Search]) -> Sequence[Params]:
    """The distinct best points of all searches, the last one first, and of several objectives up to 16 of the front."""
    points: list[Params] = [search.params for search in reversed(searches) if search.params is not None]
    if len(spec.search.objectives or ()) > 1:
        front = searches[-1].study.pareto_front()
        places = np.linspace(0, len(front) - 1, min(len(front), MOST_OF_FRONT)).astype(int)
        points += [front[int(place)].params for place in places]
    distinct: dict[Hashable, Params] = {}
    for params in points:
        distinct.setdefault(space.key(params), params)
    return list(distinct.values())


def _tell(
    spec: JobSpec,
    space: ParameterSpace,
    evaluator: TrialEvaluator,
    searcher: Searcher,
    searches: Sequence[Search],
    first: int,
    others: Sequence[Bars],
) -> Optimized:
    folds = [search for search in searches if search.fold != FINAL]
    final = searches[-1]
    assert final.params is not None
    bars = evaluator.bars
    test_start, stop = folds[0].window.test_start, folds[-1].window.test_stop
    inside = evaluator.backtest(evaluator.target(final.params), final.window.train_start, final.window.train_stop)
    stitched = _stitched(evaluator, folds)
    outside = evaluator.backtest(stitched, test_start, stop)
    found = gather_evidence(
        spec,
        evaluator,
        study=final.study,
        inside=inside,
        outside=outside,
        stitched=stitched,
        first=first,
        unguided=_unguided(spec, space, searches),
    )
    robustness = examine(
        spec, evaluator, searcher, searches, params=final.params, outside=outside, others=others, first=first
    )
    result = {
        "summary": _summary(spec, final.params, inside, outside),
        "best_params": final.params,
        "objective": spec.search.objective,
        "in_sample": _side(bars, inside, final.window.train_start, final.window.train_stop),
        "out_of_sample": _side(bars, outside, test_start, stop),
        "benchmark": _buy_and_hold(bars, test_start, stop),
        "validation": "walk_forward" if spec.search.cross_validation else "hold_out",
        "folds": [_fold(evaluator, search) for search in folds],
        "search": _effort(spec, space, searches),
        "evidence": found.facts,
        "robustness": robustness,
        "manifest": manifest(spec, space, bars, evaluator.strategy, first),
    }
    return Optimized(
        result=result,
        tables={
            "trials": _trial_table(searches),
            "equity": _equity_table(bars, outside),
            "trades": _trade_table(outside),
            **found.tables,
        },
    )


def _unguided(spec: JobSpec, space: ParameterSpace, searches: Sequence[Search]) -> Sequence[Params]:
    """Points that the searches before the last tried before they had learned anything and the last one did not try."""
    known = {space.key(trial.params) for trial in searches[-1].study.trials}
    fresh: dict[Hashable, Params] = {}
    for search in searches[:-1]:
        for trial in search.study.trials[: spec.search.n_startup_jobs]:
            fresh.setdefault(space.key(trial.params), trial.params)
    return [params for key, params in fresh.items() if key not in known]


def _stitched(evaluator: TrialEvaluator, folds: Sequence[Search]) -> Int8Array1D:
    """The targets of each block under the parameters found before it; a fold that found none stays flat.

    An order that fills at the open of a block's first bar was decided on the bar before, so such targets begin one bar early.
    """
    early = 1 if evaluator.execution.fill == "next_open" else 0
    stitched = np.zeros(len(evaluator.bars), dtype=np.int8)
    for search in folds:
        if search.params is not None:
            block = slice(search.window.test_start - early, search.window.test_stop)
            stitched[block] = evaluator.target(search.params)[block]
    return stitched


def _side(bars: Bars, backtest: BacktestResult, start: int, stop: int) -> dict[str, Any]:
    """Metrics of one side of the split and the bars they are over."""
    return {
        "bars": stop - start,
        **_range(bars, start, stop),
        "years": backtest.window.years,
        "metrics": dict(backtest.metrics),
        "metric_reasons": dict(backtest.metric_reasons),
    }


def _range(bars: Bars, start: int, stop: int) -> dict[str, str]:
    stamps = np.datetime_as_string(bars.stamps[[start, stop - 1]], unit="s")
    return {"first_bar": f"{stamps[0]}Z", "last_bar": f"{stamps[1]}Z"}


def _summary(
    spec: JobSpec, params: Mapping[str, Any], inside: BacktestResult, outside: BacktestResult
) -> dict[str, Any]:
    chosen = ("sharpe_ratio", "total_return", "cagr", "max_drawdown", "trade_count")
    return {
        "objective": spec.search.objective,
        "best_params": dict(params),
        "in_sample": {name: inside.metrics[name] for name in chosen},
        "out_of_sample": {name: outside.metrics[name] for name in chosen},
    }


def _buy_and_hold(bars: Bars, start: int, stop: int) -> dict[str, Any]:
    """The asset itself over the out-of-sample bars, without costs."""
    closes = bars.close[start - 1 : stop]
    wealth = closes / closes[0]
    return {
        "total_return": float(wealth[-1] - 1),
        "max_drawdown": float((wealth / np.maximum.accumulate(wealth) - 1).min()),
    }


def _fold(evaluator: TrialEvaluator, search: Search) -> dict[str, Any]:
    window, best = search.window, search.study.best
    train, test = (
        _range(evaluator.bars, window.train_start, window.train_stop),
        _range(evaluator.bars, window.test_start, window.test_stop),
    )
    shown: dict[str, Any] = {
        "fold": search.fold,
        "train": train,
        "test": test,
        "params": search.params,
        "train_score": None if best is None else best.outcome.score,
    }
    if search.params is None:
        return {
            **shown,
            "test_metrics": None,
            "reason": "no point of this fold's search was feasible; the account stayed flat",
        }
    tested = evaluator.backtest(evaluator.target(search.params), window.test_start, window.test_stop)
    chosen = ("total_return", "sharpe_ratio", "max_drawdown", "trade_count")
    return {**shown, "test_metrics": {name: tested.metrics[name] for name in chosen}}


def _effort(spec: JobSpec, space: ParameterSpace, searches: Sequence[Search]) -> dict[str, Any]:
    """What was spent, and what the last search learned."""
    studies = [search.study for search in searches]
    final = studies[-1]
    evaluations = sum(len(study.trials) for study in studies)
    repeated, infeasible = (sum(getattr(study, name) for study in studies) for name in ("repeated", "infeasible"))
    effort = {
        "algorithm": spec.search.algorithm,
        "searches": len(studies),
        "evaluations": evaluations,
        "last_search_evaluations": len(final.trials),
        "repeated": repeated,
        "infeasible": infeasible,
        "repeated_share": repeated / (evaluations + repeated) if evaluations else 0.0,
        "infeasible_share": infeasible / evaluations if evaluations else 0.0,
        "stopped_by": [study.stopped_by for study in studies],
        "convergence": [{"trial": number, "score": score} for number, score in final.improvements()],
        "parameter_importance": parameter_importance(space, final),
    }
    if spec.search.objectives and len(spec.search.objectives) > 1:
        effort["pareto_front"] = [
            {
                "params": trial.params,
                "scores": dict(zip(spec.search.objectives, trial.outcome.scores or (), strict=True)),
            }
            for trial in final.pareto_front()
        ]
    return effort


def _trial_table(searches: Sequence[Search]) -> dict[str, Any]:
    rows = [(search.fold, trial) for search in searches for trial in search.study.trials]
    metrics = ("total_return", "sharpe_ratio", "max_drawdown", "trade_count")
    return {
        "fold": [fold for fold, _ in rows],
        "number": [trial.number for _, trial in rows],
        "params": [orjson.dumps(trial.params).decode() for _, trial in rows],
        "score": [trial.outcome.score for _, trial in rows],
        "reason": [trial.outcome.reason for _, trial in rows],
        **{name: [trial.outcome.facts.metric(name) for _, trial in rows] for name in metrics},
    }


def _equity_table(bars: Bars, outside: BacktestResult) -> dict[str, Any]:
    window = outside.window
    return {
        "open_time": bars.stamps[window.start : window.stop],
        "equity": outside.equity_values,
        "close": bars.close[window.start : window.stop],
    }


def _trade_table(outside: BacktestResult) -> dict[str, Any]:
    return outside.trade_columns
