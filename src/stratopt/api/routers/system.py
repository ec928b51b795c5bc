"""Health, version, load."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request
from starlette.responses import Response

from stratopt._version import __version__
from stratopt.api.dependencies import JsonResponse, Service
from stratopt.api.problems import problem_response

router = APIRouter(tags=["system"])


@router.get("/healthz", summary="Alive?")
def healthz() -> Response:
    """200 while the process answers."""
    return JsonResponse({"status": "ok"})


@router.get("/readyz", summary="Ready for work?")
def readyz(request: Request, service: Service) -> Response:
    """503 while shutting down or when the supervisor does not run."""
    if request.app.state.draining:
        return problem_response(request, "draining", "the server is shutting down")
    if service.manager.failure is not None:
        return problem_response(
            request, "storage_unavailable", "the supervisor stopped; see the log and restart the server"
        )
    return JsonResponse({"status": "ready"})


@router.get("/api/v1/version", summary="Version")
def version() -> Response:
    """The running release."""
    return JsonResponse({"name": "stratopt", "version": __version__, "api": "v1"})


@router.get("/api/v1/system", summary="Load")
def system(request: Request, service: Service) -> Response:
    """Queue, workers, limits and uptime."""
    limits = service.planner.limits
    return JsonResponse(
        {
            "queue_depth": service.manager.store.queue_length(),
            "unfinished_batches": len(service.manager.store.unfinished()),
            "workers": limits.max_parallel_jobs,
            "limits": {
                "max_jobs": limits.max_jobs,
                "max_evaluations": limits.max_evaluations,
                "max_body_bytes": request.app.state.max_body_bytes,
            },
            "uptime_seconds": round(time.monotonic() - request.app.state.started_at, 3),
        }
    )
