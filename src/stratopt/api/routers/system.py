"""Health, version, load, metrics, error codes."""

from __future__ import annotations

import time
from html import escape

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from stratopt._version import __version__
from stratopt.api.dependencies import JsonResponse, Service
from stratopt.api.problems import STATUS_OF_CODE, problem_response
from stratopt.api.security import LOOPBACK_ADDRESSES, Reader, Requires
from stratopt.api.services.titles import ITEM_TITLES, OF_ITEMS_TOO, TITLES
from stratopt.errors import StratoptError
from stratopt.monitoring.resources import snapshot
from stratopt.optimization.api_keys import Scope
from stratopt.wire.server_answers import Health, SystemLoad, Version

router = APIRouter(tags=["system"])
HUNG_SECONDS = 60.0
"""A locked database holds the supervisor up for half of that."""


@router.get("/healthz", summary="Alive?", response_model=Health)
def healthz() -> Response:
    """200 while the process answers."""
    return JsonResponse({"status": "ok"})


@router.get("/readyz", summary="Ready for work?", response_model=Health)
def readyz(request: Request, service: Service) -> Response:
    """503 while shutting down, when the supervisor does not run or hangs, or the database does not answer."""
    if request.app.state.draining:
        return problem_response(request, "draining", "the server is shutting down")
    if service.manager.failure is not None:
        detail = "the supervisor stopped; see the log and restart the server"
        return problem_response(request, "storage_unavailable", detail)
    if (silent := service.manager.silent_seconds) > HUNG_SECONDS:
        detail = f"the supervisor has not moved for {silent:.0f} s; see the log, and restart the server if that lasts"
        return problem_response(request, "storage_unavailable", detail)
    service.manager.store.queue_length()
    return JsonResponse({"status": "ready"})


@router.get("/api/v1/version", summary="Version", response_model=Version)
def version() -> Response:
    """The running release."""
    return JsonResponse({"name": "stratopt", "version": __version__, "api": "v1"})


@router.get("/api/v1/system", summary="Load", response_model=SystemLoad)
def system(request: Request, service: Service, caller: Reader) -> Response:
    """Queue, workers, limits, resources and uptime."""
    state, limits = request.app.state, service.planner.limits
    shortage = state.metrics.shortage()
    return JsonResponse(
        {
            "queue_depth": service.manager.store.queue_length(),
            "unfinished_batches": len(service.manager.store.unfinished()),
            "workers": {"total": limits.max_parallel_jobs, "busy": service.manager.workers_busy},
            "limits": {
                "max_jobs": limits.max_jobs,
                "max_evaluations": limits.max_evaluations,
                "max_body_bytes": state.max_body_bytes,
            },
            "resources": snapshot(),
            "admission": {"open": shortage is None, "reason": shortage},
            "uptime_seconds": round(time.monotonic() - state.started_at, 3),
        }
    )


@router.get("/metrics", summary="Prometheus metrics")
def metrics(request: Request) -> Response:
    """Open to this machine; others need the scope `metrics:read`."""
    if request.client is None or request.client.host not in LOOPBACK_ADDRESSES:
        Requires(Scope.METRICS, "read")(request)
    return Response(request.app.state.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/errors", include_in_schema=False)
def error_codes() -> Response:
    """Every error code."""
    rows = "".join(
        f'<li><a href="/errors/{code}"><code>{code}</code></a> {escape(TITLES[code])}</li>' for code in sorted(TITLES)
    )
    return HTMLResponse(
        f"<!doctype html><meta charset=utf-8><title>stratopt errors</title><h1>Error codes</h1><ul>{rows}</ul>"
    )


@router.get("/errors/{code}", include_in_schema=False)
def error_page(code: str) -> Response:
    """What an error code means."""
    if code not in TITLES:
        raise StratoptError(f"there is no error code {code!r}", code="not_found")
    if code in STATUS_OF_CODE:
        status = f"HTTP status {STATUS_OF_CODE[code][0]}."
        status += " An item of a batch may have it, too." if code in OF_ITEMS_TOO else ""
    elif code in ITEM_TITLES:
        status = "The code of an item in a batch, not of an HTTP answer."
    else:
        status = "A code of the Python functions and of the command line, and of items in a batch, not of HTTP answers."
    body = f"<h1><code>{code}</code></h1><p>{escape(TITLES[code])}.</p><p>{status}</p><p><a href='/errors'>All codes</a></p>"
    return HTMLResponse(f"<!doctype html><html lang=en><meta charset=utf-8><title>{code}</title>{body}")
