"""Requests of the optimisation endpoints. Field names are frozen."""

from __future__ import annotations

import json
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from stratopt.wire.base import Document, Request, UtcDatetime

Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Formula = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Symbol = Annotated[str, StringConstraints(min_length=1, max_length=32)]
TimeframeText = Annotated[str, StringConstraints(min_length=1, max_length=8)]

MAX_STRATEGIES = 200
MAX_SERIES = 50
MAX_METADATA_BYTES = 16_384
"""Every status, list and event stream of a batch repeats its metadata."""


class OptimizationConfig(Request):
    """How each strategy is searched. A null field means the default."""

    max_evals: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="Budget of each search (one per walk-forward fold and a final one). Default 200.",
    )
    timeout_minutes: float | None = Field(
        None, gt=0, le=1440, description="Limit of one job; its worker is killed then. Default 60."
    )
    n_startup_jobs: int | None = Field(
        None, ge=1, le=100_000, description="Random points before the model of the engine is used. Default 20."
    )
    algorithm: Name | None = Field(None, description="Search engine. Default `tpe`.")
    objective: Formula | None = Field(
        None, description="Metric, or a formula over metrics, that is maximised. Default `sharpe_ratio`."
    )
    objectives: list[Formula] | None = Field(
        None,
        min_length=1,
        max_length=5,
        description="Several objectives at once; replaces `objective`. The first one chooses the best point, the result has the Pareto front.",
    )
    constraints: list[Formula] | None = Field(
        None,
        max_length=20,
        description="Conditions on metrics; points that break one are infeasible. For example `max_drawdown > -0.3`.",
    )
    early_stop_rounds: int | None = Field(
        None, ge=1, le=1_000_000, description="A search ends after so many evaluations without a better score."
    )
    target_score: float | None = Field(None, description="A search ends at a score that is at least this.")
    max_seconds: float | None = Field(
        None,
        gt=0,
        le=86_400,
        description="Limit of each search, over all attempts of its job; what it cuts off depends on the speed of the machine.",
    )
    first_points: list[Document] | None = Field(
        None, max_length=100, description="Parameters that are evaluated first, for example the best of an earlier run."
    )
    cross_validation: bool | None = Field(
        None, description="True: walk-forward, the search repeated in every fold. False: one hold-out. Default true."
    )
    min_trades: int | None = Field(
        None, ge=1, le=1_000_000, description="Points with fewer closed trades are infeasible. Default 1."
    )


class ValidationConfig(Request):
    """How results are tested. A null field means the default."""

    out_of_sample_ratio: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Share of the bars that is left untouched. Default 0.6 with walk-forward, 0.3 without.",
    )
    folds: int | None = Field(None, ge=1, le=50, description="Walk-forward blocks. Default 6.")
    anchored: bool | None = Field(
        None, description="Growing training windows (true, default) or windows of fixed length."
    )
    monte_carlo_runs: int | None = Field(None, ge=0, le=100_000)
    cross_asset_validation: bool | None = None
    regime_analysis: bool | None = None
    statistical_tests: bool | None = None
    random_entry_runs: int | None = Field(
        None,
        ge=0,
        le=100_000,
        description="Trades of the same number, sides and lengths at random bars, so many times: tests the timing. Default 0.",
    )
    permutation_runs: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="Repeats the last search on so many random orders of the bars; each costs `max_evals` evaluations. Default 0.",
    )
    combinatorial_groups: int | None = Field(
        None,
        ge=0,
        le=20,
        description="Combinatorial purged cross-validation over so many groups; each of its splits costs a search. Default 0: off.",
    )
    combinatorial_test_groups: int | None = Field(None, ge=1, le=19, description="Groups tested at once. Default 2.")
    purge_bars: int | None = Field(
        None, ge=0, le=100_000, description="Bars beside a test group that its split does not train on. Default 0."
    )
    embargo_bars: int | None = Field(
        None, ge=0, le=100_000, description="More such bars after a test group. Default 1 % of the bars."
    )


class CostsConfig(Request):
    """Costs of trading; the defaults are not zero."""

    fee_bps: float | None = Field(
        None, ge=0, le=10_000, description="Fee on each side, in hundredths of a per cent of the value. Default 10."
    )
    slippage_bps: float | None = Field(None, ge=0, le=10_000, description="Adverse price move on each side. Default 5.")
    spread_bps: float | None = Field(
        None, ge=0, le=10_000, description="Full spread; half of it is paid on each side. Default 0."
    )
    fixed_fee: float | None = Field(None, ge=0, description="Fee per order in money. Default 0.")
    minimum_fee: float | None = Field(None, ge=0, description="Least fee per order in money. Default 0.")
    slip_on_stops: bool | None = Field(None, description="Whether stop fills slip too. Default true.")
    borrow_rate: float | None = Field(None, ge=0, le=10, description="Yearly rate on the value of a short. Default 0.")


