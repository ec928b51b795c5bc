"""Ask, evaluate, tell: one search over one space, within its budgets and without repeats."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stratopt.search.foreign import BAD_LOSS
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Params
from stratopt.search.sampler import Sampler, Suggestion

REPEATS_PER_EVALUATION = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What evaluating one point gave: a score to maximise, or None with the reason; ``facts`` travel with the trial.

    With several objectives ``scores`` has them all, ``score`` is the first. A score that is not finite is none.
    """

    score: float | None
    reason: str | None = None
    facts: Any = None
    scores: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if self.score is not None and not math.isfinite(self.score):
            object.__setattr__(self, "score", None)
            object.__setattr__(self, "reason", self.reason or "undefined_score")

    def losses(self, objectives: int = 1) -> Sequence[float]:
        """The scores as finite numbers to minimise."""
        if self.score is None:
            return [BAD_LOSS] * objectives
        return [-score for score in self.scores or (self.score,)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One evaluated point; ``number`` counts from 0 in the order of evaluation."""

    number: int
    params: Params
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When a study ends.

    max_evaluations     distinct points
    max_seconds         checked between batches, over all runs of a study that was interrupted; what it cuts off depends on the machine
    early_stop_rounds   evaluations without a new best
    target_score        a score that is good enough
    """

    max_evaluations: int
    max_seconds: float | None = None
    early_stop_rounds: int | None = None
    target_score: float | None = None


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """All distinct trials in order, how many asks were repeats, why the search ended, and its seconds over all its runs."""

    trials: Sequence[Trial]
    repeated: int
    stopped_by: str
    best: Trial | None = field(default=None)
    seconds: float = field(default=0.0, compare=False)

    @property
    def infeasible(self) -> int:
        """Trials without a score."""
        return sum(1 for trial in self.trials if trial.outcome.score is None)

    def reasons(self) -> Mapping[str, int]:
        """Why trials had no score, counted."""
        return dict(Counter(t.outcome.reason or "unknown" for t in self.trials if t.outcome.score is None))

    def improvements(self) -> Sequence[tuple[int, float]]:
        """The convergence curve: each trial number that set a new best score, with the score."""
        curve: list[tuple[int, float]] = []
        for trial in self.trials:
            score = trial.outcome.score
            if score is not None and (not curve or score > curve[-1][1]):
                curve.append((trial.number, score))
        return curve

    def pareto_front(self) -> Sequence[Trial]:
        """Trials that no other one beats in every objective, in order; with one objective, the best ones."""
        scored = [trial for trial in self.trials if trial.outcome.score is not None]
        return [trial for trial in scored if not any(_dominates(other, trial) for other in scored)]


def run_study(
    space: ParameterSpace,
    sampler: Sampler,
    evaluate: Callable[[Sequence[Params]], Sequence[Outcome]],
    *,
    max_evaluations: int | None = None,
    limits: Limits | None = None,
    batch_size: int = 1,
    objectives: int = 1,
    first_points: Sequence[Params] = (),
    known: Sequence[Trial] = (),
    spent_seconds: float = 0.0,
    on_trials: Callable[[int], None] | None = None,
    on_batch: Callable[[Sequence[Trial], float], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> StudyResult:
    """Search until a limit is reached or the engine has nothing new. Ties keep the earlier trial.

    A point that was evaluated before is answered from memory. An engine that repeats itself five times the budget over is stopped
    with ``stopped_by="repeats"``.

    Parameters
    ----------
    first_points : sequence of params
        Evaluated before the engine is asked, and told to it: the best points of earlier searches.
    known : sequence of Trial
        The trials of an interrupted run of the same study (``Checkpoint``): the engine is asked again and given these outcomes,
        so that the study continues exactly where that run was.
    spent_seconds : float
        What that run took; it counts for ``max_seconds``, which ends nothing before all of ``known`` is repeated.
    on_trials : callable
        Hears how many points were just evaluated.
    on_batch : callable
        Hears all trials and seconds so far after every batch, to keep a checkpoint.
    """
    limits = limits or Limits(max_evaluations=max_evaluations or 0)
    run = _Run(space, evaluate, known, on_trials)
    began = clock() - spent_seconds
    stopped_by = None
    if first_points:
        fresh = [dict(params) for params in first_points if space.allows(params)][: limits.max_evaluations]
        for params, outcome in zip(fresh, run.outcomes(fresh), strict=True):
            sampler.observe(params, outcome.losses(objectives))
        stopped_by = run.stopped_by(limits, clock() - began)
    while stopped_by is None:
        asked: Sequence[Suggestion] = sampler.ask(min(batch_size, limits.max_evaluations - len(run.trials)))
        if not asked:
            stopped_by = "space_exhausted"
            break
        for suggestion, outcome in zip(asked, run.outcomes([s.params for s in asked]), strict=True):
            sampler.tell(suggestion.number, outcome.losses(objectives))
        seconds = clock() - began
        if on_batch:
            on_batch(run.trials, seconds)
        stopped_by = run.stopped_by(limits, seconds)
    return StudyResult(
        trials=run.trials, repeated=run.repeated, stopped_by=stopped_by, best=run.best, seconds=clock() - began
    )


class _Run:
    """Trials so far, without repeats."""

    def __init__(
        self,
        space: ParameterSpace,
        evaluate: Callable[[Sequence[Params]], Sequence[Outcome]],
        known: Sequence[Trial],
        on_trials: Callable[[int], None] | None,
    ) -> None:
        self._space = space
        self._evaluate = evaluate
        self._on_trials = on_trials
        self._replayed = {space.key(trial.params): trial.outcome for trial in known}
        self._is_replaying = bool(known)
        self._outcomes: dict[Hashable, Outcome] = {}
        self.trials: list[Trial] = []
        self.best: Trial | None = None
        self.repeated = 0

    def outcomes(self, points: Sequence[Params]) -> Sequence[Outcome]:
        """One outcome a point; new points are evaluated together."""
        keys = [self._space.key(point) for point in points]
        fresh = {key: point for key, point in zip(keys, points, strict=True) if key not in self._outcomes}
        unknown = {key: point for key, point in fresh.items() if key not in self._replayed}
        evaluated = dict(zip(unknown, self._evaluate(list(unknown.values())) if unknown else (), strict=True))
        for key, point in fresh.items():
            self._add(key, point, evaluated[key] if key in evaluated else self._replayed[key])
        self.repeated += len(points) - len(fresh)
        self._is_replaying = self._is_replaying and not unknown and len(self.trials) < len(self._replayed)
        if self._on_trials and fresh:
            self._on_trials(len(fresh))
        return [self._outcomes[key] for key in keys]

    def _add(self, key: Hashable, point: Params, outcome: Outcome) -> None:
        trial = Trial(number=len(self.trials), params=point, outcome=outcome)
        self._outcomes[key] = outcome
        self.trials.append(trial)
        if outcome.score is not None and (
            self.best is None or self.best.outcome.score is None or outcome.score > self.best.outcome.score
        ):
            self.best = trial

    def stopped_by(self, limits: Limits, seconds: float) -> str | None:
        """The limit that was reached."""
        best = self.best
        score = None if best is None else best.outcome.score
        if limits.target_score is not None and score is not None and score >= limits.target_score:
            return "target_score"
        if len(self.trials) >= limits.max_evaluations:
            return "max_evaluations"
        since = len(self.trials) - (best.number + 1 if best else 0)
        if limits.early_stop_rounds is not None and since >= limits.early_stop_rounds:
            return "early_stop_rounds"
        if limits.max_seconds is not None and seconds >= limits.max_seconds and not self._is_replaying:
            return "max_seconds"
        return "repeats" if self.repeated > REPEATS_PER_EVALUATION * limits.max_evaluations else None


def _dominates(one: Trial, other: Trial) -> bool:
    """Whether ``one`` is at least as good in every objective and better in one."""
    a, b = (trial.outcome.scores or (trial.outcome.score,) for trial in (one, other))
    pairs = list(zip(a, b, strict=True))
    return all(x >= y for x, y in pairs) and any(x > y for x, y in pairs)  # type: ignore[operator]
