"""From a request to job specs: defaults, merging, checks. Every problem of a request is found and told at once."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from itertools import product
from typing import Any, Protocol

from stratopt.api.services.config_layers import Layer, merged, said_at
from stratopt.backtest.costs import Costs
from stratopt.backtest.execution import Execution
from stratopt.errors import StratoptError
from stratopt.market.bars import Bars
from stratopt.optimization.exceptions import ParameterValidationError
from stratopt.optimization.job_spec import JobSpec, SearchConfig, ValidationConfig
from stratopt.optimization.objectives import check_constraint, check_objective
from stratopt.search.algorithms import check_algorithm
from stratopt.search.override import override_space
from stratopt.strategies.base import Strategy
from stratopt.wire.optimization import BatchRequest, SingleRequest, StrategyEntry
from stratopt.wire.problems import json_pointer

FieldPath = tuple[str | int, ...]
"""Names and numbers that lead to a field."""
Wanted = tuple[str, str, str | None, str | None]
"""Symbol, timeframe, start and end as a request says them."""
FIELD_OF_DATA_PROBLEM = {"unknown_timeframe": "timeframe", "empty_range": "start_date", "invalid_range": "end_date"}


class StrategyLookup(Protocol):
    """Where strategies are found by name."""

    def get(self, name: str) -> Strategy:
        """The strategy, or StrategyError with what was probably meant."""
        ...


class MarketLookup(Protocol):
    """Where series are found; errors are MarketDataError."""

    def check(self, symbol: str, timeframe: str, start: str | None, end: str | None) -> tuple[str, int]:
        """The stored symbol and the seconds of a bar that are meant: names and timeframes have several spellings."""
        ...

    def bars(self, symbol: str, timeframe: str) -> Bars:
        """The whole series."""
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
    checked_series: dict[Wanted, tuple[str, int] | None] = field(default_factory=dict)

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
        common = Layer.of(request.common_config, "common_config")
        own = {name: Layer.of(config, "strategy_specific_configs", name) for name, config in specific.items()}
        specs: list[JobSpec] = []
        for index, (strategy_id, entry) in enumerate(entries):
            place = ("strategies", index)
            layers = [
                common,
                *(own[name] for name in dict.fromkeys((entry.name, strategy_id)) if name in own),
                Layer(place=place, said={"parameter_space": entry.parameter_space} if entry.parameter_space else {}),
            ]
            specs.extend(self._specs(layers, entry.name, strategy_id, seed, json_pointer(*place), problems))
        self._check_size(specs, common, problems)
        problems.raise_if_any()
        return replace(self._plan(specs, request.parallel_jobs, seed), webhook_id=webhook_id)

    def single(self, request: SingleRequest) -> Plan:
        """The plan of one strategy on one series."""
        problems = Problems()
        name, layer = request.strategy_name, Layer.of(request)
        specs = list(self._specs([layer], name, name, request.seed or 0, "/strategy_name", problems))
        if len(specs) > 1:
            problems.add(
                "/symbols",
                f"a single optimisation takes one series, not {len(specs)}; use POST /api/v1/optimize/batch",
                "too_many_series",
            )
        self._check_size(specs, layer, problems)
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
        self, layers: Sequence[Layer], name: str, strategy_id: str, seed: int, at: str, problems: Problems
    ) -> Iterator[JobSpec]:
        config = merged(layers)
        strategy = self._strategy(name, at, problems)
        shared = _options(config, layers, problems)
        if (
            strategy is None
            or shared is None
            or not self._space_is_good(strategy, config.get("parameter_space"), layers, problems)
            or not _first_points_are_good(strategy, config, shared["search"], layers, problems)
        ):
            return
        start, end = (None if config.get(k) is None else config[k].isoformat() for k in ("start_date", "end_date"))
        for symbol, timeframe in self._series(config, start, end, layers, problems):
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
    def _space_is_good(
        strategy: Strategy, changes: Mapping[str, Any] | None, layers: Sequence[Layer], problems: Problems
    ) -> bool:
        if not changes:
            return True
        try:
            override_space(strategy.space, changes)
        except StratoptError as error:
            at = said_at(layers, *_path("parameter_space", error.context.get("parameter")))
            problems.add(at, f"{strategy.name}: {error.message}", error.code)
            return False
        return True

    def _series(
        self,
        config: Mapping[str, Any],
        start: str | None,
        end: str | None,
        layers: Sequence[Layer],
        problems: Problems,
    ) -> Iterator[tuple[str, str]]:
        """Symbols x timeframes that exist, each series once."""
        symbols, timeframes = _named(config, "asset", "symbols"), _named(config, "timeframe", "timeframes", "1d")
        if not symbols:
            detail = 'no asset and no symbols given; name at least one, for example "BTC"'
            problems.add(said_at(layers, "asset"), detail, "missing")
        first_symbol: dict[str, FieldPath] = {}
        first_timeframe: dict[int, FieldPath] = {}
        for (symbol_path, symbol), (timeframe_path, timeframe) in product(symbols, timeframes):
            paths = {"asset": symbol_path, "timeframe": timeframe_path}
            found = self._found((symbol, timeframe, start, end), paths, layers, problems)
            if found is None:
                continue
            if first_symbol.setdefault(found[0], symbol_path) != symbol_path:
                _add_repeated(symbol_path, symbol, layers, problems)
            elif first_timeframe.setdefault(found[1], timeframe_path) != timeframe_path:
                _add_repeated(timeframe_path, timeframe, layers, problems)
            else:
                yield symbol, timeframe

    def _found(
        self, wanted: Wanted, paths: Mapping[str, FieldPath], layers: Sequence[Layer], problems: Problems
    ) -> tuple[str, int] | None:
        """What a series is stored as; ``paths`` lead to the fields that name it."""
        if wanted not in problems.checked_series:
            try:
                problems.checked_series[wanted] = self.market.check(*wanted)
            except StratoptError as error:
                problems.checked_series[wanted] = None
                name = FIELD_OF_DATA_PROBLEM.get(error.code, "asset")
                at = said_at(layers, *paths.get(name, (name,)))
                problems.add(at, error.message, error.code, error.context.get("suggestion"))
        return problems.checked_series[wanted]

    def _check_size(self, specs: Sequence[JobSpec], layer: Layer, problems: Problems) -> None:
        if len(specs) > self.limits.max_jobs:
            problems.add(
                "/strategies",
                f"{len(specs)} jobs are more than the limit of {self.limits.max_jobs}; split the batch",
                "search_space_too_large",
            )
        evaluations = sum(evaluations_of(spec) for spec in specs)
        if evaluations > self.limits.max_evaluations:
            detail = f"{evaluations} evaluations are more than the limit of {self.limits.max_evaluations} for a batch; lower max_evals or split the batch"
            problems.add(said_at([layer], "optimization_config", "max_evals"), detail, "search_space_too_large")


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
                json_pointer("strategy_specific_configs", key),
                f"{key!r} names no submitted strategy; {hint}",
                "unknown_strategy",
                near[0] if near else None,
            )


def _named(config: Mapping[str, Any], one: str, many: str, default: str | None = None) -> list[tuple[FieldPath, str]]:
    """The values of a field that may be one or many, each with its path."""
    if many in config:
        return [((many, k), value) for k, value in enumerate(config[many])]
    value = config.get(one, default)
    return [] if value is None else [((one,), value)]


def _add_repeated(path: FieldPath, name: str, layers: Sequence[Layer], problems: Problems) -> None:
    detail = f"{name!r} names a series that stands there already; name each one once"
    problems.add(said_at(layers, *path), detail, "duplicate_series")


def _path(section: str, name: object) -> FieldPath:
    return (section,) if name is None else (section, str(name))


def _options(config: Mapping[str, Any], layers: Sequence[Layer], problems: Problems) -> dict[str, Any] | None:
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
            problems.add(said_at(layers, *_path(section, error.context.get("field"))), error.message, error.code)
    if len(made) < len(groups):
        return None
    return made if _search_is_good(made["search"], layers, problems) else None


def _first_points_are_good(
    strategy: Strategy, config: Mapping[str, Any], search: SearchConfig, layers: Sequence[Layer], problems: Problems
) -> bool:
    """Whether the points to begin with belong to the strategy's space."""
    space = override_space(strategy.space, config.get("parameter_space") or {})
    good = True
    for k, params in enumerate(search.first_points or ()):
        try:
            space.validate(params)
        except StratoptError as error:
            detail = f"{strategy.name}: {error.message}"
            problems.add(said_at(layers, "optimization_config", "first_points", k), detail, error.code)
            good = False
    return good


def _search_is_good(search: SearchConfig, layers: Sequence[Layer], problems: Problems) -> bool:
    """Whether the engine, the objectives and the conditions are known and fit each other."""
    objectives = search.objectives or (search.objective,)
    checks: list[tuple[FieldPath, Callable[[], object]]] = [
        (("algorithm",), lambda: check_algorithm(search.algorithm, objectives=len(objectives)))
    ]
    for k, text in enumerate(objectives):
        checks.append((("objectives", k) if search.objectives else ("objective",), partial(check_objective, text)))
    for k, text in enumerate(search.constraints or ()):
        checks.append((("constraints", k), partial(check_constraint, text)))
    good = True
    for path, check in checks:
        try:
            check()
        except StratoptError as error:
            at = said_at(layers, "optimization_config", *path)
            problems.add(at, error.message, error.code, error.context.get("suggestion"))
            good = False
    return good
