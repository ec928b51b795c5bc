"""One parameter as a JSON node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from stratopt.errors import ParameterSpaceError
from stratopt.search.distribution import ARGUMENTS, Distribution
from stratopt.search.parameters import Choice, Fixed, FloatRange, IntRange, Parameter

KINDS: Mapping[str, type[Any]] = {
    "float": FloatRange,
    "int": IntRange,
    "choice": Choice,
    "fixed": Fixed,
    **dict.fromkeys(ARGUMENTS, Distribution),
}


def read_parameter(name: str, node: Mapping[str, Any]) -> Parameter:
    """The parameter of one node."""
    kind = KINDS.get(str(node.get("type")))
    if kind is None:
        raise ParameterSpaceError(
            f"{name}: unknown type {node.get('type')!r}; known: {', '.join(KINDS)}",
            parameter=name,
            type=str(node.get("type")),
        )
    known = {f.name for f in fields(kind)} - {"kind"}
    unknown = [key for key in node if key not in known and key != "type"]
    if unknown:
        raise ParameterSpaceError(
            f"{name}: unknown field {unknown[0]!r} of a {node['type']} parameter; known: {', '.join(sorted(known))}",
            parameter=name,
            field=unknown[0],
        )
    missing = [
        f.name
        for f in fields(kind)
        if f.default is MISSING and f.default_factory is MISSING and f.name not in {*node, "kind"}
    ]
    if missing:
        raise ParameterSpaceError(
            f"{name}: a {node['type']} parameter needs {' and '.join(missing)}", parameter=name, field=missing[0]
        )
    try:
        named = {"kind": node["type"]} if kind is Distribution else {}
        parameter: Parameter = kind(**named, **{k: v for k, v in node.items() if k != "type"})
    except ParameterSpaceError as error:
        raise ParameterSpaceError(f"{name}: {error.message}", **{**error.context, "parameter": name}) from error
    return parameter


def kind_of(parameter: Parameter) -> str:
    """The type of a parameter's node."""
    if isinstance(parameter, Distribution):
        return parameter.kind
    return next(name for name, kind in KINDS.items() if type(parameter) is kind)


def write_parameter(parameter: Parameter) -> dict[str, Any]:
    """The node of a parameter; fields at their default are left out."""
    written: dict[str, Any] = {"type": kind_of(parameter)}
    for f in fields(parameter):
        value = getattr(parameter, f.name)
        if f.name != "kind" and (f.default is MISSING or value != f.default):
            written[f.name] = _plain(value)
    return written


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
