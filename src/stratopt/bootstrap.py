"""The composition root: the only place that joins concrete classes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stratopt.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from stratopt.api.services.optimization_service import OptimizationService
    from stratopt.optimization.batch_report import BatchAnalysisReport
    from stratopt.strategies.catalogue import StrategyCatalogue


def make_service(settings: Settings) -> tuple[OptimizationService, StrategyCatalogue]:
    """The service on SQLite and local worker processes; its manager is not started."""
    from stratopt.api.services.optimization_service import OptimizationService
    from stratopt.api.services.planning import Limits, Planner
    from stratopt.market.catalogue import Catalogue
    from stratopt.optimization.artifacts import ArtifactStore
    from stratopt.optimization.batch_manager import BatchOptimizationManager
    from stratopt.optimization.jobs import Job
    from stratopt.optimization.series_access import SeriesAccess
    from stratopt.optimization.slots import SlotExecutor
    from stratopt.storage.dialects import sqlite_engines
    from stratopt.storage.sql_job_store import SqlJobStore
    from stratopt.strategies.catalogue import StrategyCatalogue

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    series = SeriesAccess(Catalogue(settings.data_dir))
    strategies = StrategyCatalogue.with_own(settings.strategy_folder)
    folder = None if settings.strategy_folder is None else str(settings.strategy_folder.resolve())

    def payload(job: Job) -> Mapping[str, Any]:
        return {
            "job": job.spec.to_dict(),
            "bars": series.locate(job.spec.symbol, job.spec.timeframe),
            "strategy_folder": folder,
            "artifact_folder": str(settings.artifact_folder),
        }

    megabytes = settings.worker_memory_limit_megabytes
    executor = SlotExecutor(settings.workers, memory_limit_bytes=megabytes * 2**20 if megabytes else None)
    manager = BatchOptimizationManager(SqlJobStore(*sqlite_engines(settings.database_path)), executor, payload)
    limits = Limits(
        max_jobs=settings.max_jobs, max_evaluations=settings.max_evaluations, max_parallel_jobs=settings.workers
    )
    service = OptimizationService(
        manager=manager,
        planner=Planner(strategies, series, limits),
        artifacts=ArtifactStore(settings.artifact_folder),
        retention_seconds=settings.retention_days * 86_400,
    )
    return service, strategies


def make_server_app(settings: Settings) -> FastAPI:
    """The HTTP application."""
    from stratopt.api.app import make_app

    service, strategies = make_service(settings)
    return make_app(service, strategies, max_body_bytes=settings.max_body_bytes)


@contextmanager
def local_service(settings: Settings | None = None) -> Iterator[OptimizationService]:
    """A running service in this process; without settings its state lives in a temporary folder and ends with it."""
    with tempfile.TemporaryDirectory(prefix="stratopt-") as folder:
        chosen = settings or Settings().model_copy(update={"data_dir": Path(folder)})
        service, _ = make_service(chosen)
        service.manager.start()
        try:
            yield service
        finally:
            service.manager.stop()
            service.manager.store.close()


def optimize_batch(request: Mapping[str, Any]) -> BatchAnalysisReport:
    """Run a batch in this process's own workers and wait for its report; ``request`` is the body of ``POST /optimize/batch``."""
    from pydantic import ValidationError

    from stratopt.optimization.exceptions import ParameterValidationError
    from stratopt.wire.optimization import BatchRequest
    from stratopt.wire.problems import field_problem

    try:
        parsed = BatchRequest.model_validate(request)
    except ValidationError as error:
        errors = [field_problem(dict(e)) for e in error.errors()]
        raise ParameterValidationError(f"{errors[0]['pointer']}: {errors[0]['detail']}", errors=errors) from error
    with local_service() as service:
        batch, _ = service.submit_batch(parsed)
        return service.report(service.manager.wait(batch.batch_id))
