"""What endpoints need, out of the application's state."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Request
from starlette.responses import Response

from stratopt.api.security import Reader, Writer
from stratopt.api.services.optimization_service import OptimizationService
from stratopt.errors import StratoptError
from stratopt.optimization.jobs import Batch, Job
from stratopt.wire.base import UTC_WITH_Z
from stratopt.wire.problems import shortened

IDEMPOTENCY_KEY = re.compile(r"[ !#-~]{1,255}")
WAIT = re.compile(r"\s*wait(?:\s*=\s*\"?([0-9]+)\"?)?\s*", re.IGNORECASE)
QUALITY = re.compile(r"[01](?:\.[0-9]{0,3})?")
LONGEST_WAIT_SECONDS = 60.0


class JsonResponse(Response):
    """JSON by orjson: NaN and infinity become null, times end with Z."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes of a document."""
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY | UTC_WITH_Z)


def _service(request: Request) -> OptimizationService:
    return request.app.state.service


Service = Annotated[OptimizationService, Depends(_service)]


def _idempotency_key(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="Repeating a submission with the same key answers with the first one's batch, for 24 hours. "
            "Printable ASCII, bare or in double quotes, none inside.",
            json_schema_extra={"minLength": 1, "maxLength": 255, "pattern": "^[!#-~]([ !#-~]*[!#-~])?$"},
        ),
    ] = None,
) -> str | None:
    """The key without its quotes."""
    if idempotency_key is None:
        return None
    if (count := len(request.headers.getlist("idempotency-key"))) > 1:
        raise StratoptError(f"{count} Idempotency-Keys came; send one", code="invalid_idempotency_key")
    key = idempotency_key.strip()
    key = key[1:-1] if len(key) >= 2 and key[0] == key[-1] == '"' else key
    if not IDEMPOTENCY_KEY.fullmatch(key):
        raise StratoptError(
            f"Idempotency-Key {shortened(key)!r} has {len(key)} characters; it must be 1 to 255 of printable ASCII, without double "
            "quotes inside",
            code="invalid_idempotency_key",
        )
    return key


Idempotency = Annotated[str | None, Depends(_idempotency_key)]


def encode_cursor(created_at: float, batch_id: str) -> str:
    """An opaque position in a list of batches."""
    return base64.urlsafe_b64encode(orjson.dumps([created_at, batch_id])).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> tuple[float, str] | None:
    """The position, or StratoptError ``invalid_cursor``."""
    if cursor is None:
        return None
    try:
        created_at, batch_id = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error) as error:
        raise _no_cursor(cursor) from error
    if type(created_at) is not float or type(batch_id) is not str:
        raise _no_cursor(cursor)
    return created_at, batch_id


def _no_cursor(text: str) -> StratoptError:
    return StratoptError(
        f"{shortened(text)!r} is not a cursor of this server; start without one", code="invalid_cursor"
    )


def wait_seconds(prefer: str | None) -> float | None:
    """Seconds of ``Prefer: wait=N``, at most 60; without it 0 for ``respond-async``, None where neither is said."""
    preferences = re.split(r"[,;]", prefer or "")
    for preference in preferences:
        if match := WAIT.fullmatch(preference):
            return min(LONGEST_WAIT_SECONDS, float(match[1] or LONGEST_WAIT_SECONDS))
    return 0.0 if any(preference.strip().lower() == "respond-async" for preference in preferences) else None


def is_known_version(if_none_match: str | None, etag: str) -> bool:
    """Whether ``If-None-Match`` names ``etag``, compared weakly, or is ``*``."""
    named = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return "*" in named or etag.removeprefix("W/") in named


def preferred(accept: str, offered: Sequence[str]) -> str | None:
    """The offered media type with the highest quality in ``Accept``; the earlier of equals, None if none is accepted."""
    qualities = dict(map(_range_and_quality, accept.split(","))) if accept.strip() else {"*/*": 1.0}
    found = {kind: _quality(kind, qualities) for kind in offered}
    best = max(offered, key=lambda kind: found[kind])
    return best if found[best] > 0 else None


def _range_and_quality(text: str) -> tuple[str, float]:
    media_range, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    return media_range, float(quality) if QUALITY.fullmatch(quality) else 0.0


def _quality(kind: str, qualities: Mapping[str, float]) -> float:
    ranges = (kind, f"{kind.partition('/')[0]}/*", "*/*")
    return next((qualities[r] for r in ranges if r in qualities), 0.0)


def _readable_batch(batch_id: str, service: Service, caller: Reader) -> Batch:
    return service.batch(batch_id, owner=caller.sees)


def _writable_batch(batch_id: str, service: Service, caller: Writer) -> Batch:
    return service.batch(batch_id, owner=caller.sees)


def _readable_job(job_id: str, service: Service, caller: Reader) -> Job:
    return service.job(job_id, owner=caller.sees)


def _writable_job(job_id: str, service: Service, caller: Writer) -> Job:
    return service.job(job_id, owner=caller.sees)


ReadableBatch = Annotated[Batch, Depends(_readable_batch)]
WritableBatch = Annotated[Batch, Depends(_writable_batch)]
ReadableJob = Annotated[Job, Depends(_readable_job)]
WritableJob = Annotated[Job, Depends(_writable_job)]
"""What the path names, if the caller may see it; another key's things do not exist."""
