"""The kinds of parameter a space is made of.

Parameter
├── FloatRange   real interval, linear or log, optionally in steps
├── IntRange     whole numbers, linear or log, optionally in steps
├── Choice       one of several options
├── Fixed        one value, not searched
└── Distribution a number with one of hyperopt's priors (normal, log-normal, quantised...)

A range may *depend* on an earlier parameter, so that a constraint is sampled away instead of rejected:

``above="x"``     the value is greater than x
``at_most="x"``   the value is at most x
``ratio_of="x"``  low and high are multiples of x

An engine sees a dependent range as a fraction in [0, 1] (or as the ratio) and never as an invalid point.
``when={"x": value}`` makes a parameter exist only where the earlier choice x took that value (nest by chaining); of several such
mappings in a list any may hold.
``low`` and ``high`` bound the *search*; ``minimum`` and ``maximum`` bound what a caller may pass by hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from stratopt.errors import ParameterSpaceError
from stratopt.search.distribution import Distribution, parents_of
from stratopt.search.latent import Latent

Value: TypeAlias = bool | int | float | str | None
Params: TypeAlias = dict[str, Any]
When: TypeAlias = Mapping[str, Value] | Sequence[Mapping[str, Value]] | None


@dataclass(frozen=True)
class Range:
    """Shared by FloatRange and IntRange; not used by itself."""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    default: float | None = None
    above: str | None = None
    at_most: str | None = None
    ratio_of: str | None = None
    when: When = None
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        for name in ("low", "high", "step", "default", "minimum", "maximum"):
            value = getattr(self, name)
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
            ):
                raise ParameterSpaceError(
                    f"{name} must be a finite number, not {value!r}", field=name, value=str(value)
                )
        if self.low > self.high:
            raise ParameterSpaceError(
                f"low {self.low} is greater than high {self.high}; swap them", low=self.low, high=self.high
            )
        if self.log and self.low <= 0:
            raise ParameterSpaceError(f"a log range needs low > 0, not {self.low}; raise low or drop log", low=self.low)
        if self.step is not None and self.step <= 0:
            raise ParameterSpaceError(f"step must be > 0, not {self.step}", step=self.step)

    @property
    def parents(self) -> tuple[str, ...]:
        """Earlier parameters whose values this one needs."""
        return tuple(name for name in (self.above, self.at_most, self.ratio_of, *parents_of(self.when)) if name)

    @cached_property
    def is_dependent(self) -> bool:
        """Whether the bounds move with another parameter."""
        return bool(self.above or self.at_most or self.ratio_of)


@dataclass(frozen=True)
class FloatRange(Range):
    """A real parameter in [low, high]."""

    def latent(self) -> Latent:
        """What an engine draws."""
        if self.ratio_of:
            return Latent("float", self.low, self.high, self.log)
        if self.is_dependent:
            return Latent("float")
        return Latent("float", self.low, self.high, self.log, self.step)

    def resolve(self, drawn: float, known: Mapping[str, Any]) -> float:
        """The parameter's value for what the engine drew, given the values of earlier parameters."""
        if not self.is_dependent:
            return float(min(max(drawn, self.low), self.high))
        if self.ratio_of:
            return float(drawn * known[self.ratio_of])
        low, high = self.bounds(known)
        return _between(float(drawn), low, high, self.log)

    def unresolve(self, value: Any, known: Mapping[str, Any]) -> float:
        """What an engine draws for that value."""
        if self.ratio_of:
            return float(value) / known[self.ratio_of]
        return float(value) if not self.is_dependent else _fraction(float(value), *self.bounds(known), self.log)

    def bounds(self, known: Mapping[str, Any]) -> tuple[float, float]:
        """Search bounds given the values of earlier parameters."""
        if self.ratio_of:
            base = float(known[self.ratio_of])
            return self.low * base, self.high * base
        low = max(self.low, float(known[self.above])) if self.above else self.low
        high = min(self.high, float(known[self.at_most])) if self.at_most else self.high
        return min(low, high), max(low, high)

    def check(self, value: Any, name: str) -> float:
        """``value`` as this parameter's type, or ParameterSpaceError."""
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float | np.integer | np.floating)
            or not math.isfinite(value)
        ):
            raise ParameterSpaceError(
                f"{name} must be a finite number, not {value!r}", parameter=name, value=str(value)
            )
        _check_domain(self, float(value), name)
        return float(value)


