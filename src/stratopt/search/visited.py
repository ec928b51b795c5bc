"""Which points of a space were already asked for."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Params


class Visited:
    """The points that an engine gave out; on a finite space it also finds those that are left."""

    def __init__(self, space: ParameterSpace) -> None:
        self._space = space
        self._keys: set[Hashable] = set()
        self._rest: Iterator[Params] | None = None

    def __len__(self) -> int:
        return len(self._keys)

    def is_new(self, params: Params) -> bool:
        """Whether the point is allowed by the constraints and was not given out."""
        return self._space.key(params) not in self._keys and self._space.allows(params)

    def add(self, params: Params) -> None:
        """Note a point."""
        self._keys.add(self._space.key(params))

    def left_over(self) -> Params | None:
        """A point that was not given out, in the order of the grid; None when there is none or the space is not finite."""
        if not self._space.is_finite:
            return None
        if self._rest is None:
            self._rest = self._space.grid(None)
        return next((params for params in self._rest if self.is_new(params)), None)
