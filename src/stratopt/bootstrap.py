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
    from stratopt.backtest.costs import Costs
    from stratopt.backtest.execution import Execution
    from stratopt.market.bars import Bars
    from stratopt.optimization.batch_report import BatchAnalysisReport
    from stratopt.optimization.optimization_result import OptimizationResult
    from stratopt.strategies.base import Strategy
    from stratopt.strategies.catalogue import StrategyCatalogue
    from stratopt.wire.base import Request


def make_service(
    settings: Settings, *, market_dir: Path | None = None
) -> tuple[OptimizationService, StrategyCatalogue]:
    """The service on SQLite and local worker processes; its manager is not started. Market data may live elsewhere than its state."""
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
    series = SeriesAccess(Catalogue(market_dir or settings.data_dir))
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
def local_service() -> Iterator[OptimizationService]:
    """A running service in this process; its state lives in a temporary folder and ends with it."""
    settings = Settings()
    with tempfile.TemporaryDirectory(prefix="stratopt-") as folder:
        service, _ = make_service(settings.model_copy(update={"data_dir": Path(folder)}), market_dir=settings.data_dir)
        service.manager.start()
        try:
            yield service
        finally:
            service.manager.stop()
            service.manager.store.close()


def optimize_batch(request: Mapping[str, Any]) -> BatchAnalysisReport:
    """Run a batch in this process's own workers and wait for its report; ``request`` is the body of ``POST /optimize/batch``.

    Market data and own strategies are those of ``STRATOPT_DATA_DIR`` and ``STRATOPT_STRATEGY_FOLDER``, as for a server.
    """
    from stratopt.wire.optimization import BatchRequest

    parsed = _parse(BatchRequest, request)
    with local_service() as service:
        batch, _ = service.submit_batch(parsed)
        return service.report(service.manager.wait(batch.batch_id))


def optimize(
    bars: Bars | Mapping[str, Any],
    strategy: str | Strategy | None = None,
    *,
    parameter_space: Mapping[str, Any] | None = None,
    costs: Costs | None = None,
    execution: Execution | None = None,
    seed: int = 0,
    cross_validation: bool = True,
    out_of_sample_ratio: float | None = None,
    folds: int = 6,
    **search: Any,
) -> OptimizationResult:
    """Optimise one strategy in this process: search on training bars, test on bars the search never saw.

    ``bars`` is a series, or the body of ``POST /optimize/single`` (then nothing else is given). ``search`` takes the fields of
    ``SearchConfig``: ``max_evals``, ``algorithm``, ``objective``, ``n_startup_jobs``, ``min_trades``. The same request gives the same
    result here, over HTTP and inside any batch.

    Raises
    ------
    StratoptError
        With a code and the way out: unknown names, bad values, too few bars, a strategy that fails or never trades.
    """
    from stratopt.backtest.costs import Costs
    from stratopt.backtest.execution import Execution
    from stratopt.optimization.job_spec import JobSpec, SearchConfig, ValidationConfig
    from stratopt.optimization.optimization_result import OptimizationResult
    from stratopt.optimization.strategy_optimizer import optimize_strategy
    from stratopt.strategies.base import Strategy
    from stratopt.strategies.catalogue import StrategyCatalogue

    if isinstance(bars, Mapping):
        return _optimize_request(bars)
    if strategy is None:
        raise TypeError("optimize(bars, strategy) needs a strategy: a name or a Strategy")
    found = (
        strategy
        if isinstance(strategy, Strategy)
        else StrategyCatalogue.with_own(Settings().strategy_folder).get(strategy)
    )
    spec = JobSpec(
        strategy_id=found.name,
        strategy=found.name,
        symbol=bars.symbol,
        timeframe=str(bars.timeframe),
        parameter_space=parameter_space,
        search=SearchConfig(cross_validation=cross_validation, **search),
        validation=ValidationConfig(out_of_sample_ratio=out_of_sample_ratio, folds=folds),
        costs=costs or Costs(),
        execution=execution or Execution(),
        seed=seed,
    )
    return OptimizationResult(spec, optimize_strategy(spec, bars, found))


def _optimize_request(request: Mapping[str, Any]) -> OptimizationResult:
    from stratopt.api.services.planning import Limits, Planner
    from stratopt.market.catalogue import Catalogue
    from stratopt.optimization.optimization_result import OptimizationResult
    from stratopt.optimization.series_access import SeriesAccess
    from stratopt.optimization.strategy_optimizer import optimize_strategy
    from stratopt.strategies.catalogue import StrategyCatalogue
    from stratopt.wire.optimization import SingleRequest

    settings = Settings()
    strategies, catalogue = StrategyCatalogue.with_own(settings.strategy_folder), Catalogue(settings.data_dir)
    plan = Planner(strategies, SeriesAccess(catalogue), Limits()).single(_parse(SingleRequest, request))
    (spec,) = plan.specs
    return OptimizationResult(
        spec, optimize_strategy(spec, catalogue.bars(spec.symbol, spec.timeframe), strategies.get(spec.strategy))
    )


def _parse(kind: type[Request], document: Mapping[str, Any]) -> Any:
    from pydantic import ValidationError

    from stratopt.optimization.exceptions import ParameterValidationError
    from stratopt.wire.problems import field_problem

    try:
        return kind.model_validate(document)
    except ValidationError as error:
        errors = [field_problem(dict(e)) for e in error.errors()]
        raise ParameterValidationError(f"{errors[0]['pointer']}: {errors[0]['detail']}", errors=errors) from error
