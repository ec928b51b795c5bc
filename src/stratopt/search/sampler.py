"""The ask/tell protocol that every engine follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from stratopt.search.parameters import Params


class Suggestion(NamedTuple):
    """A point to evaluate; ``number`` counts the engine's points from 0."""

    number: int
    params: Params


class Sampler(Protocol):
    """A search engine.

    The same seed and the same sequence of calls give the same points. ``tell`` may come in any order, late, or never. Losses are
    finite, lower is better, and one a point unless the engine takes several objectives. Not thread-safe.
    """

    def ask(self, count: int) -> Sequence[Suggestion]:
        """Up to ``count`` points that obey the space's constraints; none means that the space is exhausted."""
        ...

    def tell(self, number: int, losses: Sequence[float]) -> None:
        """The losses of the point with that number."""
        ...

    def observe(self, params: Params, losses: Sequence[float]) -> None:
        """Learn a point that was evaluated elsewhere; it counts as asked for."""
        ...
