"""Optuna distributions and spaces, both ways."""

from __future__ import annotations

from collections.abc import Mapping

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from stratopt.errors import ParameterSpaceError
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, Fixed, FloatRange, IntRange, Parameter


def to_optuna(space: ParameterSpace) -> dict[str, BaseDistribution]:
    """One distribution a parameter; ParameterSpaceError names a parameter that Optuna has no distribution for."""
    if space.constraints:
        raise _no_form("constraints", f"the constraint {space.constraints[0].text!r}")
    return {name: _distribution(name, parameter) for name, parameter in space.parameters.items()}


def from_optuna(distributions: Mapping[str, BaseDistribution]) -> ParameterSpace:
    """The space of Optuna distributions."""
    return ParameterSpace({name: _parameter(name, d) for name, d in distributions.items()})


def _distribution(name: str, parameter: Parameter) -> BaseDistribution:
    if parameter.when:
        raise _no_form(name, "a branch that it exists in")
    if isinstance(parameter, Fixed):
        return CategoricalDistribution([parameter.value])
    if isinstance(parameter, Choice):
        if parameter.weights:
            raise _no_form(name, "weights")
        return CategoricalDistribution(list(parameter.options))
    if not isinstance(parameter, IntRange | FloatRange) or parameter.is_dependent:
        raise _no_form(name, "a prior that is not uniform between fixed bounds")
    if parameter.log and parameter.step:
        raise _no_form(name, "logarithmic steps")
    if isinstance(parameter, IntRange):
        return IntDistribution(
            int(parameter.low), int(parameter.high), log=parameter.log, step=int(parameter.step or 1)
        )
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)


def _parameter(name: str, distribution: BaseDistribution) -> Parameter:
    if isinstance(distribution, CategoricalDistribution):
        return Choice(list(distribution.choices))
    if isinstance(distribution, IntDistribution):
        step = distribution.step if distribution.step != 1 else None
        return IntRange(distribution.low, distribution.high, log=distribution.log, step=step)
    if isinstance(distribution, FloatDistribution):
        return FloatRange(distribution.low, distribution.high, log=distribution.log, step=distribution.step)
    raise _no_form(name, f"the distribution {type(distribution).__name__}")


def _no_form(name: str, what: str) -> ParameterSpaceError:
    return ParameterSpaceError(
        f"{name} has {what}, which has no counterpart on the other side", code="not_serializable", parameter=name
    )
