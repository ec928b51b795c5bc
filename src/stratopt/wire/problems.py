"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from stratopt.wire.base import Answer

MAX_ECHO = 200
"""Characters of a refused value that are told back."""


class FieldProblem(Answer):
    """One thing that is wrong with a request."""

    pointer: str = Field(
        description="JSON pointer into the body, or the name of a query parameter.", examples=["/strategies/0"]
    )
    detail: str
    type: str
    suggestion: str | None = None


class Problem(Answer):
    """What went wrong. ``code`` is contract, the texts are not."""

    type: str = Field(examples=["/errors/unknown_strategy"])
    title: str
    status: int
    code: str
    detail: str
    instance: str | None = None
    request_id: str | None = None
    errors: list[FieldProblem] | None = None


def shortened(text: str) -> str:
    """``text``, cut to ``MAX_ECHO`` characters."""
    return text if len(text) <= MAX_ECHO else f"{text[:MAX_ECHO]}..."


def json_pointer(*parts: object) -> str:
    """The JSON pointer (RFC 6901) of the place that ``parts`` lead to; empty for the whole body."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def field_problem(error: Mapping[str, Any]) -> dict[str, Any]:
    """A pydantic error as one entry of ``errors``."""
    pointer = json_pointer(*(part for part in error["loc"] if part not in {"body", "query", "path", "header"}))
    detail = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        detail = "this field is not known; see /docs for the fields there are"
    elif error["type"] in {"list_type", "dict_type", "model_type"} or "input" not in error:
        pass
    elif isinstance(error["input"], str | int | float | bool):
        detail = f"{detail}, not {shortened(repr(error['input']))}"
    return {"pointer": pointer, "detail": detail, "type": str(error["type"]), "suggestion": None}
