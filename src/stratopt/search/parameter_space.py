"""A search space: named parameters in a fixed order, some of which exist only in some branches."""

from __future__ import annotations

import ast
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from stratopt.errors import ParameterSpaceError
from stratopt.search.distribution import Distribution, alternatives
from stratopt.search.expression import Expression
from stratopt.search.latent import Latent
from stratopt.search.parameters import Choice, Fixed, FloatRange, IntRange, Parameter, Params, When
from stratopt.search.prior import from_unit

MOST_COUNTED = 1_000_000


class ParameterSpace:
    """Named parameters in declaration order; parents come before what depends on them.

    Engines draw *latent* values (``latents``) and ``resolve`` turns them into parameters. A constraint of the form
    ``"fast_period < slow_period"`` between two plain ranges becomes a property of the second (``above``), so that every drawn
    point obeys it; any other constraint is an ``Expression`` and points that break it are not evaluated.

    >>> space = ParameterSpace({"fast_period": IntRange(2, 50, default=10), "slow_period": IntRange(5, 200, above="fast_period", default=30)})
    >>> space.resolve({"fast_period": 20, "slow_period": 0.0})
    {'fast_period': 20, 'slow_period': 21}
    >>> space.defaults()
    {'fast_period': 10, 'slow_period': 30}
    """

    def __init__(self, parameters: Mapping[str, Parameter], constraints: Sequence[str] = ()) -> None:
        self.parameters: dict[str, Parameter] = dict(parameters)
        self.constraints: tuple[Expression, ...] = self._expressions(constraints)
        seen: set[str] = set()
        for name, parameter in self.parameters.items():
            for parent in parameter.parents:
                if parent not in seen:
                    raise ParameterSpaceError(
                        f"{name} depends on {parent}, which is not declared before it", parameter=name, parent=parent
                    )
            seen.add(name)

    def _expressions(self, constraints: Sequence[str]) -> tuple[Expression, ...]:
        """Constraints that are left after those that a range can carry were built in."""
        left = []
        for text in constraints:
            expression = Expression(text)
            expression.require_names(list(self.parameters))
            if not self._built_in(expression):
                left.append(expression)
        return tuple(left)

    def _built_in(self, expression: Expression) -> bool:
        match expression.tree:
            case ast.Compare(left=ast.Name(id=a), ops=[ast.Lt()], comparators=[ast.Name(id=b)]):
                below, above = a, b
            case ast.Compare(left=ast.Name(id=a), ops=[ast.Gt()], comparators=[ast.Name(id=b)]):
                below, above = b, a
            case _:
                return False
        lower, upper = self.parameters[below], self.parameters[above]
        names = list(self.parameters)
        if not (
            isinstance(lower, IntRange)
            and isinstance(upper, IntRange)
            and names.index(below) < names.index(above)
            and not (upper.is_dependent or lower.is_dependent or upper.step or lower.when)
            and lower.high < upper.high
        ):
            return False
        self.parameters[above] = replace(upper, above=below)
        return True

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ParameterSpace)
            and list(self.parameters.items()) == list(other.parameters.items())
            and self.constraints == other.constraints
        )

    def __hash__(self) -> int:
        return hash(tuple(self.parameters))

    def __repr__(self) -> str:
        return f"ParameterSpace({', '.join(self.parameters)})"

    def latents(self) -> dict[str, Latent]:
        """What an engine draws, by parameter name (fixed parameters are left out)."""
        return {name: p.latent() for name, p in self.parameters.items() if not isinstance(p, Fixed)}

    def is_active(self, name: str, known: Mapping[str, Any]) -> bool:
        """Whether the parameter exists, given the values of earlier ones."""
        when = self.parameters[name].when
        return not when or any(
            all(parent in known and known[parent] == value for parent, value in branch.items())
            for branch in alternatives(when)
        )

    def resolve(self, drawn: Mapping[str, float]) -> Params:
        """Parameters for the drawn latent values; those of inactive branches are left out (and need not be drawn)."""
        params: Params = {}
        for name, when, resolve in self._resolvers:
            if not when or self.is_active(name, params):
                params[name] = resolve(drawn.get(name), params)
        return params

    @cached_property
    def _resolvers(self) -> Sequence[tuple[str, When, Any]]:
        """Name, condition and method of each parameter: engines resolve a dozen candidates for each point that they ask for."""
        return [(name, parameter.when, parameter.resolve) for name, parameter in self.parameters.items()]

    def unresolve(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Latent values that resolve to ``params``; those of inactive branches are left out."""
        return {
            name: parameter.unresolve(params[name], params)
            for name, parameter in self.parameters.items()
            if name in params and not isinstance(parameter, Fixed)
        }

    def allows(self, params: Mapping[str, Any]) -> bool:
        """Whether every constraint holds."""
        return all(constraint.holds(params) for constraint in self.constraints)

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

    @cached_property
    def is_finite(self) -> bool:
        """Whether there is a last point: no real parameter without steps, no unbounded prior."""
        return not any(_is_endless(parameter) for parameter in self.parameters.values())

    def size(self, most: int = MOST_COUNTED) -> int | None:
        """Number of distinct points; None if that is infinite or, in a dependent space, more than ``most``.

        Dependent and constrained spaces are counted by enumeration.
        """
        if not self.is_finite:
            return None
        if not self.constraints and all(not p.parents for p in self.parameters.values()):
            return math.prod(len(_values(p, {}, None)) for p in self.parameters.values())
        count = sum(1 for _ in zip(self.grid(None), range(most + 1), strict=False))
        return count if count <= most else None

    def grid(self, points_per_range: int | None = 10) -> Iterator[Params]:
        """Every combination that the constraints allow, in declaration order.

        A range with more values than ``points_per_range`` is thinned evenly; None keeps all values (an endless range has none).
        """
        names = list(self.parameters)

        def walk(position: int, known: Params) -> Iterator[Params]:
            if position == len(names):
                if self.allows(known):
                    yield dict(known)
                return
            name = names[position]
            if not self.is_active(name, known):
                yield from walk(position + 1, known)
                return
            for value in _values(self.parameters[name], known, points_per_range):
                yield from walk(position + 1, {**known, name: value})

        return walk(0, {})

    def key(self, params: Mapping[str, Any]) -> Hashable:
        """One value for equal parameters, to find repeats."""
        if self._needs_types:
            return tuple((name, type(value), value) for name, value in params.items())
        return tuple(params.items()) if self._is_conditional else tuple(params.values())

    @cached_property
    def _is_conditional(self) -> bool:
        return any(parameter.when for parameter in self.parameters.values())

    @cached_property
    def _needs_types(self) -> bool:
        """Whether options of a choice differ by type only, as 1 and True do."""
        return any(isinstance(p, Choice) and len(set(p.options)) < len(p.options) for p in self.parameters.values())


def _default(parameter: Parameter, known: Mapping[str, Any]) -> Any:
    if parameter.default is not None:
        return (
            parameter.check(parameter.default, "default") if isinstance(parameter, Distribution) else parameter.default
        )
    if isinstance(parameter, Choice):
        return parameter.options[0]
    if isinstance(parameter, Fixed):
        return parameter.value
    if isinstance(parameter, Distribution):
        return parameter.resolve(from_unit(parameter.latent(), 0.5), known)
    low, high = parameter.bounds(known)
    middle = math.sqrt(low * high) if parameter.log and low > 0 else (low + high) / 2
    return round(middle) if isinstance(parameter, IntRange) else middle


def _check_relation(name: str, parameter: Parameter, known: Mapping[str, Any]) -> None:
    if isinstance(parameter, Choice | Fixed | Distribution):
        return
    floor = parameter.above or (parameter.ratio_of if parameter.low > 1 else None)
    value = known[name]
    if floor and not value > known[floor]:
        raise ParameterSpaceError(
            f"{name} = {value:g} must be greater than {floor} = {known[floor]:g}; give {floor} too, below {value:g}",
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


def _is_endless(parameter: Parameter) -> bool:
    if isinstance(parameter, Distribution):
        return parameter.mu is not None or (parameter.q is None and not parameter.is_whole)
    return isinstance(parameter, FloatRange) and (not parameter.step or parameter.is_dependent)


def _values(parameter: Parameter, known: Mapping[str, Any], most: int | None) -> list[Any]:
    if isinstance(parameter, Fixed):
        return [parameter.value]
    if isinstance(parameter, Choice):
        return list(parameter.options)
    low, high = parameter.bounds(known)
    if isinstance(parameter, Distribution):
        return _values_of_prior(parameter, most)
    if isinstance(parameter, IntRange):
        whole = list(range(int(low), int(high) + 1, int(parameter.step or 1)))
        return (
            whole
            if most is None or len(whole) <= most
            else sorted({round(v) for v in _spread(low, high, most, parameter.log)})
        )
    if parameter.step:
        steps = math.floor((high - low) / parameter.step + 1e-9)
        if most is None or steps + 1 <= most:
            return [min(low + k * parameter.step, high) for k in range(steps + 1)]
    if most is None:
        raise ParameterSpaceError("a real range without steps has no list of values; give it a step or a budget")
    return _spread(low, high, most, parameter.log)


def _values_of_prior(parameter: Distribution, most: int | None) -> list[Any]:
    """All values of a finite prior, or ``most`` of its quantiles."""
    latent = parameter.latent()
    quantum = latent.step or latent.quantum
    if quantum and latent.kind != "normal":
        first, last = round(latent.low / quantum), round(latent.high / quantum)
        if most is None or last - first < most:
            return [parameter.resolve(quantum * k, {}) for k in range(first, last + 1)]
    if most is None:
        raise ParameterSpaceError(f"a {parameter.kind} prior has no list of values; give it a budget")
    drawn = {parameter.resolve(from_unit(latent, (k + 0.5) / most), {}) for k in range(most)}
    return sorted(drawn)


def _spread(low: float, high: float, count: int, log: bool) -> list[float]:
    if count == 1 or low == high:
        return [low]
    if log and low > 0:
        ratio = math.log(high / low)
        inside = [low * math.exp(ratio * k / (count - 1)) for k in range(count - 1)]
    else:
        inside = [low + (high - low) * k / (count - 1) for k in range(count - 1)]
    return [*inside, high]  # itself: rounding must not carry the last one out of its bounds
