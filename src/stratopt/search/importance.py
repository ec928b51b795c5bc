"""How much each parameter mattered, read off the trials of a study."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from stratopt.kernels.forest import permutation_changes
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.study import StudyResult

TREES = 32
SMALLEST_LEAF = 3
FEWEST_TRIALS = 20


def parameter_importance(space: ParameterSpace, study: StudyResult, *, seed: int = 0) -> Mapping[str, float] | None:
    """Share of each searched parameter in what moves the score, largest first, sum 1.

    A forest is fitted to the ranks of the scores (outliers would drown the rest); a parameter's share is how much its predictions
    change when the parameter is shuffled among the trials. A parameter that is not active in a trial counts as a value of its own.
    None where fewer than 20 trials have a score or all scores are equal.
    """
    trials = [trial for trial in study.trials if trial.outcome.score is not None]
    names = list(space.latents())
    scores = np.array([trial.outcome.score for trial in trials], dtype=float)
    if len(trials) < FEWEST_TRIALS or not names or scores.min() == scores.max():
        return None
    points = np.array([_point(space, names, trial.params) for trial in trials])
    ranks = np.unique(scores, return_inverse=True)[1].astype(float)
    changes = permutation_changes(np.random.default_rng(seed), points, ranks - ranks.mean(), TREES, SMALLEST_LEAF)
    total = changes.sum()
    if total == 0.0:
        return None
    order = np.argsort(-changes, kind="stable")
    return {names[k]: float(changes[k] / total) for k in order}


def _point(space: ParameterSpace, names: list[str], params: Mapping[str, object]) -> list[float]:
    drawn = space.unresolve(params)
    return [_coordinate(drawn.get(name)) for name in names]


def _coordinate(value: float | None) -> float:
    """Trees only see the order, so any monotone scale does; an absent value lies below all others."""
    return -1e300 if value is None or not math.isfinite(value) else value
