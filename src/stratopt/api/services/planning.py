"""From a request to job specs: defaults, merging, checks. Every problem of a request is found and told at once."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any, Protocol

from stratopt.backtest.costs import Costs
from stratopt.backtest.execution import Execution
from stratopt.errors import StratoptError
from stratopt.optimization.exceptions import ParameterValidationError
from stratopt.optimization.job_spec import JobSpec, SearchConfig, ValidationConfig
from stratopt.optimization.objectives import check_constraint, check_objective
from stratopt.search.algorithms import check_algorithm
from stratopt.search.override import override_space
from stratopt.strategies.base import Strategy
from stratopt.wire.base import without_nulls
from stratopt.wire.optimization import BatchRequest, SingleRequest, StrategyConfig, StrategyEntry

FIELD_OF_DATA_PROBLEM = {"unknown_timeframe": "timeframe", "empty_range": "start_date", "invalid_range": "end_date"}


class StrategyLookup(Protocol):
    """Where strategies are found by name."""

    def get(self, name: str) -> Strategy:
        """The strategy, or StrategyError with what was probably meant."""
        ...


class MarketLookup(Protocol):
    """Where series are found; errors are MarketDataError."""

    def check(self, symbol: str, timeframe: str, start: str | None, end: str | None) -> int:
        """Number of bars of the range."""
        ...

    def listing(self) -> Sequence[Mapping[str, Any]]:
        """Every stored series."""
        ...


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one request may ask for."""

    max_jobs: int = 10_000
    max_evaluations: int = 20_000_000
    max_parallel_jobs: int = 2


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Specs in the order of the answer, and what the client should know."""

    specs: Sequence[JobSpec]
    parallel_jobs: int
    requested_parallel_jobs: int | None
    seed: int
    warnings: Sequence[str] = ()
    webhook_id: str | None = None

    @property
    def evaluations_total(self) -> int:
        """Upper bound of evaluations over all jobs."""
        return sum(evaluations_of(spec) for spec in self.specs)


def evaluations_of(spec: JobSpec) -> int:
    """Upper bound of evaluations of one job: every fold has a search, one more finds the parameters to go on with, and slow checks repeat it."""
    searches = spec.validation.folds + 1 if spec.search.cross_validation else 1
    return spec.search.max_evals * (searches + spec.validation.repeated_searches)


@dataclass
class Problems:
    """What is wrong with a request, by JSON pointer."""

    errors: list[dict[str, Any]] = field(default_factory=list)
    checked_series: dict[tuple[str, ...], bool] = field(default_factory=dict)

    def add(self, pointer: str, detail: str, kind: str, suggestion: str | None = None) -> None:
        """Note one problem once."""
        problem = {"pointer": pointer, "detail": detail, "type": kind, "suggestion": suggestion}
        if problem not in self.errors:
            self.errors.append(problem)

    def raise_if_any(self) -> None:
        """ParameterValidationError over all problems; its code is theirs if they all agree."""
        if not self.errors:
            return
        kinds = {error["type"] for error in self.errors}
        shared = next(iter(kinds)) if len(kinds) == 1 else None
        code = (
            shared
            if shared in {"unknown_strategy", "unknown_symbol", "search_space_too_large", "webhook_url_forbidden"}
            else "validation_failed"
        )
        first = self.errors[0]["detail"]
        more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        raise ParameterValidationError(f"{first}{more}", code=code, errors=self.errors)


def _no_receiver(name: str) -> str:
    raise ParameterValidationError(f"nobody is registered as {name[:100]!r}", code="webhook_url_forbidden")


@dataclass(frozen=True)
class Planner:
    """Turns requests into plans."""

    strategies: StrategyLookup
    market: MarketLookup
    limits: Limits
    webhook_named: Callable[[str], str] = _no_receiver

    def batch(self, request: BatchRequest) -> Plan:
        """The plan of a batch, or ParameterValidationError with every problem."""
        problems = Problems()
        entries = _identified(request.strategies, problems)
        specific = dict(request.strategy_specific_configs or {})
        _check_keys(specific, entries, problems)
        webhook_id = self._webhook(request.webhook, problems)
        seed = request.seed if request.seed is not None else request.common_config.seed or 0
        specs: list[JobSpec] = []
        for index, (strategy_id, entry) in enumerate(entries):
            layers = [
                request.common_config,
                specific.get(entry.name),
                specific.get(strategy_id) if strategy_id != entry.name else None,
            ]
            config = _merged(layers, entry)
            specs.extend(
                self._specs(config, entry.name, strategy_id, seed, f"/strategies/{index}", "/common_config", problems)
            )
        self._check_size(specs, problems)
        problems.raise_if_any()
        return replace(self._plan(specs, request.parallel_jobs, seed), webhook_id=webhook_id)

    def single(self, request: SingleRequest) -> Plan:
        """The plan of one strategy on one series."""
        problems = Problems()
        config = _merged([request], StrategyEntry(name=request.strategy_name))
        specs = list(
            self._specs(
                config, request.strategy_name, request.strategy_name, request.seed or 0, "/strategy_name", "", problems
            )
        )
        if len(specs) > 1:
            problems.add(
                "/symbols",
                f"a single optimisation takes one series, not {len(specs)}; use POST /api/v1/optimize/batch",
                "too_many_series",
            )
        self._check_size(specs, problems)
        problems.raise_if_any()
        return self._plan(specs, None, request.seed or 0)

    def _webhook(self, name: str | None, problems: Problems) -> str | None:
        try:
            return self.webhook_named(name) if name else None
        except StratoptError as error:
            problems.add("/webhook", error.message, error.code)
            return None

    def _plan(self, specs: Sequence[JobSpec], requested: int | None, seed: int) -> Plan:
        most = self.limits.max_parallel_jobs
        effective = min(requested or most, most)
        warnings = (
            [f"parallel_jobs {requested} is more than this server runs at once; {effective} are used"]
            if requested and requested > most
            else []
        )
        return Plan(
            specs=specs, parallel_jobs=effective, requested_parallel_jobs=requested, seed=seed, warnings=warnings
        )

    def _specs(
        self,
        config: Mapping[str, Any],
        name: str,
        strategy_id: str,
        seed: int,
        at: str,
        config_at: str,
        problems: Problems,
    ) -> Iterator[JobSpec]:
        strategy = self._strategy(name, at, problems)
        shared = _options(config, config_at, problems)
        if (
            strategy is None
            or shared is None
            or not self._space_is_good(strategy, config.get("parameter_space"), at, problems)
            or not _first_points_are_good(strategy, config, shared["search"], config_at, problems)
        ):
            return
        symbols = config.get("symbols") or ([config["asset"]] if "asset" in config else [])
        if not symbols:
            problems.add(
                f"{config_at}/asset", 'no asset and no symbols given; name at least one, for example "BTC"', "missing"
            )
        start, end = (None if config.get(k) is None else config[k].isoformat() for k in ("start_date", "end_date"))
        for symbol in symbols:
            for timeframe in config.get("timeframes") or [config.get("timeframe", "1d")]:
                if self._series_is_good(symbol, timeframe, start, end, config_at, problems):
                    yield JobSpec(
                        strategy_id=strategy_id,
                        strategy=name,
                        symbol=symbol,
                        timeframe=timeframe,
                        start_date=start,
                        end_date=end,
                        seed=seed,
                        parameter_space=config.get("parameter_space"),
                        **shared,
                    )

    def _strategy(self, name: str, at: str, problems: Problems) -> Strategy | None:
        try:
            return self.strategies.get(name)
        except StratoptError as error:
            problems.add(at, error.message, error.code, error.context.get("suggestion"))
            return None

    @staticmethod
    def _space_is_good(strategy: Strategy, changes: Mapping[str, Any] | None, at: str, problems: Problems) -> bool:
        if not changes:
            return True
        try:
            override_space(strategy.space, changes)
        except StratoptError as error:
            problems.add(
                f"{at}/parameter_space/{error.context.get('parameter', '')}",
                f"{strategy.name}: {error.message}",
                error.code,
            )
            return False
        return True

    def _series_is_good(
        self, symbol: str, timeframe: str, start: str | None, end: str | None, at: str, problems: Problems
    ) -> bool:
        key = (symbol, timeframe, str(start), str(end))
        if key not in problems.checked_series:
            problems.checked_series[key] = self._series_exists(symbol, timeframe, start, end, at, problems)
        return problems.checked_series[key]

    def _series_exists(
        self, symbol: str, timeframe: str, start: str | None, end: str | None, at: str, problems: Problems
    ) -> bool:
        try:
            self.market.check(symbol, timeframe, start, end)
        except StratoptError as error:
            name = FIELD_OF_DATA_PROBLEM.get(error.code, "asset")
            problems.add(f"{at}/{name}", error.message, error.code, error.context.get("suggestion"))
            return False
        return True

    def _check_size(self, specs: Sequence[JobSpec], problems: Problems) -> None:
        if len(specs) > self.limits.max_jobs:
            problems.add(
                "/strategies",
                f"{len(specs)} jobs are more than the limit of {self.limits.max_jobs}; split the batch",
                "search_space_too_large",
            )
        evaluations = sum(evaluations_of(spec) for spec in specs)
        if evaluations > self.limits.max_evaluations:
            detail = f"{evaluations} evaluations are more than the limit of {self.limits.max_evaluations} for a batch; lower max_evals or split the batch"
            problems.add("/common_config/optimization_config/max_evals", detail, "search_space_too_large")


def _identified(entries: Sequence[StrategyEntry], problems: Problems) -> list[tuple[str, StrategyEntry]]:
    identified = [(entry.strategy_id or entry.name, entry) for entry in entries]
    seen: set[str] = set()
    for index, (strategy_id, _) in enumerate(identified):
        if strategy_id in seen:
            problems.add(
                f"/strategies/{index}",
                f"strategy_id {strategy_id!r} stands twice; give the same strategy different strategy_id values",
                "duplicate_strategy_id",
            )
        seen.add(strategy_id)
    return identified


def _check_keys(specific: Mapping[str, Any], entries: Sequence[tuple[str, StrategyEntry]], problems: Problems) -> None:
    known = sorted({name for strategy_id, entry in entries for name in (strategy_id, entry.name)})
    for key in specific:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"submitted: {', '.join(known)}"
            problems.add(
                f"/strategy_specific_configs/{key}",
                f"{key!r} names no submitted strategy; {hint}",
                "unknown_strategy",
                near[0] if near else None,
            )


def _merged(layers: Sequence[StrategyConfig | None], entry: StrategyEntry) -> dict[str, Any]:
    """Later layers win field by field; null never overrides."""
    result: dict[str, Any] = {}
    for layer in layers:
        if layer is not None:
            said = without_nulls(layer.model_dump())
            _replace_alternatives(result, said)
            result = _deep(result, said)
    if entry.parameter_space:
        result["parameter_space"] = {**result.get("parameter_space", {}), **entry.parameter_space}
    return result


def _replace_alternatives(result: dict[str, Any], said: Mapping[str, Any]) -> None:
    """A later ``asset`` replaces earlier ``symbols`` and the other way round; likewise for timeframes."""
    for one, many in (("asset", "symbols"), ("timeframe", "timeframes")):
        if one in said or many in said:
            result.pop(one, None)
            result.pop(many, None)


def _deep(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(under)
    for key, value in over.items():
        result[key] = (
            _deep(result[key], value) if isinstance(value, dict) and isinstance(result.get(key), dict) else value
        )
    return result


def _options(config: Mapping[str, Any], at: str, problems: Problems) -> dict[str, Any] | None:
    """The option groups as values of the domain, or None with the problems noted."""
    groups = {
        "search": ("optimization_config", SearchConfig),
        "validation": ("validation_config", ValidationConfig),
        "costs": ("costs", Costs),
        "execution": ("execution", Execution),
    }
    made: dict[str, Any] = {}
    for name, (section, kind) in groups.items():
        said = config.get(section, {})
        try:
            made[name] = kind(**{f.name: said[f.name] for f in fields(kind) if f.name in said})
        except StratoptError as error:
            problems.add(f"{at}/{section}/{error.context.get('field', '')}", error.message, error.code)
    if len(made) < len(groups):
        return None
    return made if _search_is_good(made["search"], f"{at}/optimization_config", problems) else None


def _first_points_are_good(
    strategy: Strategy, config: Mapping[str, Any], search: SearchConfig, at: str, problems: Problems
) -> bool:
    """Whether the points to begin with belong to the strategy's space."""
    space = override_space(strategy.space, config.get("parameter_space") or {})
    good = True
    for k, params in enumerate(search.first_points or ()):
        try:
            space.validate(params)
        except StratoptError as error:
            detail = f"{strategy.name}: {error.message}"
            problems.add(f"{at}/optimization_config/first_points/{k}", detail, error.code)
            good = False
    return good


def _search_is_good(search: SearchConfig, at: str, problems: Problems) -> bool:
    """Whether the engine, the objectives and the conditions are known and fit each other."""
    objectives = search.objectives or (search.objective,)
    checks: list[tuple[str, Callable[[], object]]] = [
        ("algorithm", lambda: check_algorithm(search.algorithm, objectives=len(objectives)))
    ]
    label = "objectives/{}" if search.objectives else "objective"
    checks += [(label.format(k), partial(check_objective, text)) for k, text in enumerate(objectives)]
    checks += [(f"constraints/{k}", partial(check_constraint, text)) for k, text in enumerate(search.constraints or ())]
    good = True
    for name, check in checks:
        try:
            check()
        except StratoptError as error:
            problems.add(f"{at}/{name}", error.message, error.code, error.context.get("suggestion"))
            good = False
    return good
