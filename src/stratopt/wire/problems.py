"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

from pydantic import Field

from stratopt.wire.base import Answer


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
