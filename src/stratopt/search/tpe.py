"""The default engine: a tree-structured Parzen estimator on compiled densities, which asks for many points at once."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Params
from stratopt.search.parzen_models import MOST_GOOD, JointModel, ParzenModel, UnivariateModel
from stratopt.search.prior import from_unit, low_discrepancy
from stratopt.search.sampler import Suggestion
from stratopt.search.visited import Visited

CANDIDATES = 24
REDRAWS = 8
PRIOR_TRIES = 64


class TpeSampler:
    """TPE that never repeats a point.

    Start-up points are spread evenly through the prior. Where the best candidate was already asked for, the next best is taken; a
    finite space is searched until nothing is left. Points asked and not yet told count as bad ones, so that a batch spreads out.

    Parameters
    ----------
    space : ParameterSpace
    seed : int
    startup_trials : int
        Points before the model is used.
    multivariate : bool
        Whole points are drawn together. False takes every parameter for itself, with the densities of hyperopt 0.3.
    candidates : int
        Draws from the density of good trials, of which the best is taken.
    prior_weight : float
        Weight of the prior among the observations, each of which weighs at most 1.
    """

    def __init__(
        self,
        space: ParameterSpace,
        seed: int,
        *,
        startup_trials: int = 20,
        multivariate: bool = True,
        candidates: int = CANDIDATES,
        prior_weight: float = 1.0,
    ) -> None:
        self._space = space
        self._latents = space.latents()
        self._names = list(self._latents)
        self._startup_trials = startup_trials
        self._generator = np.random.default_rng(seed)
        self._shift = self._generator.random(len(self._names)).tolist()
        self._steps = low_discrepancy(len(self._names))
        self._started = 0
        self._visited = Visited(space)
        kind = JointModel if multivariate else UnivariateModel
        self._model: ParzenModel = kind(list(self._latents.values()), candidates, prior_weight)
        self._best: list[tuple[float, int]] = []
        self._trials = 0

    def ask(self, count: int) -> Sequence[Suggestion]:
        """Up to ``count`` points, none of them asked for before; fewer only where a finite space is exhausted."""
        asked: list[Suggestion] = []
        draws = 0
        while len(asked) < count:
            for candidates in self._proposed(count - len(asked)):
                for drawn in candidates:
                    params = self._space.resolve(drawn)
                    if self._visited.is_new(params):
                        asked.append(self._accept(params, drawn))
                        break
            draws += 1
            if len(asked) < count and draws >= REDRAWS:
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

    def _proposed(self, count: int) -> Iterator[Iterator[Mapping[str, float]]]:
        missing = self._startup_trials - self._started
        if missing > 0:
            yield from (iter([self._spread()]) for _ in range(min(count, missing)))
            return
        good = [number for _, number in self._best[: self._model.good_count(self._trials)]]
        for candidates in self._model.propose(self._generator, np.array(good, dtype=np.int64), count):
            yield (dict(zip(self._names, drawn, strict=True)) for drawn in candidates)

    def _spread(self) -> Mapping[str, float]:
        self._started += 1
        return self._at([(s + self._started * step) % 1.0 for s, step in zip(self._shift, self._steps, strict=True)])

    def _at(self, units: Sequence[float]) -> Mapping[str, float]:
        return {name: from_unit(latent, u) for (name, latent), u in zip(self._latents.items(), units, strict=True)}

    def _any_new(self) -> tuple[Params, Mapping[str, float]] | None:
        for _ in range(PRIOR_TRIES):
            drawn = self._at(self._generator.random(len(self._names)).tolist())
            params = self._space.resolve(drawn)
            if self._visited.is_new(params):
                return params, drawn
        rest = self._visited.left_over()
        return None if rest is None else (rest, self._space.unresolve(rest))

    def _accept(self, params: Params, drawn: Mapping[str, float]) -> Suggestion:
        self._visited.add(params)
        suggestion = Suggestion(self._trials, params)
        point = [drawn[name] if name in params else math.nan for name in self._names]
        self._model.insert(self._trials, np.array(point))
        self._trials += 1
        return suggestion