@dataclass(frozen=True)
class IntRange(Range):
    """A whole-number parameter in [low, high]; ``minimum`` defaults to 1 where low ≥ 1."""

    def latent(self) -> Latent:
        """What an engine draws."""
        if self.ratio_of:
            return Latent("float", self.low, self.high, self.log)
        if self.is_dependent:
            return Latent("float")
        return Latent("int", self.low, self.high, self.log, self.step or 1)

    def resolve(self, drawn: float, known: Mapping[str, Any]) -> int:
        """The parameter's value for what the engine drew, given the values of earlier parameters."""
        if not self.is_dependent:
            return int(min(max(round(drawn), self.low), self.high))
        low, high = self.bounds(known)
        if self.ratio_of:
            return int(min(max(round(drawn * known[self.ratio_of]), low), high))
        return int(min(math.floor(_between(float(drawn), low, high + 1, self.log)), high))

    def unresolve(self, value: Any, known: Mapping[str, Any]) -> float:
        """What an engine draws for that value (the middle of its share)."""
        if self.ratio_of:
            return float(value) / known[self.ratio_of]
        low, high = self.bounds(known)
        return float(value) if not self.is_dependent else _fraction(value + 0.5, low, high + 1, self.log)

    def bounds(self, known: Mapping[str, Any]) -> tuple[int, int]:
        """Search bounds given the values of earlier parameters."""
        if self.ratio_of:
            base = float(known[self.ratio_of])
            return math.ceil(self.low * base - 1e-9), math.floor(self.high * base + 1e-9)
        low = max(int(self.low), math.floor(known[self.above]) + 1) if self.above else int(self.low)
        high = min(int(self.high), math.floor(known[self.at_most])) if self.at_most else int(self.high)
        return (low, max(low, high)) if self.above else (min(low, high), high)

    def check(self, value: Any, name: str) -> int:
        """``value`` as this parameter's type, or ParameterSpaceError."""
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float | np.integer | np.floating)
            or not math.isfinite(value)
            or value != int(value)
        ):
            raise ParameterSpaceError(f"{name} must be a whole number, not {value!r}", parameter=name, value=str(value))
        _check_domain(self, float(value), name, default_minimum=1.0 if self.low >= 1 else None)
        return int(value)


@dataclass(frozen=True)
class Choice:
    """One of ``options`` (JSON scalars), with optional prior ``weights``; ``ordered`` says that neighbours are alike."""

    options: Sequence[Value]
    weights: Sequence[float] | None = None
    ordered: bool = False
    default: Value = None
    when: When = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(self.options))
        if not self.options or len(set(map(repr, self.options))) != len(self.options):
            raise ParameterSpaceError(f"options must be distinct and at least one, not {list(self.options)!r}")
        if self.weights is not None:
            object.__setattr__(self, "weights", tuple(float(w) for w in self.weights))
            if (
                len(self.weights) != len(self.options)
                or min(self.weights) < 0
                or not math.isfinite(sum(self.weights))
                or sum(self.weights) <= 0
            ):
                raise ParameterSpaceError(
                    "weights must be one non-negative number for each option, with a positive sum"
                )

    @property
    def parents(self) -> tuple[str, ...]:
        """Earlier parameters whose values this one needs."""
        return parents_of(self.when)

    def latent(self) -> Latent:
        """What an engine draws: the index of an option."""
        if self.ordered and not self.weights:
            return Latent("int", 0, len(self.options) - 1, step=1)
        return Latent("categorical", count=len(self.options), weights=tuple(self.weights) if self.weights else None)

    def resolve(self, drawn: float, known: Mapping[str, Any]) -> Value:
        """The option of that index."""
        del known
        return self.options[int(drawn)]

    def unresolve(self, value: Any, known: Mapping[str, Any]) -> float:
        """The index of an option."""
        del known
        kinds = [(type(option), option) for option in self.options]
        return float(kinds.index((type(value), value)) if (type(value), value) in kinds else self.options.index(value))

    def check(self, value: Any, name: str) -> Value:
        """``value`` if it is an option, or ParameterSpaceError."""
        for option in self.options:
            if option == value and isinstance(option, bool) == isinstance(value, bool):
                return option
        raise ParameterSpaceError(
            f"{name} must be one of {list(self.options)!r}, not {value!r}", parameter=name, value=str(value)
        )


@dataclass(frozen=True)
class Fixed:
    """One value that the search leaves alone."""

    value: Value
    when: When = None

    @property
    def default(self) -> Value:
        """The value."""
        return self.value

    @property
    def parents(self) -> tuple[str, ...]:
        """Earlier parameters whose values this one needs."""
        return parents_of(self.when)

    def resolve(self, drawn: float | None, known: Mapping[str, Any]) -> Value:
        """The value, whatever was drawn."""
        del drawn, known
        return self.value

    def check(self, value: Any, name: str) -> Value:
        """``value`` if it is the fixed one, or ParameterSpaceError."""
        if value != self.value:
            raise ParameterSpaceError(
                f"{name} is fixed at {self.value!r}, not {value!r}", parameter=name, value=str(value)
            )
        return self.value


Parameter: TypeAlias = FloatRange | IntRange | Choice | Fixed | Distribution


def _between(fraction: float, low: float, high: float, log: bool) -> float:
    if log and low > 0:
        return math.exp(math.log(low) + fraction * (math.log(high) - math.log(low)))
    return low + fraction * (high - low)


def _fraction(value: float, low: float, high: float, log: bool) -> float:
    """The inverse of ``_between``; 0.5 where the range is a point."""
    if high <= low:
        return 0.5
    if log and low > 0:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return min(max((value - low) / (high - low), 0.0), 1.0)


def _check_domain(rule: Range, value: float, name: str, default_minimum: float | None = None) -> None:
    minimum = rule.minimum if rule.minimum is not None else default_minimum
    if minimum is not None and value < minimum:
        raise ParameterSpaceError(
            f"{name} = {value:g} is below its minimum {minimum:g}", parameter=name, value=value, limit=minimum
        )
    if rule.maximum is not None and value > rule.maximum:
        raise ParameterSpaceError(
            f"{name} = {value:g} is above its maximum {rule.maximum:g}", parameter=name, value=value, limit=rule.maximum
        )
