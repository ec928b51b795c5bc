"""A client's changes to a space."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from stratopt.errors import ParameterSpaceError
from stratopt.search.distribution import Distribution
from stratopt.search.nodes import kind_of, read_parameter, write_parameter
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, Fixed, FloatRange, IntRange, Parameter


def override_space(space: ParameterSpace, changes: Mapping[str, Any]) -> ParameterSpace:
    """``space`` with the named parameters replaced, in the old order; the others keep their range.

    A change is a scalar (fixed), a list (choice), or an object with ``type`` or with ``low`` and ``high``. A replaced range keeps
    the old one's relation to another parameter (``slow_period`` stays above ``fast_period``).
    """
    for name in changes:
        if name not in space.parameters:
            near = difflib.get_close_matches(name, space.parameters, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(space.parameters)}"
            raise ParameterSpaceError(f"unknown parameter {name!r}{hint}", parameter=name, known=list(space.parameters))
    return ParameterSpace(
        {
            name: _changed(name, old, changes[name]) if name in changes else old
            for name, old in space.parameters.items()
        },
        [constraint.text for constraint in space.constraints],
    )


def changes_as_document(changes: Mapping[str, Any] | ParameterSpace) -> dict[str, Any]:
    """``changes`` as a client would send them: parameter objects, numpy values and ranges in their JSON form."""
    given = changes.parameters if isinstance(changes, ParameterSpace) else changes
    return {name: _written(change) for name, change in given.items()}


def _written(change: Any) -> Any:
    if isinstance(change, Parameter):
        return write_parameter(change)
    if isinstance(change, np.generic | np.ndarray):
        return change.tolist()
    if isinstance(change, list | range):
        return [_written(option) for option in change]
    return change


def _changed(name: str, old: Parameter, change: Any) -> Parameter:
    if isinstance(change, bool | int | float | str):
        old.check(change, name)
        return Fixed(change, when=old.when)
    if isinstance(change, list):
        change = {"type": "choice", "options": change}
    if not isinstance(change, Mapping):
        raise ParameterSpaceError(
            f"{name}: give a value, a list of options or an object with low and high, not {change!r}", parameter=name
        )
    if "type" not in change:
        change = {"type": kind_of(old), **change}
    new = read_parameter(name, change)
    if isinstance(new, Choice):
        for option in new.options:
            old.check(option, name)
        return replace(new, when=old.when)
    if isinstance(old, Distribution) and not isinstance(new, Fixed):
        return replace(new, when=old.when)
    if isinstance(new, Fixed) or not isinstance(old, IntRange | FloatRange):
        old.check(getattr(new, "value", None), name)
        return replace(new, when=old.when)
    if isinstance(new, Distribution) or type(new) is not type(old):
        raise ParameterSpaceError(f"{name} is {kind_of(old)}, not {kind_of(new)}", parameter=name)
    for end in ("low", "high"):
        old.check(getattr(new, end), f"{name}.{end}")
    above = new.above or old.above or (old.ratio_of if not new.ratio_of and old.low > 1 else None)
    default = None if old.default is None or not new.low <= old.default <= new.high or new.ratio_of else old.default
    return replace(
        new,
        above=above,
        at_most=new.at_most or old.at_most,
        when=old.when,
        minimum=old.minimum,
        maximum=old.maximum,
        default=default if new.default is None else new.default,
    )
