"""What a Python program calls in its own process: series, searches, batches, without a server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stratopt.errors import memory_errors_told
from stratopt.settings import Settings

if TYPE_CHECKING:
    from stratopt.backtest.costs import Costs
    from stratopt.backtest.execution import Execution
    from stratopt.market.bars import Bars
    from stratopt.market.catalogue import Catalogue
    from stratopt.market.stamps import Stamp
    from stratopt.market.timeframe import Timeframe
    from stratopt.optimization.batch_report import BatchAnalysisReport
    from stratopt.optimization.job_spec import JobSpec
    from stratopt.optimization.optimization_result import OptimizationResult
    from stratopt.strategies.base import Strategy
    from stratopt.strategies.catalogue import StrategyCatalogue
    from stratopt.wire.base import Request


def load_bars(
    symbol: str,
    timeframe: str | Timeframe = "1d",
    start: Stamp | None = None,
    end: Stamp | None = None,
    *,
    directory: Path | None = None,
) -> Bars:
    """The bars of ``symbol`` with ``start <= open stamp < end``, bundled or imported: see ``Catalogue.bars``.

    ``directory`` is the data directory; that of the settings (``STRATOPT_DATA_DIR``) when not given, as for the command line.

    Examples
    --------
    >>> load_bars("BTC", "4h", "2019-01-01", "2019-02-01")
    Bars(BTCUSD 4h, 186 bars, 2019-01-01T00:00:00.000..2019-01-31T20:00:00.000)
    """
    from stratopt.market.catalogue import Catalogue

    return Catalogue(Settings().data_dir if directory is None else directory).bars(symbol, timeframe, start, end)


def optimize_batch(request: Mapping[str, Any]) -> BatchAnalysisReport:
    """Run a batch in this process's own workers and wait for its report; ``request`` is the body of ``POST /optimize/batch``.

    Market data and own strategies are those of ``STRATOPT_DATA_DIR`` and ``STRATOPT_STRATEGY_FOLDER``, as for a server.
    """
    from stratopt.bootstrap import local_service
    from stratopt.wire.optimization import BatchRequest

    parsed = _parse(BatchRequest, request)
    with local_service() as service:
        batch, _ = service.submit_batch(parsed)
        return service.report(service.manager.wait(batch.batch_id))


@memory_errors_told("the optimisation")
def optimize(
    bars: Bars | Mapping[str, Any],
    strategy: str | Strategy | None = None,
    *,
    parameter_space: Mapping[str, Any] | None = None,
    costs: Costs | Mapping[str, Any] | None = None,
    execution: Execution | Mapping[str, Any] | None = None,
    seed: int = 0,
    cross_validation: bool = True,
    out_of_sample_ratio: float | None = None,
    folds: int = 6,
    validation: Mapping[str, Any] | None = None,
    **search: Any,
) -> OptimizationResult:
    """Optimise one strategy in this process: search on training bars, test on bars the search never saw.

    ``bars`` is a series, or the body of ``POST /optimize/single`` (then nothing else is given). ``search`` takes the fields of
    ``SearchConfig``: ``max_evals``, ``algorithm``, ``objective``, ``n_startup_jobs``, ``min_trades``; ``validation`` the further fields of
    ``validation_config``, for example ``{"monte_carlo_runs": 200}``. The same request gives the same result here, over HTTP and inside any
    batch.

    Raises
    ------
    StratoptError
        With a code and the way out: unknown names, bad values, too few bars, too little memory (``out_of_memory``), a strategy that fails or never
        trades.
    """
    from stratopt.backtest.checks import made_of
    from stratopt.backtest.costs import Costs
    from stratopt.backtest.execution import Execution
    from stratopt.optimization.exceptions import ParameterValidationError
    from stratopt.optimization.job_spec import JobSpec, SearchConfig, ValidationConfig
    from stratopt.optimization.optimization_result import OptimizationResult
    from stratopt.optimization.strategy_optimizer import optimize_strategy
    from stratopt.search.override import changes_as_document
    from stratopt.strategies.base import Strategy
    from stratopt.strategies.catalogue import StrategyCatalogue
    from stratopt.wire import optimization as wire

    if isinstance(bars, Mapping):
        return _optimize_request(bars)
    if strategy is None:
        raise TypeError("optimize(bars, strategy) needs a strategy: a name or a Strategy")
    _parse(wire.OptimizationConfig, search)
    tests = {"out_of_sample_ratio": out_of_sample_ratio, "folds": folds, **(validation or {})}
    wanted = _parse(wire.ValidationConfig, tests).model_dump(exclude_none=True)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**53:
        raise ParameterValidationError(f"seed must be a whole number from 0 to 2**53 - 1, not {seed!r}")
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
        parameter_space=None if parameter_space is None else changes_as_document(parameter_space),
        search=SearchConfig(cross_validation=cross_validation, **search),
        validation=ValidationConfig(**wanted),
        costs=made_of(Costs, costs, "costs"),
        execution=made_of(Execution, execution, "execution"),
        seed=seed,
    )
    return OptimizationResult(spec, optimize_strategy(spec, bars, found))


def _optimize_request(request: Mapping[str, Any]) -> OptimizationResult:
    from stratopt.api.services.planning import Limits, Planner
    from stratopt.market.catalogue import Catalogue
    from stratopt.optimization.series_access import SeriesAccess
    from stratopt.strategies.catalogue import StrategyCatalogue
    from stratopt.wire.optimization import SingleRequest

    settings = Settings()
    strategies, catalogue = StrategyCatalogue.with_own(settings.strategy_folder), Catalogue(settings.data_dir)
    (spec,) = Planner(strategies, SeriesAccess(catalogue), Limits()).single(_parse(SingleRequest, request)).specs
    return _run(spec, strategies, catalogue, catalogue.bars(spec.symbol, spec.timeframe))


@memory_errors_told("running the result again")
def reproduce(result: Mapping[str, Any]) -> OptimizationResult:
    """Run again what a result's manifest tells, on the market data and strategies of this machine.

    DataValidationError ``data_changed``, and nothing is run, where the market data are not those of the result.
    """
    from stratopt.market.catalogue import Catalogue
    from stratopt.optimization.manifest import require_same_data, spec_of
    from stratopt.optimization.windows import bars_until
    from stratopt.strategies.catalogue import StrategyCatalogue

    settings = Settings()
    spec, catalogue = spec_of(result), Catalogue(settings.data_dir)
    bars = catalogue.bars(spec.symbol, spec.timeframe)
    require_same_data(result, bars_until(bars, spec.end_date))
    return _run(spec, StrategyCatalogue.with_own(settings.strategy_folder), catalogue, bars)


def _run(spec: JobSpec, strategies: StrategyCatalogue, catalogue: Catalogue, bars: Bars) -> OptimizationResult:
    from stratopt.optimization.optimization_result import OptimizationResult
    from stratopt.optimization.series_access import SeriesAccess
    from stratopt.optimization.strategy_optimizer import optimize_strategy

    others = [catalogue.bars(other, spec.timeframe) for other in SeriesAccess(catalogue).others(spec)]
    return OptimizationResult(spec, optimize_strategy(spec, bars, strategies.get(spec.strategy), other_bars=others))


def _parse(kind: type[Request], document: Mapping[str, Any]) -> Any:
    from pydantic import ValidationError

    from stratopt.optimization.exceptions import ParameterValidationError
    from stratopt.wire.problems import field_problem

    try:
        return kind.model_validate(document)
    except ValidationError as error:
        errors = [field_problem(dict(e)) for e in error.errors()]
        raise ParameterValidationError(f"{errors[0]['pointer']}: {errors[0]['detail']}", errors=errors) from error
