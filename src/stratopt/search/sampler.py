"""The ask/tell protocol that every engine follows, and the two simplest engines.

An engine lives in *latent* space: for every parameter of ``ParameterSpace.latents()`` it draws a real, a whole number or the
index of an option. ``ParameterSpace.resolve`` turns that into a valid point, so engines know nothing of constraints.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from stratopt.errors import ParameterSpaceError
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Latent, Params

Drawn: TypeAlias = dict[str, float]


class Sampler(Protocol):
    """A search engine.

    ``ask(count)`` returns between 0 and ``count`` points; none means that the space is exhausted. ``tell`` reports the loss
    (lower is better, always finite) of a point that was asked, in any order. Not thread-safe. The same seed and the same
    sequence of calls give the same points.
    """

    def ask(self, count: int) -> Sequence[Drawn | Params]:
        """Up to ``count`` new points."""
        ...

    def tell(self, drawn: Drawn | Params, loss: float) -> None:
        """The loss of a point."""
        ...

    @property
    def asks_params(self) -> bool:
        """Whether points are finished parameters instead of latent draws."""
        ...


def draw(latent: Latent, generator: np.random.Generator) -> float:
    """One independent draw from the prior of a latent."""
    if latent.kind == "categorical":
        weights = None if latent.weights is None else np.asarray(latent.weights) / sum(latent.weights)
        return float(generator.choice(latent.count, p=weights))
    if latent.kind == "int":
        return _whole(latent, generator)
    if latent.log:
        value = math.exp(generator.uniform(math.log(latent.low), math.log(latent.high)))
    else:
        value = generator.uniform(latent.low, latent.high)
    return value if not latent.step else _to_step(value, latent)


def _whole(latent: Latent, generator: np.random.Generator) -> float:
    step = int(latent.step or 1)
    if latent.log:
        value = math.exp(generator.uniform(math.log(latent.low - 0.5), math.log(latent.high + 0.5)))
        return _to_step(value, latent)
    return float(latent.low + step * generator.integers(0, int((latent.high - latent.low) // step) + 1))


def _to_step(value: float, latent: Latent) -> float:
    step = latent.step or 1
    steps = round((value - latent.low) / step)
    return float(latent.low + step * min(max(steps, 0), int((latent.high - latent.low) / step + 1e-9)))


class RandomSampler:
    """Independent draws from the prior."""

    asks_params = False

    def __init__(self, space: ParameterSpace, seed: int) -> None:
        self._latents = space.latents()
        self._generator = np.random.default_rng(seed)

    def ask(self, count: int) -> Sequence[Drawn]:
        """``count`` independent points."""
        return [{name: draw(latent, self._generator) for name, latent in self._latents.items()} for _ in range(count)]

    def tell(self, drawn: Mapping[str, Any], loss: float) -> None:
        """Nothing is learned."""


class GridSampler:
    """Every point of the space once, ranges thinned to ``points_per_range`` values; the order is the space's own."""

    asks_params = True

    def __init__(self, space: ParameterSpace, seed: int = 0, *, points_per_range: int = 10) -> None:
        del seed
        self._points = space.grid(points_per_range)

    def ask(self, count: int) -> Sequence[Params]:
        """The next points of the grid."""
        return list(itertools.islice(self._points, count))

    def tell(self, drawn: Mapping[str, Any], loss: float) -> None:
        """Nothing is learned."""


def make_sampler(algorithm: str, space: ParameterSpace, *, seed: int, startup_trials: int = 20) -> Sampler:
    """The engine of that name (``ALGORITHMS``), or ParameterSpaceError."""
    if algorithm not in ALGORITHMS:
        raise ParameterSpaceError(
            f"unknown algorithm {algorithm!r}; known: {', '.join(ALGORITHMS)}",
            code="unknown_algorithm",
            algorithm=algorithm,
        )
    return ALGORITHMS[algorithm](space, seed, startup_trials)


def _hyperopt(space: ParameterSpace, seed: int, startup_trials: int) -> Sampler:
    from stratopt.search.hyperopt_sampler import HyperoptSampler

    return HyperoptSampler(space, seed, startup_trials=startup_trials)


def _optuna(space: ParameterSpace, seed: int, startup_trials: int) -> Sampler:
    from stratopt.search.optuna_sampler import OptunaSampler

    return OptunaSampler(space, seed, startup_trials=startup_trials)


ALGORITHMS: Mapping[str, Callable[[ParameterSpace, int, int], Sampler]] = {
    "tpe": _hyperopt,
    "random": lambda space, seed, _: RandomSampler(space, seed),
    "grid": lambda space, seed, _: GridSampler(space, seed),
    "hyperopt_tpe": _hyperopt,
    "optuna_tpe": _optuna,
}
