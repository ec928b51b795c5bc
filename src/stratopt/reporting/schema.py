"""The JSON schema of a batch report, derived from its dataclasses; the committed copy is docs/reference/batch-report.schema.json."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from stratopt.optimization.batch_report import BatchAnalysisReport

SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def report_schema() -> dict[str, Any]:
    """Schema of what ``ResultVisualizer.json`` gives for a whole report; later versions may add fields."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "stratopt batch report",
        **_object(BatchAnalysisReport),
    }


def _object(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    names = [f.name for f in fields(kind)]
    return {"type": "object", "required": names, "properties": {name: _schema(hints[name]) for name in names}}


def _schema(hint: Any) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return {}
    if hint in SIMPLE:
        return {"type": SIMPLE[hint]}
    if is_dataclass(hint):
        return _object(typing.cast("type", hint))
    if origin is Sequence:
        return {"type": "array", "items": _schema(arguments[0])}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    if origin in {typing.Union, types.UnionType}:
        return {"anyOf": [_schema(argument) for argument in arguments]}
    raise TypeError(f"no JSON schema for {hint}")
