"""Ask, evaluate, tell: one search over one space, within a budget and without repeats."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Params
from stratopt.search.sampler import Sampler

WORST_LOSS = 1e9
"""What an engine is told for a point without a score. Never NaN: engines that drop it walk back into the same region."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What evaluating one point gave: a score to maximise, or None with the reason; ``facts`` travel with the trial."""

    score: float | None
    reason: str | None = None
    facts: Any = None

    @property
    def loss(self) -> float:
        """The score as a finite number to minimise."""
        if self.score is None or not math.isfinite(self.score):
            return WORST_LOSS
        return -self.score


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One evaluated point; ``number`` counts from 0 in the order of evaluation."""

    number: int
    params: Params
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """All distinct trials in order, how many asks were repeats, and why the search ended."""

    trials: Sequence[Trial]
    repeated: int
    stopped_by: str
    best: Trial | None = field(default=None)

    @property
    def infeasible(self) -> int:
        """Trials without a finite score."""
        return sum(1 for trial in self.trials if trial.outcome.score is None)

    def reasons(self) -> Mapping[str, int]:
        """Why trials had no score, counted."""
        counts: dict[str, int] = {}
        for trial in self.trials:
            if trial.outcome.score is None:
                reason = trial.outcome.reason or "unknown"
                counts[reason] = counts.get(reason, 0) + 1
        return counts


def run_study(
    space: ParameterSpace,
    sampler: Sampler,
    evaluate: Callable[[Sequence[Params]], Sequence[Outcome]],
    *,
    max_evaluations: int,
    batch_size: int = 1,
    on_trials: Callable[[int], None] | None = None,
) -> StudyResult:
    """Search until ``max_evaluations`` distinct points are evaluated or the engine has nothing new.

    A point that was evaluated before is answered from memory. An engine that repeats itself 20 times the budget over is
    stopped with ``stopped_by="repeats"``. ``on_trials`` hears how many points were just evaluated. Ties keep the earlier trial.
    """
    known: dict[str, Outcome] = {}
    trials: list[Trial] = []
    repeated, stopped_by = 0, "max_evaluations"
    while len(trials) < max_evaluations:
        asked = sampler.ask(min(batch_size, max_evaluations - len(trials)))
        if not asked:
            stopped_by = "space_exhausted"
            break
        points = [dict(point) if sampler.asks_params else space.resolve(point) for point in asked]
        fresh: dict[str, Params] = {}
        for point in points:
            key = space.key(point)
            if key not in known and key not in fresh:
                fresh[key] = point
        for (key, point), outcome in zip(fresh.items(), evaluate(list(fresh.values())) if fresh else (), strict=True):
            known[key] = outcome
            trials.append(Trial(number=len(trials), params=point, outcome=outcome))
        repeated += len(points) - len(fresh)
        for drawn, point in zip(asked, points, strict=True):
            sampler.tell(drawn, known[space.key(point)].loss)
        if on_trials and fresh:
            on_trials(len(fresh))
        if repeated > 20 * max_evaluations:
            stopped_by = "repeats"
            break
    return StudyResult(trials=trials, repeated=repeated, stopped_by=stopped_by, best=_best(trials))


def _best(trials: Sequence[Trial]) -> Trial | None:
    scored = [trial for trial in trials if trial.outcome.score is not None]
    return max(scored, key=lambda trial: (trial.outcome.score, -trial.number), default=None)
