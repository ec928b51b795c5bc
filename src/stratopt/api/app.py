"""The HTTP application around an OptimizationService."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.concurrency import run_in_threadpool

from stratopt._version import __version__
from stratopt.api.middleware import BodyLimitMiddleware, ExchangeMiddleware, HeadMiddleware, HostMiddleware
from stratopt.api.openapi import described
from stratopt.api.problems import OVERLOAD_CODES, install_problem_handlers
from stratopt.api.query import known_parameters_only
from stratopt.api.rate_limit import RateLimiter
from stratopt.api.routers import catalogues, documentation, optimization, results, system, webhooks
from stratopt.api.security import Gatekeeper
from stratopt.api.services.optimization_service import OptimizationService
from stratopt.api.services.titles import ITEM_TITLES
from stratopt.api.streaming import StreamGuard
from stratopt.monitoring.metrics import Metrics
from stratopt.optimization.webhooks.sender import WebhookSender
from stratopt.strategies.catalogue import StrategyCatalogue
from stratopt.wire.problems import Problem

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

DESCRIPTION = "Optimise many trading strategies in one request and learn which results are real."


def _telemetry(provider: TracerProvider | None) -> TelemetryConfig:
    """Spans of requests only: FastAPI's log records would hold what clients sent, and metrics are Prometheus's."""
    quiet: TelemetryConfig = {"logs": False, "metrics": False, "operation_spans": False, "auto_configure": False}
    return {**quiet, "tracing": False} if provider is None else {**quiet, "tracer_provider": provider}


@dataclass(frozen=True, kw_only=True)
class AppLimits:
    """What the HTTP side allows."""

    max_body_bytes: int
    max_streams: int
    submissions_per_minute: int
    reads_per_minute: int
    allowed_hosts: frozenset[str]


def make_app(
    service: OptimizationService,
    strategies: StrategyCatalogue,
    *,
    gatekeeper: Gatekeeper,
    metrics: Metrics,
    limits: AppLimits,
    docs: bool = True,
    sender: WebhookSender | None = None,
    tracer_provider: TracerProvider | None = None,
) -> FastAPI:
    """The application; its lifespan starts and stops the supervisor and the sender of webhooks. ``docs`` False leaves out its documentation."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(service.manager.start)
        if sender is not None:
            sender.start()
        yield
        app.state.draining = True
        if sender is not None:
            await run_in_threadpool(sender.stop)
        await run_in_threadpool(service.close)
        if tracer_provider is not None:
            await run_in_threadpool(tracer_provider.shutdown)  # sends what waits

    problems: dict[int | str, dict[str, object]] = {
        "default": {"model": Problem, "description": "A problem document (RFC 9457)."}
    }
    app = FastAPI(
        title="stratopt",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        responses=problems,
        telemetry=_telemetry(tracer_provider),
        openapi_url="/openapi.json" if docs else None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    state = app.state
    state.service, state.strategies, state.gatekeeper, state.metrics = service, strategies, gatekeeper, metrics
    state.docs = docs
    state.draining, state.started_at, state.max_body_bytes = False, time.monotonic(), limits.max_body_bytes
    metrics.expect(failures=ITEM_TITLES, rejections=OVERLOAD_CODES)
    state.rate_limiter = RateLimiter({"submit": limits.submissions_per_minute, "read": limits.reads_per_minute})
    state.streams = StreamGuard(limits.max_streams, metrics)
    routers = [optimization.router, results.router, catalogues.router, webhooks.router, system.router]
    for router in [*routers, documentation.router] if docs else routers:
        app.include_router(router, dependencies=[Depends(known_parameters_only)])
    install_problem_handlers(app)
    app.openapi = described(app)  # type: ignore[method-assign]
    app.add_middleware(HeadMiddleware)
    app.add_middleware(BodyLimitMiddleware, max_bytes=limits.max_body_bytes)
    app.add_middleware(HostMiddleware, allowed_hosts=limits.allowed_hosts)
    app.add_middleware(ExchangeMiddleware, metrics=metrics)
    return app
