"""Bodies about the server itself and what it has to offer: probes, load, strategies, series, objectives."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from stratopt.wire.base import Answer


class Health(Answer):
    """Whether the process answers, or can work."""

    status: str


class Version(Answer):
    """The running release."""

    name: str
    version: str
    api: str


class WorkerCount(Answer):
    """Worker processes."""

    total: int
    busy: int


class RequestLimits(Answer):
    """What one request may ask for."""

    max_jobs: int
    max_evaluations: int
    max_body_bytes: int


class MachineLoad(Answer):
    """The machine now. Memory in bytes."""

    cpu_count: float
    load_average_1m: float
    memory_total_bytes: float
    memory_available_bytes: float
    process_memory_bytes: float


class Admission(Answer):
    """Whether jobs start now; `reason` is `memory` or `cpu` where they wait for the machine."""

    open: bool
    reason: str | None


class SystemLoad(Answer):
    """Queue, workers, limits, machine."""

    queue_depth: int
    unfinished_batches: int
    workers: WorkerCount
    limits: RequestLimits
    resources: MachineLoad
    admission: Admission
    uptime_seconds: float


class StrategyDescription(Answer):
    """One strategy."""

    name: str
    category: str
    doc: str
    source: str
    needs_volume: bool
    compiled: bool
    defaults: dict[str, Any]
    default_warmup_bars: int
    parameter_space: dict[str, Any] = Field(description="What a search covers: `parameters` with their ranges.")


class StrategyProblem(Answer):
    """Why a file of own strategies was not loaded."""

    code: str
    detail: str


class StrategyList(Answer):
    """The catalogue."""

    data: list[StrategyDescription]
    problems: list[StrategyProblem]


class SeriesDescription(Answer):
    """A stored series."""

    symbol: str
    timeframe: str
    calendar: str
    rows: int
    first: str
    last: str
    content_hash: str
    source: str
    description: str | None
    resamples_to: list[str]
    provenance: dict[str, Any] | None


class SeriesList(Answer):
    """Every stored series."""

    data: list[SeriesDescription]


class ObjectiveList(Answer):
    """What a search may maximise, and the engines that are installed on the server."""

    objectives: list[str]
    algorithms: list[str]
