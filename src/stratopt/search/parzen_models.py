"""The two Parzen models that the TPE engine chooses from: whole points, or one parameter at a time as in hyperopt."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from stratopt.kernels.arrays import Float64Array1D, Int64Array1D
from stratopt.kernels.parzen_joint import put_point, suggest_joint
from stratopt.kernels.parzen_suggest import insert, suggest
from stratopt.search.latent import Latent
from stratopt.search.parzen_rules import option_priors, parzen_rules

FIRST_CAPACITY = 256
MOST_GOOD = 25
COMBINATIONS = 64
WIDTHS = (0.1, 0.05, 0.02)
FIRST_WIDTH = 0.1
SINGLE_WIDTH_TRIALS = 80
"""Widths of the joint model's components in turn, in widths of the prior before Scott's shrinking: wide ones find regions, narrow
ones refine. One width alone was worse either on multimodal or on narrow functions; narrow ones too early miss regions."""
NARROWEST = 0.0005


class ParzenModel(Protocol):
    """A history of points and what to try next. Points are latent values by parameter, NaN where inactive."""

    def good_count(self, trials: int) -> int:
        """How many of the trials count as good."""
        ...

    def insert(self, trial: int, point: Float64Array1D) -> None:
        """Add a point; trial numbers arrive ascending."""
        ...

    def propose(
        self, generator: np.random.Generator, good: Int64Array1D, count: int
    ) -> Sequence[Iterator[list[float]]]:
        """For each of ``count`` points its candidates, best first."""
        ...


class JointModel:
    """One mixture over whole points (``kernels.parzen_joint``)."""

    def __init__(self, latents: Sequence[Latent], candidates: int, prior_weight: float) -> None:
        self._rules = parzen_rules(latents)
        self._option_prior = option_priors(latents, 1.0)
        self._each = candidates
        self._prior_weight = prior_weight
        self._points = np.empty((len(latents), FIRST_CAPACITY))
        self._trials = 0
        self._turn = 0

    def good_count(self, trials: int) -> int:
        """A tenth of the trials, at most 25."""
        return min(math.ceil(0.1 * trials), MOST_GOOD)

    def insert(self, trial: int, point: Float64Array1D) -> None:
        """Add a point."""
        if trial == self._points.shape[1]:
            self._points = np.pad(self._points, ((0, 0), (0, trial)))
        put_point(point, self._rules, trial, self._points)
        self._trials = trial + 1

    def propose(
        self, generator: np.random.Generator, good: Int64Array1D, count: int
    ) -> Sequence[Iterator[list[float]]]:
        """For each of ``count`` points its candidates, best first."""
        self._turn += 1
        candidates = np.empty((count, self._each, len(self._rules)))
        scores = np.empty((count, self._each))
        suggest_joint(
            generator,
            good,
            self._trials,
            self._rules,
            self._option_prior,
            self._points,
            self._prior_weight,
            self._width(),
            NARROWEST,
            candidates,
            scores,
        )
        return [_by_score(points, score) for points, score in zip(candidates, scores, strict=True)]

    def _width(self) -> float:
        return FIRST_WIDTH if self._trials < SINGLE_WIDTH_TRIALS else WIDTHS[self._turn % len(WIDTHS)]


class UnivariateModel:
    """One mixture for each parameter, the numbers of hyperopt 0.3 (``kernels.parzen_suggest``)."""

    def __init__(self, latents: Sequence[Latent], candidates: int, prior_weight: float) -> None:
        self._rules = parzen_rules(latents)
        self._option_prior = option_priors(latents, prior_weight)
        self._each = candidates
        self._prior_weight = prior_weight
        shape = (len(latents), FIRST_CAPACITY)
        self._values, self._ascending = np.empty(shape), np.empty(shape)
        self._order = np.empty((2, *shape), dtype=np.int32)
        self._used = np.zeros(len(latents), dtype=np.int64)
        self._weight = np.empty(FIRST_CAPACITY)

    def good_count(self, trials: int) -> int:
        """A quarter of the root of the trials, at most 25."""
        return min(math.ceil(0.25 * math.sqrt(trials)), MOST_GOOD)

    def insert(self, trial: int, point: Float64Array1D) -> None:
        """Add a point."""
        if trial == self._weight.size:
            more = ((0, 0), (0, trial))
            self._values, self._ascending = np.pad(self._values, more), np.pad(self._ascending, more)
            self._order = np.pad(self._order, ((0, 0), *more))
            self._weight = np.empty(2 * trial)
        insert(trial, point, self._rules, self._values, self._ascending, self._order, self._used)

    def propose(
        self, generator: np.random.Generator, good: Int64Array1D, count: int
    ) -> Sequence[Iterator[list[float]]]:
        """For each of ``count`` points the combinations of its candidates, best first."""
        shape = (count, len(self._rules), self._each)
        candidates, scores = np.empty(shape), np.empty(shape)
        suggest(
            generator,
            good,
            self._rules,
            self._option_prior,
            self._values,
            self._ascending,
            self._order,
            self._used,
            self._prior_weight,
            self._weight,
            candidates,
            scores,
        )
        return [_combinations(points, score) for points, score in zip(candidates, scores, strict=True)]


def _by_score(points: np.ndarray, scores: np.ndarray) -> Iterator[list[float]]:
    yield points[int(scores.argmax())].tolist()
    for k in np.argsort(-scores, kind="stable")[1:]:
        yield points[k].tolist()


def _combinations(points: np.ndarray, scores: np.ndarray) -> Iterator[list[float]]:
    """The best candidate of every parameter, then the next best combinations."""
    yield points[:, 0].tolist()
    ranked = [_ranked(values, score) for values, score in zip(points, scores, strict=True)]
    first = (0,) * len(ranked)
    queue = [(-sum(values[0][0] for values in ranked), first)]
    seen = {first}
    for _ in range(COMBINATIONS):
        if not queue:
            return
        worth, places = heapq.heappop(queue)
        yield [ranked[p][place][1] for p, place in enumerate(places)]
        for p, place in enumerate(places):
            following = (*places[:p], place + 1, *places[p + 1 :])
            if place + 1 < len(ranked[p]) and following not in seen:
                seen.add(following)
                heapq.heappush(queue, (worth + ranked[p][place][0] - ranked[p][place + 1][0], following))


def _ranked(values: Float64Array1D, scores: Float64Array1D) -> list[tuple[float, float]]:
    """Distinct candidates with their scores, best first."""
    best = dict(sorted(zip(values.tolist(), scores.tolist(), strict=True), key=lambda pair: pair[1]))
    return sorted(((score, value) for value, score in best.items()), reverse=True)
