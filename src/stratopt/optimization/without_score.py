"""Why no point of a job's searches has a score, and the way out that fits the reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from stratopt.optimization.exceptions import OptimizationError
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.objectives import check_constraint
from stratopt.optimization.searches import Search
from stratopt.optimization.trial_evaluator import TrialEvaluator
from stratopt.search.study import Trial
from stratopt.strategies.base import Direction, Strategy

TOO_LITTLE_TRADING = frozenset({"no_trades", "too_few_trades"})
POINTS_ASKED_FOR_SIDES = 5


def refuse_without_score(spec: JobSpec, evaluator: TrialEvaluator, searches: Sequence[Search]) -> None:
    """Raise if the last search, the one over all bars, found no point with a score.

    Raises
    ------
    OptimizationError
        ``no_trades`` when all points traded too little, ``infeasible`` when some traded enough: they broke a constraint, lost
        everything or have no finite objective. The message counts the points by reason.
    """
    last = searches[-1]
    if last.params is not None:
        return
    reasons: Counter[str] = Counter()
    for search in searches:
        reasons.update(search.study.reasons())
    counts = ", ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
    cold = _never_warm(evaluator.strategy, last)
    sides = _forbidden_side(evaluator, last) if set(reasons) == {"no_trades"} else {}
    way_out = "; ".join(_ways_out(spec, searches, reasons, cold, sides))
    evaluated = sum(len(search.study.trials) for search in searches)
    raise OptimizationError(
        f"none of {evaluated} evaluated points of {spec.strategy} on {spec.symbol} {spec.timeframe} has a score ({counts}); {way_out}",
        code="no_trades" if set(reasons) <= TOO_LITTLE_TRADING else "infeasible",
        evaluated=evaluated,
        reasons=dict(reasons),
        **cold,
        **sides,
    )


def _ways_out(
    spec: JobSpec,
    searches: Sequence[Search],
    reasons: Mapping[str, int],
    cold: Mapping[str, int],
    sides: Mapping[str, str],
) -> Iterator[str]:
    if sides:
        yield (
            f"it asks for {sides['asked_side']} only, and the direction {sides['direction']} reads these as flat: "
            f'set execution: {{"direction": "{Direction.LONG_SHORT}"}} or {{"direction": "{sides["needed_direction"]}"}}'
        )
    if "constraint_violated" in reasons:
        yield f"relax the constraints: {_reached(spec, searches)}"
    if "bankrupt" in reasons:
        yield "the accounts that lost everything need less leverage, a smaller size or a stop loss in execution"
    if set(reasons) - TOO_LITTLE_TRADING - {"constraint_violated", "bankrupt"}:
        objectives = ", ".join(spec.search.objectives or (spec.search.objective,))
        yield f"the objective ({objectives}) is no finite number for points that traded; maximise something that is defined for them"
    points = len(searches[-1].study.trials)
    if cold:
        yield (
            f"{cold['points_never_warm']} of the {points} points of the last search never have their indicators: the shortest of these needs "
            f"{cold['bars_needed']} bars and there are {cold['bars']}; search shorter periods or take more bars"
        )
    if TOO_LITTLE_TRADING & set(reasons) and not sides and cold.get("points_never_warm") != points:
        those = "" if set(reasons) <= TOO_LITTLE_TRADING else "for the points that traded too little "
        fewer = f", or lower min_trades ({spec.search.min_trades})" if "too_few_trades" in reasons else ""
        yield f"{'for the others ' if cold else those}widen its parameter space or the date range{fewer}"


def _reached(spec: JobSpec, searches: Sequence[Search]) -> str:
    """Every constraint with the values that its metrics had where one was broken."""
    broken = [t for s in searches for t in s.study.trials if t.outcome.reason == "constraint_violated"]
    return ", ".join(
        f"{text} ({'; '.join(_range(name, broken) for name in sorted(check_constraint(text).names)) or 'no metric in it'})"
        for text in spec.search.constraints or ()
    )


def _range(name: str, trials: Sequence[Trial]) -> str:
    values = [value for trial in trials if (value := trial.outcome.facts.metric(name)) is not None]
    if not values:
        return f"{name} was undefined"
    return f"{name} was from {min(values):.4g} to {max(values):.4g}"


def _never_warm(strategy: Strategy, search: Search) -> dict[str, int]:
    """Points of a search whose warm-up is as long as all its bars, the bars that the shortest of them needs, and the bars there."""
    bars = search.window.train_stop
    needed = [needs for trial in search.study.trials if (needs := strategy.warmup(trial.params) + 1) > bars]
    return {"points_never_warm": len(needed), "bars_needed": min(needed), "bars": bars} if needed else {}


def _forbidden_side(evaluator: TrialEvaluator, search: Search) -> dict[str, str]:
    """The side that some points ask for where the direction forbids it, if they ask for that one only."""
    direction = evaluator.direction
    if direction is Direction.LONG_SHORT:
        return {}
    trials = search.study.trials
    places = np.linspace(0, len(trials) - 1, min(len(trials), POINTS_ASKED_FOR_SIDES)).astype(int)
    window = slice(search.window.train_start, search.window.train_stop)
    asked: set[int] = set()
    for place in places:
        target = evaluator.strategy.target(evaluator.bars, trials[int(place)].params, Direction.LONG_SHORT)
        asked |= set(np.unique(target[window]).tolist())
    forbidden = -1 if direction is Direction.LONG_ONLY else 1
    if asked - {0} != {forbidden}:
        return {}
    needed = Direction.SHORT_ONLY if forbidden < 0 else Direction.LONG_ONLY
    asked_side = "short positions (targets of -1)" if forbidden < 0 else "long positions (targets of 1)"
    return {"direction": str(direction), "asked_side": asked_side, "needed_direction": str(needed)}
