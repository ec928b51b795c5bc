"""A ParameterSpace as a hyperopt tree: parameters of a branch move into the options of its choice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stratopt.errors import ParameterSpaceError
from stratopt.search.distribution import Distribution, alternatives
from stratopt.search.nodes import write_parameter
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, Fixed, FloatRange, IntRange, Parameter

MOST_OPTIONS = 1000


def unflatten(space: ParameterSpace) -> dict[str, Any]:
    """The tree of a space whose samples, flattened, have the same distribution; ParameterSpaceError names what has none."""
    if space.constraints:
        raise _no_form("constraints", f"the constraint {space.constraints[0].text!r}")
    return _dict(space, {})


def _dict(space: ParameterSpace, branch: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that exist exactly where ``branch`` was taken."""
    here = [
        name
        for name, parameter in space.parameters.items()
        if any(dict(taken) == dict(branch) for taken in alternatives(parameter.when) or ({},))
    ]
    return {"type": "dict", "items": {name: _node(space, name, branch) for name in here}}


def _node(space: ParameterSpace, name: str, branch: Mapping[str, Any]) -> dict[str, Any]:
    parameter = space.parameters[name]
    if isinstance(parameter, Choice):
        return _choice(space, name, parameter, branch)
    if isinstance(parameter, Fixed):
        return {"type": "value", "value": parameter.value}
    if isinstance(parameter, Distribution):
        written = {k: v for k, v in write_parameter(parameter).items() if k not in {"when", "default"}}
        return {**written, "name": name}
    return _range(name, parameter)


def _choice(space: ParameterSpace, name: str, parameter: Choice, branch: Mapping[str, Any]) -> dict[str, Any]:
    options: list[dict[str, Any]] = []
    for option in parameter.options:
        inner = _dict(space, {**branch, name: option})
        value = {"type": "value", "value": option}
        options.append({"type": "dict", "items": {name: value, **inner["items"]}} if inner["items"] else value)
    written: dict[str, Any] = {"type": "choice", "name": name, "options": options}
    if parameter.weights:
        written["weights"] = [weight / sum(parameter.weights) for weight in parameter.weights]
    return written


def _range(name: str, parameter: Parameter) -> dict[str, Any]:
    assert isinstance(parameter, FloatRange | IntRange)
    if parameter.is_dependent:
        raise _no_form(name, "bounds that depend on another parameter")
    step = parameter.step or (1 if isinstance(parameter, IntRange) else None)
    if parameter.log and step:
        raise _no_form(name, "logarithmic steps")
    if isinstance(parameter, IntRange) and step == 1:
        return {"type": "randint", "name": name, "low": int(parameter.low), "high": int(parameter.high) + 1}
    if step:
        return {"type": "choice", "name": name, "options": _stepped(name, parameter, step)}
    if parameter.log:
        return {"type": "loguniform", "name": name, "low": math.log(parameter.low), "high": math.log(parameter.high)}
    return {"type": "uniform", "name": name, "low": parameter.low, "high": parameter.high}


def _stepped(name: str, parameter: FloatRange | IntRange, step: float) -> Sequence[dict[str, Any]]:
    count = math.floor((parameter.high - parameter.low) / step + 1e-9) + 1
    if count > MOST_OPTIONS:
        raise _no_form(name, f"{count} steps, more than {MOST_OPTIONS}")
    cast = int if isinstance(parameter, IntRange) else float
    return [{"type": "value", "value": cast(parameter.low + k * step)} for k in range(count)]


def _no_form(name: str, what: str) -> ParameterSpaceError:
    return ParameterSpaceError(
        f"{name} has {what}, which no hp expression can carry; replace it or keep the ParameterSpace",
        code="not_serializable",
        parameter=name,
    )
