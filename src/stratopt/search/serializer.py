"""ParameterSpaceSerializer: spaces as versioned JSON, and a client's changes to a space.

Form 1: ``{"version": 1, "parameters": [{"name", "type": "float" | "int" | "choice" | "fixed", ...fields}]}``; fields at their
default are left out. Nothing is ever pickled or evaluated.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

from stratopt.errors import ParameterSpaceError
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, Fixed, FloatRange, IntRange, Parameter

VERSION = 1
KINDS: Mapping[str, type[Any]] = {"float": FloatRange, "int": IntRange, "choice": Choice, "fixed": Fixed}
RELATIONS = ("above", "at_most")


class ParameterSpaceSerializer:
    """Reads and writes spaces; what cannot be read is a ParameterSpaceError that says which node."""

    def to_json(self, space: ParameterSpace) -> dict[str, Any]:
        """The JSON form of a space."""
        return {"version": VERSION, "parameters": [{"name": name, **_write(p)} for name, p in space.parameters.items()]}

    def from_json(self, document: Mapping[str, Any]) -> ParameterSpace:
        """The space of a JSON form."""
        if document.get("version") != VERSION:
            raise ParameterSpaceError(
                f"unknown version {document.get('version')!r} of a parameter space; this release reads {VERSION}",
                version=str(document.get("version")),
            )
        return ParameterSpace(
            {
                str(node["name"]): read_parameter(node["name"], {k: v for k, v in node.items() if k != "name"})
                for node in document["parameters"]
            }
        )


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
        {name: _changed(name, old, changes[name]) if name in changes else old for name, old in space.parameters.items()}
    )


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
        change = {"type": _kind(old), **change}
    new = read_parameter(name, change)
    if isinstance(new, Choice):
        for option in new.options:
            old.check(option, name)
        return replace(new, when=old.when)
    if isinstance(new, Fixed) or not isinstance(old, IntRange | FloatRange):
        old.check(getattr(new, "value", None), name)
        return replace(new, when=old.when)
    if type(new) is not type(old):
        raise ParameterSpaceError(f"{name} is {_kind(old)}, not {_kind(new)}", parameter=name)
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


def read_parameter(name: str, node: Mapping[str, Any]) -> Parameter:
    """The parameter of one node."""
    kind = KINDS.get(str(node.get("type")))
    if kind is None:
        raise ParameterSpaceError(
            f"{name}: unknown type {node.get('type')!r}; known: {', '.join(KINDS)}",
            parameter=name,
            type=str(node.get("type")),
        )
    known = {f.name for f in fields(kind)}
    unknown = [key for key in node if key not in known and key != "type"]
    if unknown:
        raise ParameterSpaceError(
            f"{name}: unknown field {unknown[0]!r} of a {node['type']} parameter; known: {', '.join(sorted(known))}",
            parameter=name,
            field=unknown[0],
        )
    missing = [
        f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING and f.name not in node
    ]
    if missing:
        raise ParameterSpaceError(
            f"{name}: a {node['type']} parameter needs {' and '.join(missing)}", parameter=name, field=missing[0]
        )
    try:
        parameter: Parameter = kind(**{k: v for k, v in node.items() if k != "type"})
    except ParameterSpaceError as error:
        raise ParameterSpaceError(f"{name}: {error.message}", parameter=name, **error.context) from error
    return parameter


def _kind(parameter: Parameter) -> str:
    return next(name for name, kind in KINDS.items() if type(parameter) is kind)


def _write(parameter: Parameter) -> dict[str, Any]:
    written: dict[str, Any] = {"type": _kind(parameter)}
    for f in fields(parameter):
        value = getattr(parameter, f.name)
        if f.default is MISSING or value != f.default:
            written[f.name] = (
                list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
            )
    return written
