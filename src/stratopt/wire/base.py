"""What every message has in common: requests refuse what they do not know, numbers are finite, time is UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from types import NoneType
from typing import Annotated, Any, get_args

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationInfo, field_validator

UTC_WITH_Z = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
"""How JSON tells times: in UTC, with a Z (RFC 3339)."""

MAX_DEPTH = 32
MAX_INTEGER = 2**63 - 1


class Request(BaseModel):
    """A body that a client sends: unknown fields are errors, NaN and infinity are errors."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, str_strip_whitespace=True, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _typed_as_json(cls, value: Any, info: ValidationInfo) -> Any:
        """No guessing: ``true`` and ``"2"`` are not numbers, ``1`` and ``"yes"`` are not truth values."""
        annotation = cls.model_fields[str(info.field_name)].annotation
        wanted = set(get_args(annotation) or (annotation,)) - {NoneType}
        if wanted & {int, float} and isinstance(value, bool | str):
            raise ValueError("Input should be a number")
        if wanted == {bool} and isinstance(value, int | float | str) and not isinstance(value, bool):
            raise ValueError("Input should be true or false")
        return value


class Answer(BaseModel):
    """A body that the server sends; it may grow, so clients ignore what they do not know."""

    model_config = ConfigDict(extra="allow")


def _written_as_date(value: Any) -> Any:
    """Only dates: a bare number would be read as seconds since 1970, also the year 2015 and the day 20150101."""
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, bool | int | float) or (isinstance(text, str) and _is_number(text)):
        raise ValueError("write a date as 2015-01-01 or 2015-01-01T00:00:00Z")
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _utc(value: datetime) -> datetime:
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the date is outside of the years 1 to 9999 in UTC") from error


UtcDatetime = Annotated[datetime, BeforeValidator(_written_as_date), AfterValidator(_utc)]


def _storable(value: Any) -> Any:
    """``value``, or ValueError where it could not be written down and read again as the same JSON."""
    level = [value]
    for _ in range(MAX_DEPTH):
        for item in level:
            _check_scalar(item)
        level = [child for item in level for child in _children(item)]
        if not level:
            return value
    raise ValueError(f"nested deeper than {MAX_DEPTH} levels; make it flatter")


def _children(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    return list(item) if isinstance(item, list | tuple) else []


def _check_scalar(item: Any) -> None:
    if isinstance(item, float) and not math.isfinite(item):
        raise ValueError(f"numbers must be finite, not {item}")
    if isinstance(item, int) and abs(item) > MAX_INTEGER:
        raise ValueError(f"whole numbers go up to {MAX_INTEGER}; write larger ones as text")
    if isinstance(item, str) and any("\ud800" <= character <= "\udfff" for character in item):
        raise ValueError("text must be valid Unicode, without unpaired surrogates")


Document = Annotated[dict[str, Any], AfterValidator(_storable)]
"""Free JSON of a client: finite numbers of 64 bits, valid text, not too deep."""


def rfc3339(seconds: float | None) -> str | None:
    """Unix seconds as RFC 3339 in UTC with milliseconds."""
    return (
        None
        if seconds is None
        else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def without_nulls(document: Any) -> Any:
    """A copy in which mappings have no null values: null means "not said"."""
    if isinstance(document, dict):
        return {k: without_nulls(v) for k, v in document.items() if v is not None}
    return document
