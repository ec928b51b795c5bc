"""The HTTP application around an OptimizationService."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from stratopt._version import __version__
from stratopt.api.middleware import BodyLimitMiddleware, RequestIdMiddleware
from stratopt.api.problems import install_problem_handlers
from stratopt.api.routers import catalogues, optimization, system
from stratopt.api.services.optimization_service import OptimizationService
from stratopt.strategies.catalogue import StrategyCatalogue
from stratopt.wire.problems import Problem

DESCRIPTION = "Optimise many trading strategies in one request and learn which results are real."


def make_app(service: OptimizationService, strategies: StrategyCatalogue, *, max_body_bytes: int) -> FastAPI:
    """The application; its lifespan starts and stops the supervisor."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(service.manager.start)
        yield
        app.state.draining = True
        await run_in_threadpool(service.manager.stop)
        service.manager.store.close()

    problems: dict[int | str, dict[str, object]] = {
        "default": {"model": Problem, "description": "A problem document (RFC 9457)."}
    }
    app = FastAPI(title="stratopt", version=__version__, description=DESCRIPTION, lifespan=lifespan, responses=problems)
    app.state.service, app.state.strategies = service, strategies
    app.state.draining, app.state.started_at, app.state.max_body_bytes = False, time.monotonic(), max_body_bytes
    for router in (optimization.router, catalogues.router, system.router):
        app.include_router(router)
    install_problem_handlers(app)

    app.add_middleware(BodyLimitMiddleware, max_bytes=max_body_bytes)
    app.add_middleware(RequestIdMiddleware)
    return app
