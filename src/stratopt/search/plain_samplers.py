"""Engines that learn nothing: random, low-discrepancy and grid points, none of them twice."""

from __future__ import annotations

import itertools
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np

from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Params
from stratopt.search.prior import from_unit
from stratopt.search.sampler import Suggestion
from stratopt.search.visited import Visited

TRIES = 1000
LARGEST_WALK = 200_000


class UnitSampler(ABC):
    """New points of the prior at the quantiles that ``_units`` gives; what repeats or breaks a constraint is drawn again."""

    def __init__(self, space: ParameterSpace, seed: int) -> None:
        self._space = space
        self._latents = space.latents()
        self._generator = np.random.default_rng(seed)
        self._visited = Visited(space)
        self._numbers = itertools.count()

    def ask(self, count: int) -> Sequence[Suggestion]:
        """Up to ``count`` points, none of them asked for before."""
        asked: list[Suggestion] = []
        for _ in range(count):
            params = self._new_point()
            if params is None:
                break
            asked.append(Suggestion(next(self._numbers), params))
            self._visited.add(params)
        return asked

    def tell(self, number: int, losses: Sequence[float]) -> None:  # noqa: B027 - nothing to do is right for all of them
        """Nothing is learned."""

    def observe(self, params: Params, losses: Sequence[float]) -> None:
        """The point will not be asked for."""
        self._visited.add(params)

    def _new_point(self) -> Params | None:
        for _ in range(TRIES):
            units = self._units()
            drawn = {n: from_unit(latent, u) for (n, latent), u in zip(self._latents.items(), units, strict=True)}
            params = self._space.resolve(drawn)
            if self._visited.is_new(params):
                return params
        return self._visited.left_over()

    @abstractmethod
    def _units(self) -> Sequence[float]:
        """One number from 0 to 1 for each latent of the space."""


class RandomSampler(UnitSampler):
    """Independent draws from the prior."""

    def _units(self) -> Sequence[float]:
        return self._generator.random(len(self._latents)).tolist()


class QmcSampler(UnitSampler):
    """A scrambled Sobol sequence through the prior."""

    def __init__(self, space: ParameterSpace, seed: int) -> None:
        from scipy.stats import qmc

        super().__init__(space, seed)
        self._sobol = qmc.Sobol(max(1, len(self._latents)), scramble=True, rng=self._generator)
        self._buffer: Iterator[list[float]] = iter(())

    def _units(self) -> Sequence[float]:
        units = next(self._buffer, None)
        if units is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # "balance properties": blocks of 256 keep them
                self._buffer = iter(self._sobol.random(256).tolist())
            units = next(self._buffer)
        return units[: len(self._latents)]


class GridSampler:
    """Every point of the space once, spread so that any number of first points covers the whole grid.

    An endless range is thinned to as many values as the budget allows, at least two. The order goes through the grid in golden
    steps; it starts anew with what was left out.
    """

    def __init__(self, space: ParameterSpace, seed: int = 0, *, budget: int = 1000) -> None:
        del seed
        self._visited = Visited(space)
        self._points = filter(self._visited.is_new, _spread_out(space, budget))
        self._numbers = itertools.count()

    def ask(self, count: int) -> Sequence[Suggestion]:
        """The next points of the grid."""
        return [Suggestion(next(self._numbers), params) for params in itertools.islice(self._points, count)]

    def tell(self, number: int, losses: Sequence[float]) -> None:
        """Nothing is learned."""

    def observe(self, params: Params, losses: Sequence[float]) -> None:
        """The point will not be asked for."""
        self._visited.add(params)


def points_for_budget(space: ParameterSpace, budget: int) -> int | None:
    """Values for each range so that the grid of an endless space is about the budget; None keeps all values of a finite one."""
    if space.is_finite and space.size(LARGEST_WALK) is not None:
        return None
    ranges = max(1, sum(1 for latent in space.latents().values() if latent.kind != "categorical"))
    options = math.prod(latent.count for latent in space.latents().values() if latent.kind == "categorical")
    return max(2, math.floor((max(1.0, budget / options)) ** (1 / ranges) + 1e-9))


def _spread_out(space: ParameterSpace, budget: int) -> Iterator[Params]:
    points_per_range = points_for_budget(space, budget)
    points = list(itertools.islice(space.grid(points_per_range), LARGEST_WALK))
    if not points:
        return
    stride = max(1, round(len(points) * (math.sqrt(5) - 1) / 2))
    while math.gcd(stride, len(points)) != 1:
        stride += 1
    for k in range(len(points)):
        yield points[k * stride % len(points)]
