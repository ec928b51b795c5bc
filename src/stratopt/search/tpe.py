"""The default engine: a tree-structured Parzen estimator on compiled densities, which asks for many points at once."""

from __future__ import annotations

import heapq
import math
from bisect import insort
from collections.abc import Iterator, Sequence

import numpy as np

from stratopt.kernels.arrays import Float64Array1D, Int64Array1D
from stratopt.kernels.parzen_suggest import insert, suggest
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Params
from stratopt.search.parzen_rules import option_priors, parzen_rules
from stratopt.search.prior import from_unit, low_discrepancy
from stratopt.search.sampler import Suggestion
from stratopt.search.visited import Visited

CANDIDATES = 24
GAMMA = 0.25
MOST_GOOD = 25
COMBINATIONS_TRIED = 64
REDRAWS = 8
PRIOR_TRIES = 64
FIRST_CAPACITY = 256


class TpeSampler:
    """TPE as hyperopt 0.3 defines it (l and g are the same numbers), except for three things.

    Start-up points are spread evenly instead of independently. Points are never repeated: where the best candidates were already
    asked for, their next best combination is taken. Points asked and not yet told count as bad ones, so that a batch spreads out.

    Parameters
    ----------
    space : ParameterSpace
    seed : int
    startup_trials : int
        Points before the model is used.
    candidates : int
        Draws from l for each parameter, of which the best is taken.
    prior_weight : float
        Weight of the prior among the observations, each of which weighs at most 1.
    """

    def __init__(
        self,
        space: ParameterSpace,
        seed: int,
        *,
        startup_trials: int = 20,
        candidates: int = CANDIDATES,
        prior_weight: float = 1.0,
    ) -> None:
        self._space = space
        self._latents = space.latents()
        self._names = list(self._latents)
        self._startup_trials = startup_trials
        self._each = candidates
        self._prior_weight = prior_weight
        self._generator = np.random.default_rng(seed)
        self._shift = self._generator.random(len(self._names)).tolist()
        self._steps = low_discrepancy(len(self._names))
        self._started = 0
        self._visited = Visited(space)
        self._rules = parzen_rules(list(self._latents.values()))
        self._option_prior = option_priors(list(self._latents.values()), prior_weight)
        self._best: list[tuple[float, int]] = []
        self._trials = 0
        shape = (len(self._names), FIRST_CAPACITY)
        self._values, self._ascending = np.empty(shape), np.empty(shape)
        self._order = np.empty((2, *shape), dtype=np.int32)
        self._used = np.zeros(len(self._names), dtype=np.int64)
        self._weight = np.empty(FIRST_CAPACITY)

    def _reserve(self, capacity: int) -> None:
        more = ((0, 0), (0, capacity - self._weight.size))
        self._values, self._ascending = np.pad(self._values, more), np.pad(self._ascending, more)
        self._order = np.pad(self._order, ((0, 0), *more))
        self._weight = np.empty(capacity)

    def ask(self, count: int) -> Sequence[Suggestion]:
        """Up to ``count`` points, none of them asked for before; fewer only where a finite space is exhausted."""
        asked: list[Suggestion] = []
        redraws = 0
        while len(asked) < count:
            wanted = count - len(asked)
            for params, drawn in self._proposed(wanted):
                if self._visited.is_new(params):
                    asked.append(self._accept(params, drawn))
            redraws += 1
            if len(asked) < count and redraws >= REDRAWS:
                rest = self._any_new()
                if rest is None:
                    break
                asked.append(self._accept(*rest))
        return asked

    def tell(self, number: int, losses: Sequence[float]) -> None:
        """The loss of point ``number``."""
        insort(self._best, (float(losses[0]), number))
        del self._best[MOST_GOOD:]

    def observe(self, params: Params, losses: Sequence[float]) -> None:
        """Learn a point that was evaluated elsewhere."""
        self.tell(self._accept(params, self._space.unresolve(params)).number, losses)

    def _proposed(self, count: int) -> Iterator[tuple[Params, dict[str, float]]]:
        missing = self._startup_trials - self._started
        if missing > 0:
            for _ in range(min(count, missing)):
                yield self._spread()
            return
        candidates, scores = self._candidates(count)
        for point, score in zip(candidates, scores, strict=True):
            drawn = dict(zip(self._names, point[:, 0].tolist(), strict=True))
            params = self._space.resolve(drawn)
            if self._visited.is_new(params):
                yield params, drawn
            else:
                yield self._next_best(point, score) or (params, drawn)

    def _spread(self) -> tuple[Params, dict[str, float]]:
        self._started += 1
        units = [(s + self._started * step) % 1.0 for s, step in zip(self._shift, self._steps, strict=True)]
        return self._at(units)

    def _at(self, units: Sequence[float]) -> tuple[Params, dict[str, float]]:
        drawn = {
            name: from_unit(latent, unit) for (name, latent), unit in zip(self._latents.items(), units, strict=True)
        }
        return self._space.resolve(drawn), drawn

    def _candidates(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        shape = (count, len(self._names), self._each)
        candidates, scores = np.empty(shape), np.empty(shape)
        suggest(
            self._generator,
            self._good(),
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
        return candidates, scores

    def _good(self) -> Int64Array1D:
        count = min(math.ceil(GAMMA * math.sqrt(self._trials)), MOST_GOOD)
        return np.array([number for _, number in self._best[:count]], dtype=np.int64)

    def _next_best(self, point: np.ndarray, score: np.ndarray) -> tuple[Params, dict[str, float]] | None:
        """The best combination of the candidates that is new, among the first few."""
        ranked = [_ranked(point[p], score[p]) for p in range(len(self._names))]
        queue = [(-sum(values[0][0] for values in ranked), (0,) * len(ranked))]
        seen = {queue[0][1]}
        for _ in range(COMBINATIONS_TRIED):
            if not queue:
                return None
            worth, places = heapq.heappop(queue)
            drawn = {name: ranked[p][places[p]][1] for p, name in enumerate(self._names)}
            params = self._space.resolve(drawn)
            if self._visited.is_new(params):
                return params, drawn
            for p, place in enumerate(places):
                following = (*places[:p], place + 1, *places[p + 1 :])
                if place + 1 < len(ranked[p]) and following not in seen:
                    seen.add(following)
                    heapq.heappush(queue, (worth + ranked[p][place][0] - ranked[p][place + 1][0], following))
        return None

    def _any_new(self) -> tuple[Params, dict[str, float]] | None:
        for _ in range(PRIOR_TRIES):
            params, drawn = self._at(self._generator.random(len(self._names)).tolist())
            if self._visited.is_new(params):
                return params, drawn
        rest = self._visited.left_over()
        return None if rest is None else (rest, self._space.unresolve(rest))

    def _accept(self, params: Params, drawn: dict[str, float]) -> Suggestion:
        self._visited.add(params)
        number = self._trials
        if number == self._weight.size:
            self._reserve(2 * number)
        point: Float64Array1D = np.array([drawn[name] if name in params else math.nan for name in self._names])
        insert(number, point, self._rules, self._values, self._ascending, self._order, self._used)
        self._trials += 1
        return Suggestion(number, params)


def _ranked(values: Float64Array1D, scores: Float64Array1D) -> list[tuple[float, float]]:
    """Distinct candidates with their scores, best first."""
    best = dict(sorted(zip(values.tolist(), scores.tolist(), strict=True), key=lambda pair: pair[1]))
    return sorted(((score, value) for value, score in best.items()), reverse=True)
