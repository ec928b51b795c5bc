"""What the engines of other libraries share: they draw latent values and may repeat themselves or break constraints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.sampler import Suggestion

BAD_LOSS = 1e9
"""What an engine is told for a point without a score. Never NaN: engines that drop it walk back into the same region."""
FORBIDDEN_TRIES = 200


class ForeignSampler(ABC):
    """Asks a library for latent values one point at a time; a point that breaks a constraint is told as bad and replaced."""

    objectives = 1

    def __init__(self, space: ParameterSpace) -> None:
        self._space = space
        self._open: dict[int, Any] = {}
        self._count = 0

    def ask(self, count: int) -> Sequence[Suggestion]:
        """``count`` points, fewer only where the constraints leave too little room; repeats are possible."""
        asked: list[Suggestion] = []
        for _ in range(count * FORBIDDEN_TRIES):
            if len(asked) == count:
                break
            token, drawn = self._draw()
            params = self._space.resolve(drawn)
            if self._space.allows(params):
                asked.append(Suggestion(self._count, params))
                self._open[self._count] = token
                self._count += 1
            else:
                self._learn(token, [BAD_LOSS] * self.objectives)
        return asked

    def tell(self, number: int, losses: Sequence[float]) -> None:
        """The losses of a point."""
        self._learn(self._open.pop(number), losses)

    @abstractmethod
    def _draw(self) -> tuple[Any, Mapping[str, float]]:
        """The library's handle of a new point, and its latent values."""

    @abstractmethod
    def _learn(self, token: Any, losses: Sequence[float]) -> None:
        """Tell the library."""
