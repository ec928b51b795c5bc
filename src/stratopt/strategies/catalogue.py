"""Every strategy by name: the built-in ones and the operator's own."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from stratopt.errors import StrategyError
from stratopt.strategies import (
    directional,
    mean_reversion,
    momentum,
    multi_timeframe,
    pattern,
    trend,
    volatility,
    volume,
)
from stratopt.strategies.base import Strategy
from stratopt.strategies.own import entry_point_strategies, folder_strategies

BUILT_IN: tuple[Strategy, ...] = (
    *trend.STRATEGIES,
    *directional.STRATEGIES,
    *mean_reversion.STRATEGIES,
    *momentum.STRATEGIES,
    *volume.STRATEGIES,
    *volatility.STRATEGIES,
    *pattern.STRATEGIES,
    *multi_timeframe.STRATEGIES,
)
"""The catalogue that ships with stratopt."""


def is_built_in(strategy: Strategy) -> bool:
    """Whether it is one of stratopt's own; a copy or a strategy of the same name is not."""
    return any(strategy is known for known in BUILT_IN)


class StrategyCatalogue:
    """Strategies by name: built in, and added by the operator.

    ``problems`` holds one StrategyError for each of the operator's files, entry points or strategies that could not be added; the
    others work.
    """

    def __init__(self, strategies: tuple[Strategy, ...] = BUILT_IN) -> None:
        self._by_name: dict[str, Strategy] = {}
        self.problems: list[StrategyError] = []
        for strategy in strategies:
            self.add(strategy)

    @classmethod
    def with_own(cls, folder: Path | None = None) -> StrategyCatalogue:
        """The built-in strategies, those of installed entry points and those of the operator's folder."""
        catalogue = cls()
        catalogue.load_entry_points()
        if folder is not None:
            catalogue.load_folder(folder)
        return catalogue

    def __iter__(self) -> Iterator[Strategy]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    @property
    def names(self) -> tuple[str, ...]:
        """Names in catalogue order."""
        return tuple(self._by_name)

    def add(self, strategy: Strategy) -> None:
        """Add one strategy; StrategyError (``duplicate_strategy``) if its name is taken."""
        if (other := self._by_name.get(strategy.name)) is not None:
            place, taken_by = _place(strategy), _place(other)
            raise StrategyError(
                f"the name {strategy.name!r} ({place}) is taken by {taken_by}; give your strategy another one",
                code="duplicate_strategy",
                strategy=strategy.name,
                place=place,
                taken_by=taken_by,
            )
        self._by_name[strategy.name] = strategy

    def get(self, name: str) -> Strategy:
        """The strategy of that exact name; StrategyError (``unknown_strategy``) suggests the nearest ones."""
        if name in self._by_name:
            return self._by_name[name]
        folded = {known.lower(): known for known in self._by_name}
        near = [folded[match] for match in difflib.get_close_matches(str(name).lower(), folded, n=3, cutoff=0.5)]
        hint = f"did you mean {' or '.join(near)}?" if near else "list the names with `stratopt strategies`"
        raise StrategyError(
            f"unknown strategy {str(name)[:80]!r}; {hint}",
            code="unknown_strategy",
            strategy=str(name)[:80],
            suggestions=near,
        )

    def load_folder(self, folder: Path | str) -> None:
        """Add the strategies of every ``*.py`` of the folder (names that start with ``_`` are left out)."""
        self._add_all(*folder_strategies(Path(folder)))

    def load_entry_points(self) -> None:
        """Add the strategies that installed packages offer under the entry point group ``stratopt.strategies``."""
        self._add_all(*entry_point_strategies())

    def _add_all(self, found: list[Strategy], problems: list[StrategyError]) -> None:
        self.problems.extend(problems)
        for strategy in found:
            try:
                self.add(strategy)
            except StrategyError as error:
                self.problems.append(error)


def _place(strategy: Strategy) -> str:
    """Where a strategy is written, for people."""
    if is_built_in(strategy):
        return "a built-in strategy"
    code = getattr(strategy.signal, "__code__", None)
    return "a strategy without a file" if code is None else f"{code.co_filename}, line {code.co_firstlineno}"


def get_strategy(name: str) -> Strategy:
    """The built-in strategy of that exact name; StrategyError (``unknown_strategy``) suggests the nearest ones."""
    return StrategyCatalogue().get(name)


def list_strategies() -> list[Strategy]:
    """The built-in strategies, by family."""
    return list(BUILT_IN)
