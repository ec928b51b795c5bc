"""A search space: named parameters in a fixed order, some of which exist only in some branches."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from stratopt.errors import ParameterSpaceError
from stratopt.search.parameters import Choice, Fixed, FloatRange, IntRange, Latent, Parameter, Params


class ParameterSpace:
    """Named parameters in declaration order; parents come before what depends on them.

    Engines draw *latent* values (``latents``) and ``resolve`` turns them into parameters, so that every drawn point is valid.

    >>> space = ParameterSpace({"fast_period": IntRange(2, 50, default=10), "slow_period": IntRange(5, 200, above="fast_period", default=30)})
    >>> space.resolve({"fast_period": 20, "slow_period": 0.0})
    {'fast_period': 20, 'slow_period': 21}
    >>> space.defaults()
    {'fast_period': 10, 'slow_period': 30}
    """

    def __init__(self, parameters: Mapping[str, Parameter]) -> None:
        self.parameters: dict[str, Parameter] = dict(parameters)
        seen: set[str] = set()
        for name, parameter in self.parameters.items():
            for parent in parameter.parents:
                if parent not in seen:
                    raise ParameterSpaceError(
                        f"{name} depends on {parent}, which is not declared before it", parameter=name, parent=parent
                    )
            seen.add(name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParameterSpace) and list(self.parameters.items()) == list(other.parameters.items())

    def __hash__(self) -> int:
        return hash(tuple(self.parameters))

    def __repr__(self) -> str:
        return f"ParameterSpace({', '.join(self.parameters)})"

    def latents(self) -> dict[str, Latent]:
        """What an engine draws, by parameter name (fixed parameters are left out)."""
        return {name: p.latent() for name, p in self.parameters.items() if not isinstance(p, Fixed)}

    def is_active(self, name: str, known: Mapping[str, Any]) -> bool:
        """Whether the parameter exists, given the values of earlier ones."""
        when = self.parameters[name].when or {}
        return all(parent in known and known[parent] == value for parent, value in when.items())

    def resolve(self, drawn: Mapping[str, float]) -> Params:
        """Parameters for the drawn latent values; those of inactive branches are left out (and need not be drawn)."""
        params: Params = {}
        for name, parameter in self.parameters.items():
            if not self.is_active(name, params):
                continue
            params[name] = parameter.value if isinstance(parameter, Fixed) else parameter.resolve(drawn[name], params)
        return params

    def defaults(self) -> Params:
        """The default of every active parameter; where none is declared, the middle of a range or the first option."""
        params: Params = {}
        for name, parameter in self.parameters.items():
            if self.is_active(name, params):
                params[name] = _default(parameter, params)
        return params

    def validate(self, params: Mapping[str, Any] | None) -> Params:
        """``params`` checked and completed with defaults; ParameterSpaceError names what is wrong and what is possible."""
        given = dict(params or {})
        unknown = [name for name in given if name not in self.parameters]
        if unknown:
            raise ParameterSpaceError(
                f"unknown parameter {unknown[0]!r}; known: {', '.join(self.parameters) or 'none'}",
                parameter=unknown[0],
                known=list(self.parameters),
            )
        result: Params = {}
        for name, parameter in self.parameters.items():
            if not self.is_active(name, result):
                continue
            result[name] = parameter.check(given[name], name) if name in given else _default(parameter, result)
            _check_relation(name, parameter, result)
        return result

    def size(self) -> int | None:
        """Number of distinct points, or None where a real parameter without steps makes it infinite.

        Dependent ranges are counted by enumeration and give None above a million points.
        """
        if any(isinstance(p, FloatRange) and not p.step for p in self.parameters.values()):
            return None
        if all(not p.parents for p in self.parameters.values()):
            return math.prod(len(_values(p, {}, 1_000_000_000)) for p in self.parameters.values())
        count = 0
        for _ in self.grid(points_per_range=1_000_000_000):
            count += 1
            if count > 1_000_000:
                return None
        return count

    def grid(self, points_per_range: int = 10) -> Iterator[Params]:
        """Every combination, in declaration order; a range with more values than ``points_per_range`` is thinned evenly."""
        names = list(self.parameters)

        def walk(position: int, known: Params) -> Iterator[Params]:
            if position == len(names):
                yield dict(known)
                return
            name = names[position]
            if not self.is_active(name, known):
                yield from walk(position + 1, known)
                return
            for value in _values(self.parameters[name], known, points_per_range):
                yield from walk(position + 1, {**known, name: value})

        return walk(0, {})

    @staticmethod
    def key(params: Mapping[str, Any]) -> str:
        """One text for equal parameters, to find repeats."""
        return json.dumps(params, sort_keys=True)


def _default(parameter: Parameter, known: Mapping[str, Any]) -> Any:
    if parameter.default is not None:
        return parameter.default
    if isinstance(parameter, Choice):
        return parameter.options[0]
    if isinstance(parameter, Fixed):
        return parameter.value
    low, high = parameter.bounds(known)
    middle = math.sqrt(low * high) if parameter.log and low > 0 else (low + high) / 2
    return round(middle) if isinstance(parameter, IntRange) else middle


def _check_relation(name: str, parameter: Parameter, known: Mapping[str, Any]) -> None:
    if isinstance(parameter, Choice | Fixed):
        return
    floor = parameter.above or (parameter.ratio_of if parameter.low > 1 else None)
    value = known[name]
    if floor and not value > known[floor]:
        raise ParameterSpaceError(
            f"{name} = {value:g} must be greater than {floor} = {known[floor]:g}",
            parameter=name,
            value=value,
            limit=known[floor],
        )
    if parameter.at_most and value > known[parameter.at_most]:
        raise ParameterSpaceError(
            f"{name} = {value:g} must be at most {parameter.at_most} = {known[parameter.at_most]:g}",
            parameter=name,
            value=value,
            limit=known[parameter.at_most],
        )


def _values(parameter: Parameter, known: Mapping[str, Any], most: int) -> list[Any]:
    if isinstance(parameter, Fixed):
        return [parameter.value]
    if isinstance(parameter, Choice):
        return list(parameter.options)
    low, high = parameter.bounds(known)
    if isinstance(parameter, IntRange):
        whole = list(range(int(low), int(high) + 1, int(parameter.step or 1)))
        return whole if len(whole) <= most else sorted({round(v) for v in _spread(low, high, most, parameter.log)})
    if parameter.step:
        steps = math.floor((high - low) / parameter.step + 1e-9)
        if steps + 1 <= most:
            return [low + k * parameter.step for k in range(steps + 1)]
    return _spread(low, high, most, parameter.log)


def _spread(low: float, high: float, count: int, log: bool) -> list[float]:
    if count == 1 or low == high:
        return [low]
    if log and low > 0:
        ratio = math.log(high / low)
        return [low * math.exp(ratio * k / (count - 1)) for k in range(count)]
    return [low + (high - low) * k / (count - 1) for k in range(count)]
