"""Many parameter sets as columns: what a sweep runs over, checked without visiting each row where the space allows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stratopt.errors import ParameterSpaceError
from stratopt.kernels.arrays import AnyArray, Float64Array2D
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, Fixed, IntRange, Range
from stratopt.strategies.base import DIRECTION_CODES, Direction, Strategy


@dataclass(frozen=True, eq=False)
class ParameterRows:
    """``columns`` of equal length by parameter name, in the order of the space; ``left_out`` combinations broke a relation.

    ``option_codes`` are the columns of choices as ``Strategy.encode`` numbers them.
    """

    columns: Mapping[str, AnyArray]
    option_codes: Mapping[str, AnyArray]
    left_out: int = 0

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 1

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {
            name: column[row].item() if hasattr(column[row], "item") else column[row]
            for name, column in self.columns.items()
        }

    def encode(self, strategy: Strategy, direction: Direction | str) -> Float64Array2D:
        """The rows as vectors of ``Strategy.encode``, float64 (R, k + 1)."""
        vectors = np.empty((len(self), len(self.columns) + 1))
        for position, (name, column) in enumerate(self.columns.items()):
            vectors[:, position] = self.option_codes.get(name, column)
        vectors[:, -1] = DIRECTION_CODES[Direction(direction)]
        return vectors


def is_columnar(space: ParameterSpace) -> bool:
    """Whether rows of the space can be checked by column: every parameter exists in every row, and relations compare two of them."""
    return not space.constraints and all(
        isinstance(p, Range | Choice | Fixed) and not p.when for p in space.parameters.values()
    )


def grid(space: ParameterSpace, axes: Mapping[str, Sequence[Any]]) -> ParameterRows:
    """All combinations of ``axes`` that the relations of the space allow; parameters that are not named take their defaults.

    ParameterSpaceError for an unknown name, an axis that is empty or no list, a value out of its domain, or when no combination is left.
    """
    defaults = space.defaults()
    unknown = [name for name in axes if name not in space.parameters]
    if unknown:
        space.validate({unknown[0]: None})
    checked: dict[str, list[Any]] = {}
    for name, parameter in space.parameters.items():
        values = _values(name, axes[name]) if name in axes else [defaults[name]]
        checked[name] = [
            parameter.check(value.item() if isinstance(value, np.generic) else value, name) for value in values
        ]
    product = np.indices([len(values) for values in checked.values()]).reshape(len(checked), -1)
    columns = {name: _column(values)[index] for (name, values), index in zip(checked.items(), product, strict=True)}
    kept = np.ones(product.shape[1], dtype=bool)
    for name, parameter in space.parameters.items():
        kept &= _obeys(parameter, name, columns)
    if not kept.any():
        raise ParameterSpaceError(
            f"no combination of {', '.join(axes)} obeys the relations of the space", parameters=list(axes)
        )
    codes = {
        name: np.array([parameter.options.index(value) for value in checked[name]])[index[kept]]
        for (name, parameter), index in zip(space.parameters.items(), product, strict=True)
        if isinstance(parameter, Choice)
    }
    return ParameterRows({name: column[kept] for name, column in columns.items()}, codes, int((~kept).sum()))


def listed(space: ParameterSpace, points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every point checked and completed with defaults."""
    return [space.validate(point) for point in points]


def _values(name: str, given: Any) -> list[Any]:
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise ParameterSpaceError(
            f"{name} takes a list of values to sweep, not {given!r}; write [{given!r}] for one", parameter=name
        )
    values = list(given)
    if not values:
        raise ParameterSpaceError(f"{name} has no values to sweep; give at least one", parameter=name)
    return values


def _column(values: Sequence[Any]) -> AnyArray:
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.array(values)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _obeys(parameter: Any, name: str, columns: Mapping[str, AnyArray]) -> Any:
    """Rows that ``ParameterSpace.validate`` would accept as far as ``parameter``'s relations go."""
    if not isinstance(parameter, Range | IntRange):
        return True
    floor = parameter.above or (parameter.ratio_of if parameter.low > 1 else None)
    kept = columns[name] > columns[floor] if floor else np.ones(len(columns[name]), dtype=bool)
    if parameter.at_most:
        kept = kept & (columns[name] <= columns[parameter.at_most])
    return kept
