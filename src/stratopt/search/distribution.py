"""Parameters with one of hyperopt's named priors, argument for argument."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stratopt.errors import ParameterSpaceError
from stratopt.search.latent import Latent

ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "uniform": ("low", "high"),
    "quniform": ("low", "high", "q"),
    "uniformint": ("low", "high", "q"),
    "loguniform": ("low", "high"),
    "qloguniform": ("low", "high", "q"),
    "randint": ("low", "high"),
    "normal": ("mu", "sigma"),
    "qnormal": ("mu", "sigma", "q"),
    "lognormal": ("mu", "sigma"),
    "qlognormal": ("mu", "sigma", "q"),
}
WHOLE = frozenset({"uniformint", "randint"})


@dataclass(frozen=True)
class Distribution:
    """A number with the prior ``kind`` of hyperopt and hyperopt's arguments.

    ``low``, ``high``, ``mu`` and ``sigma`` of a log kind are of the logarithm; ``q`` rounds to multiples; ``high`` of randint is
    exclusive, its ``low`` may be left out. ``whole`` makes values whole numbers.

    >>> Distribution("qlognormal", mu=1.0, sigma=0.5, q=0.1).latent().log
    True
    """

    kind: str
    low: float | None = None
    high: float | None = None
    mu: float | None = None
    sigma: float | None = None
    q: float | None = None
    whole: bool = False
    default: float | None = None
    when: Any = None

    def __post_init__(self) -> None:
        if self.kind not in ARGUMENTS:
            raise ParameterSpaceError(
                f"unknown distribution {self.kind!r}; known: {', '.join(ARGUMENTS)}", kind=str(self.kind)
            )
        for name in ("low", "high", "mu", "sigma", "q"):
            value, wanted = getattr(self, name), name in ARGUMENTS[self.kind]
            if self.kind == "randint" and name == "low" and value is None:
                continue
            if wanted != (value is not None):
                raise ParameterSpaceError(
                    f"{self.kind} takes {', '.join(ARGUMENTS[self.kind])}; {name} is {'missing' if wanted else 'not one of them'}",
                    field=name,
                )
            if wanted and (isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)):
                raise ParameterSpaceError(
                    f"{name} must be a finite number, not {value!r}", field=name, value=str(value)
                )
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ParameterSpaceError(
                f"low {self.low} must be less than high {self.high}", low=self.low, high=self.high
            )
        for name in ("sigma", "q"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ParameterSpaceError(f"{name} must be > 0, not {value}", field=name, value=value)
        if self.kind == "randint" and not all(float(v).is_integer() for v in (self.low or 0, self.high or 0)):
            raise ParameterSpaceError(
                f"randint takes whole numbers, not {self.low} and {self.high}", low=self.low, high=self.high
            )

    @property
    def arguments(self) -> tuple[float, ...]:
        """The arguments in hyperopt's order."""
        given = (getattr(self, name) for name in ARGUMENTS[self.kind])
        return tuple(argument for argument in given if argument is not None)

    @property
    def is_whole(self) -> bool:
        """Whether values are whole numbers."""
        return self.whole or self.kind in WHOLE

    @property
    def is_log(self) -> bool:
        """Whether the arguments are of the logarithm."""
        return "log" in self.kind

    @property
    def parents(self) -> tuple[str, ...]:
        """Earlier parameters whose values this one needs."""
        return parents_of(self.when)

    def latent(self) -> Latent:
        """What an engine draws."""
        if self.mu is not None and self.sigma is not None:
            return Latent("normal", log=self.is_log, mu=self.mu, sigma=self.sigma, quantum=self.q)
        low, high = float(self.low or 0.0), float(self.high or 0.0)
        if self.kind == "randint":
            return Latent("int", low, high - 1, step=1)
        if self.is_log:
            return Latent("float", math.exp(low), math.exp(high), log=True, quantum=self.q)
        return Latent("float", low, high, quantum=self.q)

    def resolve(self, drawn: float, known: Mapping[str, Any]) -> float | int:
        """The parameter's value for what the engine drew."""
        del known
        return int(drawn) if self.is_whole else float(drawn)

    def unresolve(self, value: Any, known: Mapping[str, Any]) -> float:
        """What an engine draws for that value."""
        del known
        return float(value)

    def bounds(self, known: Mapping[str, Any]) -> tuple[float, float]:
        """Values of the central 99.9 % of the prior, or the ends of a bounded one."""
        del known
        latent = self.latent()
        if latent.kind != "normal":
            return latent.low, latent.high
        low, high = latent.mu - 3.29 * latent.sigma, latent.mu + 3.29 * latent.sigma
        return (math.exp(low), math.exp(high)) if latent.log else (low, high)

    def check(self, value: Any, name: str) -> float | int:
        """``value`` if the prior can give it, or ParameterSpaceError."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ParameterSpaceError(
                f"{name} must be a finite number, not {value!r}", parameter=name, value=str(value)
            )
        if self.is_whole and value != int(value):
            raise ParameterSpaceError(f"{name} must be a whole number, not {value!r}", parameter=name, value=value)
        if self.mu is None:
            low, high = self.bounds({})
            slack = 0.5 * (self.q or 0.0)
            if not low - slack <= value <= high + slack:
                raise ParameterSpaceError(
                    f"{name} = {value:g} is outside [{low:g}, {high:g}]", parameter=name, value=value
                )
        elif self.is_log and value < 0:
            raise ParameterSpaceError(f"{name} = {value:g} must not be negative", parameter=name, value=value)
        return int(value) if self.is_whole else float(value)


def alternatives(when: Any) -> Sequence[Mapping[str, Any]]:
    """The branches that a ``when`` names: none, one mapping, or any of several."""
    if not when:
        return ()
    return (when,) if isinstance(when, Mapping) else tuple(when)


def parents_of(when: Any) -> tuple[str, ...]:
    """The parameters that a ``when`` reads."""
    return tuple(dict.fromkeys(name for branch in alternatives(when) for name in branch))
