"""Errors to HTTP answers: the only place that knows status codes of errors (RFC 9457)."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from stratopt.api.services.titles import HTTP_TITLES
from stratopt.errors import StratoptError
from stratopt.wire.problems import field_problem, shortened

PROBLEM_JSON = "application/problem+json"
HTTP_UNAUTHORIZED = 401
OVERLOAD_STATUSES = frozenset({429, 503, 507})

STATUSES: Mapping[str, int] = {
    "malformed_json": 400,
    "invalid_cursor": 400,
    "invalid_idempotency_key": 400,
    "invalid_signature": 400,
    "host_not_allowed": 400,
    "missing_api_key": 401,
    "invalid_api_key": 401,
    "insufficient_scope": 403,
    "origin_not_allowed": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "batch_expired": 410,
    "batch_running": 409,
    "batch_not_finished": 409,
    "ambiguous_strategy_id": 409,
    "nothing_to_retry": 409,
    "conflict": 409,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "validation_failed": 422,
    "unknown_strategy": 422,
    "unknown_symbol": 422,
    "cannot_be_exported": 422,
    "search_space_too_large": 422,
    "webhook_url_forbidden": 422,
    "idempotency_key_reused": 422,
    "rate_limited": 429,
    "too_many_active_batches": 429,
    "too_many_streams": 429,
    "missing_extra": 501,
    "internal_error": 500,
    "draining": 503,
    "queue_full": 503,
    "storage_full": 507,
    "storage_unavailable": 503,
}
STATUS_OF_CODE = {code: (status, HTTP_TITLES[code]) for code, status in STATUSES.items()}
"""Status and title of every problem."""

OVERLOAD_CODES = tuple(code for code, (status, _) in STATUS_OF_CODE.items() if status in OVERLOAD_STATUSES)

CODE_OF_STATUS = {
    400: "malformed_json",  # FastAPI answers it to bodies that it cannot decode
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "payload_too_large",
    415: "unsupported_media_type",
}
RETRY_AFTER_SECONDS: Mapping[str, int] = {
    "batch_not_finished": 2,
    "too_many_active_batches": 10,
    "too_many_streams": 10,
    "draining": 10,
    "queue_full": 10,
    "storage_full": 30,
    "storage_unavailable": 5,
}
POLICY_OF_CODE = {"too_many_active_batches": "concurrent-batches", "too_many_streams": "concurrent-streams"}
"""Policies that count what is open at once; those that count requests are told with their headers."""
UNREADABLE = "There was an error parsing the body"
"""What FastAPI says of bodies that it cannot decode, without a reason."""
MAX_TOLD = 100
"""Problems of one request that are told; their number is in ``detail``."""
LONGEST_WAIT_SECONDS = 60
"""Of what is measured, jitter included."""
JITTER_SECONDS = 3
"""Added at random to the wait after an overload, so that clients do not come back all at once."""


def problem_response(
    request: Request | None,
    code: str,
    detail: str,
    *,
    errors: Sequence[Mapping[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
    context: Mapping[str, Any] | None = None,
) -> Response:
    """A problem answer; ``context`` facts become members of the document."""
    status, title = STATUS_OF_CODE[code]
    document: dict[str, Any] = dict(context or {})
    document |= {"type": f"/errors/{code}", "title": title, "status": status, "code": code, "detail": detail}
    document["instance"] = request.url.path if request else None
    document["request_id"] = getattr(request.state, "request_id", None) if request else None
    if errors is not None:
        document["errors"] = list(errors)
    merged = dict(headers or {})
    if retry_after := _retry_after(code, document):
        merged.setdefault("Retry-After", str(retry_after))
    if status == HTTP_UNAUTHORIZED:
        merged.setdefault("WWW-Authenticate", "Bearer")
    return Response(orjson.dumps(document, default=str), status_code=status, media_type=PROBLEM_JSON, headers=merged)


def _retry_after(code: str, document: Mapping[str, Any]) -> int | None:
    if "retry_after_seconds" in document:
        return int(document["retry_after_seconds"])
    seconds = RETRY_AFTER_SECONDS.get(code)
    if seconds is None or code not in OVERLOAD_CODES:
        return seconds
    if (measured := document.get("room_in_seconds")) is not None:
        seconds = min(LONGEST_WAIT_SECONDS - JITTER_SECONDS, max(1, math.ceil(measured)))
    return seconds + random.randint(0, JITTER_SECONDS)


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error as a problem document."""

    @app.exception_handler(StratoptError)
    async def _known(request: Request, error: StratoptError) -> Response:
        context = {k: v for k, v in error.context.items() if k != "errors"}
        code = error.code if error.code in STATUS_OF_CODE else "validation_failed"
        if code in POLICY_OF_CODE:
            context["violated-policies"] = [POLICY_OF_CODE[code]]
        if code in OVERLOAD_CODES:
            request.app.state.metrics.refused(code)
        return problem_response(request, code, error.message, errors=error.context.get("errors"), context=context)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        kinds = {str(e["type"]) for e in error.errors()}
        if "json_invalid" in kinds:
            position = error.errors()[0]["loc"][-1]
            reason = error.errors()[0].get("ctx", {}).get("error", "")
            return problem_response(
                request, "malformed_json", f"the body is not valid JSON at position {position}: {reason}"
            )
        errors = [field_problem(e) for e in error.errors()[:MAX_TOLD]]
        if not _has_json_body(request) and any(e["loc"][0] == "body" for e in error.errors()):
            return problem_response(request, "unsupported_media_type", "send the body as application/json")
        count = len(error.errors())
        more = f" (and {count - 1} more)" if count > 1 else ""
        where = shortened(errors[0]["pointer"]) or "the body"
        return problem_response(request, "validation_failed", f"{where}: {errors[0]['detail']}{more}", errors=errors)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        code = CODE_OF_STATUS.get(error.status_code, "internal_error")
        detail = {
            "not_found": f"there is no {request.url.path}"
            + ("; see /docs for what there is" if request.app.state.docs else ""),
            "method_not_allowed": f"{request.method} is not supported on {request.url.path}",
        }.get(code, str(error.detail))
        if detail == UNREADABLE:
            detail = "the body cannot be read as JSON in UTF-8, or it is nested too deeply or has a number of too many digits"
        headers = {"Allow": _allowed(request)} if code == "method_not_allowed" else error.headers
        return problem_response(request, code, detail, headers=headers)


def _allowed(request: Request) -> str:
    """Every method of the path: routes have one each, and the router names that of the first."""
    path, known = request.url.path, request.app.openapi()["paths"]
    methods = {
        method.upper()
        for template, operations in known.items()
        if re.fullmatch(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template)), path)
        for method in operations
    }
    methods = methods or {"GET"}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def _has_json_body(request: Request) -> bool:
    kind, _, form = request.headers.get("content-type", "").partition(";")[0].strip().lower().partition("/")
    return kind == "application" and (form == "json" or form.endswith("+json"))
