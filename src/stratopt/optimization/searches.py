"""Runs searches as a spec asks for them, as often as a job needs, and counts their evaluations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stratopt.evaluation.splits import Fold
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.study_checkpoints import NOTHING, SavedSearch, StudyCheckpoints
from stratopt.search.algorithms import make_sampler
from stratopt.search.checkpoint import Checkpoint
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Params
from stratopt.search.study import Limits, Outcome, StudyResult, run_study

POINTS_AT_ONCE = 4
"""Points that the engine is asked for together: they share one fit of its model and one call of the backtest engine."""
FINAL = -1
"""Number of the last search, whose parameters are the ones to go on with; folds count from 0."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """One finished search: ``fold`` is its number or ``FINAL``."""

    fold: int
    window: Fold
    study: StudyResult

    @property
    def params(self) -> dict[str, Any] | None:
        """The best point, or None where no point was feasible."""
        return None if self.study.best is None else self.study.best.params


class Searcher:
    """Searches of one job: same engine, budget and limits each time, another objective and seed.

    ``on_progress`` is told the evaluations of all searches so far. With ``checkpoints`` each search goes on where an interrupted
    attempt was; searches are told apart by their number, and ``inputs`` are the hashes of what they work on besides the spec.
    """

    def __init__(
        self,
        spec: JobSpec,
        space: ParameterSpace,
        on_progress: Callable[[int], None] | None = None,
        *,
        checkpoints: StudyCheckpoints | None = None,
        inputs: Mapping[str, str] | None = None,
    ) -> None:
        self._spec, self._space, self._on_progress = spec, space, on_progress
        self._checkpoints, self._inputs = checkpoints, dict(inputs or {})
        self._done = 0
        self._searches = 0

    def run(self, objective: Callable[[Sequence[Params]], Sequence[Outcome]], seed: int) -> StudyResult:
        """One search."""
        search = self._spec.search
        objectives = len(search.objectives or (search.objective,))
        sampler = make_sampler(
            search.algorithm,
            self._space,
            seed=seed,
            startup_trials=search.n_startup_jobs,
            budget=search.max_evals,
            objectives=objectives,
        )
        saved = self._saved(seed)
        so_far = saved.known() if saved else NOTHING
        study = run_study(
            self._space,
            sampler,
            objective,
            limits=Limits(
                max_evaluations=search.max_evals,
                max_seconds=search.max_seconds,
                early_stop_rounds=search.early_stop_rounds,
                target_score=search.target_score,
            ),
            batch_size=POINTS_AT_ONCE,
            objectives=objectives,
            first_points=[self._space.validate(params) for params in search.first_points or ()],
            known=so_far.trials,
            spent_seconds=so_far.seconds,
            on_trials=self._count,
            on_batch=saved.keep if saved else None,
        )
        if saved:
            saved.finish(study)
        return study

    def _saved(self, seed: int) -> SavedSearch | None:
        number, self._searches = self._searches, self._searches + 1
        if self._checkpoints is None:
            return None
        identity = {"job": self._spec.fingerprint, "search": number, **self._inputs}
        return self._checkpoints.of(number, Checkpoint(self._space, self._spec.search.algorithm, seed, identity))

    def _count(self, evaluations: int) -> None:
        self._done += evaluations
        if self._on_progress:
            self._on_progress(self._done)