class ExecutionConfig(Request):
    """How signals become fills."""

    fill: Literal["next_open", "same_close"] | None = None
    lot: float | None = Field(None, ge=0)
    initial_cash: float | None = Field(None, gt=0)
    sizing: Literal["all_in", "fixed_units", "fixed_notional", "risk_per_stop", "volatility_target"] | None = None
    size: float | None = Field(None, gt=0)
    direction: Literal["long_only", "short_only", "long_short"] | None = None
    stop_from: Literal["entry_bar", "next_bar"] | None = None
    stop_ref: Literal["fill", "signal_close"] | None = None
    reentry: Literal["next_bar", "same_bar"] | None = None
    final: Literal["mark", "close", "last_open"] | None = None
    stop_loss_pct: float | None = Field(None, gt=0, lt=1)
    stop_loss_atr: float | None = Field(None, gt=0)
    take_profit_pct: float | None = Field(None, gt=0)
    take_profit_atr: float | None = Field(None, gt=0)
    trailing_stop_pct: float | None = Field(None, gt=0, lt=1)
    trailing_stop_atr: float | None = Field(None, gt=0)
    stop_atr_period: int | None = Field(None, ge=1, le=1000)
    max_holding_bars: int | None = Field(None, ge=1)
    leverage: float | None = Field(None, ge=1, le=100)


class StrategyConfig(Request):
    """What one strategy is optimised on and how; every field may be missing or null, which means "not said"."""

    asset: Symbol | None = Field(None, description="One symbol; the same as `symbols` with one entry.")
    symbols: list[Symbol] | None = Field(None, min_length=1, max_length=MAX_SERIES)
    timeframe: TimeframeText | None = None
    timeframes: list[TimeframeText] | None = Field(None, min_length=1, max_length=20)
    start_date: UtcDatetime | None = Field(None, description="First bar, inclusive. Default: the first there is.")
    end_date: UtcDatetime | None = Field(None, description="End, exclusive. Default: after the last bar.")
    optimization_config: OptimizationConfig | None = None
    validation_config: ValidationConfig | None = None
    costs: CostsConfig | None = None
    execution: ExecutionConfig | None = None
    parameter_space: Document | None = Field(
        None, max_length=50, description="Replaces the search range of the named parameters; the others keep theirs."
    )
    strategy_name: Name | None = Field(None, description="Accepted and ignored where the strategy is named elsewhere.")
    seed: int | None = Field(None, ge=0, le=2**53 - 1)

    @model_validator(mode="after")
    def _once(self) -> StrategyConfig:
        if self.asset and self.symbols and self.symbols != [self.asset]:
            raise ValueError("give either asset or symbols, not both")
        if self.timeframe and self.timeframes and self.timeframes != [self.timeframe]:
            raise ValueError("give either timeframe or timeframes, not both")
        if self.start_date and self.end_date and self.end_date <= self.start_date:
            raise ValueError(
                f"end_date {self.end_date.isoformat()} must be after start_date {self.start_date.isoformat()}"
            )
        return self


class StrategyEntry(Request):
    """One strategy of a batch. The same strategy twice needs two different ``strategy_id``."""

    name: Name
    strategy_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,63}$")] | None = None
    parameter_space: Document | None = None


def _entry(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _small(value: dict[str, Any]) -> dict[str, Any]:
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"{size} bytes of JSON are more than {MAX_METADATA_BYTES}; keep the rest on your side")
    return value


def _one_line(text: str) -> str:
    """``text``, which is shown in terminals, pages and files: there a control character does something else."""
    found = next((character for character in text if unicodedata.category(character) == "Cc"), None)
    if found is not None:
        raise ValueError(f"{found!r} is a control character; write one line of visible text")
    return text


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


class BatchRequest(Request):
    """Many strategies in one request: the batch is the product strategies x symbols x timeframes."""

    strategies: list[Annotated[StrategyEntry, BeforeValidator(_entry, json_schema_input_type=Name | StrategyEntry)]] = (
        Field(
            min_length=1,
            max_length=MAX_STRATEGIES,
            description="Names, or objects with `name` and optional `strategy_id` and `parameter_space`.",
        )
    )
    common_config: Annotated[
        StrategyConfig, BeforeValidator(_or_empty, json_schema_input_type=StrategyConfig | None)
    ] = Field(
        default_factory=lambda: StrategyConfig.model_validate({}),
        description="For every strategy. null, missing and {} mean the same: the defaults.",
    )
    strategy_specific_configs: dict[str, StrategyConfig | None] | None = Field(
        None, description="By strategy_id or name. null, missing and {} mean the same; a null inside never overrides."
    )
    parallel_jobs: int | None = Field(
        None,
        ge=1,
        le=2**31 - 1,
        description="Worker processes for this batch; more than the server has is reduced and reported.",
    )
    deadline_minutes: float | None = Field(None, gt=0, le=10_080, description="Limit of the whole batch. Default 240.")
    priority: int | None = Field(
        None,
        ge=-10,
        le=10,
        description="Which of an API key's batches goes first: the highest. Keys take turns whatever the priorities. Default 0.",
    )
    label: Annotated[str, StringConstraints(max_length=200), AfterValidator(_one_line)] | None = None
    metadata: Annotated[Document, AfterValidator(_small)] | None = Field(
        None,
        max_length=50,
        description=f"Kept and shown with the batch: up to 50 entries and {MAX_METADATA_BYTES} bytes.",
    )
    webhook: str | None = Field(
        None, max_length=2000, description="Id or URL of a registered receiver that is told when the batch has ended."
    )
    seed: int | None = Field(None, ge=0, le=2**53 - 1, description="The same seed gives the same results. Default 0.")


class WebhookRequest(Request):
    """A new receiver of messages."""

    url: str = Field(min_length=1, max_length=2000, description="https address; must be public, and answer with 2xx.")


class SingleRequest(StrategyConfig):
    """One strategy: the fields of `common_config` with `strategy_name`."""

    strategy_name: Name
