"""What every exchange gets: a request id, security headers, a look at its host and origin, a limit on the body, a count and a log line."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable
from urllib.parse import urlsplit
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stratopt.api.problems import problem_response
from stratopt.monitoring.metrics import Metrics

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LIST_HEADERS = (b"accept", b"if-none-match", b"prefer")
HEAD_ONLY = "stratopt.head_only"
"""Key of the scope of a HEAD request: its answer will not be read."""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
}
log = logging.getLogger("stratopt.http")


class ExchangeMiddleware:
    """The outermost layer: request id, security and rate headers, metrics, one log line an exchange."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["headers"] = _joined(scope["headers"])
        offered = Headers(scope=scope).get("x-request-id", "")
        request_id = offered if REQUEST_ID.fullmatch(offered) else uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        began, seen = time.perf_counter(), {"status": 0, "stream": False}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in {**SECURITY_HEADERS, **state.get("extra_headers", {})}.items():
                    headers.setdefault(name, value)
                seen["status"] = message["status"]
                seen["stream"] = headers.get("content-type", "").startswith("text/event-stream")
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_headers)
            except (
                Exception
            ) as error:  # the edge of the process: whatever it was, the client gets an answer with its request id
                if seen["status"]:
                    raise
                log.error("internal_error", exc_info=error)
                detail = "an unexpected error happened; the log has it under this request_id"
                answer = problem_response(Request(scope), "internal_error", detail)
                await answer(scope, receive, send_with_headers)
            finally:
                self._count(scope, seen, time.perf_counter() - began)

    def _count(self, scope: Scope, seen: dict[str, int], seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        status = f"{seen['status'] // 100}xx" if seen["status"] else "aborted"
        method = (
            scope["method"]
            if scope["method"] in {"GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH"}
            else "other"
        )
        self._metrics.requests.labels(route, method, status).inc()
        if not seen["stream"]:
            self._metrics.latency.labels(route, method).observe(seconds)
        log.info(
            "request_finished",
            extra={"route": route, "method": method, "status": seen["status"], "seconds": round(seconds, 6)},
        )


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Lines of the same list as one list, which is what they mean (RFC 9110, 5.3): whoever reads a header reads one line."""
    lists: dict[bytes, list[bytes]] = {name: [] for name in LIST_HEADERS}
    others = []
    for name, value in headers:
        if name in lists:
            lists[name].append(value)
        else:
            others.append((name, value))
    return others + [(name, b", ".join(values)) for name, values in lists.items() if values]


class HeadMiddleware:
    """Answers HEAD as GET without the body, on every path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        as_get: Scope = {**scope, "method": "GET", HEAD_ONLY: True}

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        try:
            await self._app(as_get, receive, send_head)
        finally:
            scope.update({key: value for key, value in as_get.items() if key not in scope})


class HostMiddleware:
    """Refuses hosts that this server is not (DNS rebinding) and writes that a page of another origin sends."""

    def __init__(self, app: ASGIApp, allowed_hosts: frozenset[str]) -> None:
        self._app = app
        self._allowed = allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host = headers.get("host", "")
            if "*" not in self._allowed and _name(f"//{host}") not in self._allowed:
                detail = f"this server does not answer for the host {host!r}; add it to STRATOPT_ALLOWED_HOSTS"
                await problem_response(Request(scope), "host_not_allowed", detail)(scope, receive, send)
                return
            origin = headers.get("origin")
            if origin is not None and scope["method"] not in SAFE_METHODS and _authority(origin) != host:
                detail = f"a page of {origin} may not write here"
                await problem_response(Request(scope), "origin_not_allowed", detail)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _name(address: str) -> str:
    """The host name in an address, empty where there is none to be read."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _authority(origin: str) -> str | None:
    """Name and port of an origin, None where it is not one."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


class BodyLimitMiddleware:
    """Answers 413 to bodies above ``max_bytes``, declared or streamed, without reading them to their end."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        messages: list[Message] = []
        read, more = 0, True
        too_large = declared.isdigit() and int(declared) > self._max_bytes
        while more and not too_large:
            message = await receive()
            messages.append(message)
            read += len(message.get("body", b""))
            more = bool(message.get("more_body", False))
            too_large = read > self._max_bytes
        if too_large:
            detail = f"the body is larger than {self._max_bytes} bytes; split the request"
            context = {"max_bytes": self._max_bytes}
            answer = problem_response(
                Request(scope), "payload_too_large", detail, headers={"Connection": "close"}, context=context
            )
            await answer(scope, receive, send)
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, replay, send)
