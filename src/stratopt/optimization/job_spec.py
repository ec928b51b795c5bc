"""What one job shall do. A result is a function of its spec, byte for byte."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import orjson

from stratopt.backtest.costs import Costs
from stratopt.backtest.execution import Execution
from stratopt.optimization.exceptions import ParameterValidationError

LATER_SWITCHES = (
    "random_entry_runs",
    "permutation_runs",
    "combinatorial_groups",
    "combinatorial_test_groups",
    "purge_bars",
    "embargo_bars",
)
"""Left out of a fingerprint while they are off, so that results made before there were such switches keep theirs."""


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """How one strategy is searched. ``max_evals`` and the other limits are those of *each* search (one a fold and a final one).

    ``objectives``, where given, replace ``objective``: the first one chooses the best point. ``constraints`` are conditions on
    metrics. ``first_points`` are evaluated before the engine is asked. ``max_seconds`` makes a result depend on the machine.
    """

    max_evals: int = 200
    timeout_minutes: float = 60.0
    n_startup_jobs: int = 20
    algorithm: str = "tpe"
    objective: str = "sharpe_ratio"
    cross_validation: bool = True
    min_trades: int = 1
    objectives: Sequence[str] | None = None
    constraints: Sequence[str] | None = None
    early_stop_rounds: int | None = None
    target_score: float | None = None
    max_seconds: float | None = None
    first_points: Sequence[Mapping[str, Any]] | None = None

    def __post_init__(self) -> None:
        for name in ("objectives", "constraints", "first_points"):
            value = getattr(self, name)
            object.__setattr__(self, name, tuple(value) if value else None)
        if self.objectives:
            object.__setattr__(self, "objective", self.objectives[0])


@dataclass(frozen=True, kw_only=True)
class ValidationConfig:
    """How a result is tested. ``out_of_sample_ratio`` None means 0.6 with walk-forward and 0.3 with a single hold-out.

    ``permutation_runs`` and ``combinatorial_groups`` repeat the search; 0 is off. ``purge_bars`` and ``embargo_bars`` are those of the
    combinatorial splits, an embargo of None is 1 % of the bars.

    Raises
    ------
    ParameterValidationError
        If the test groups are not fewer than the groups.
    """

    out_of_sample_ratio: float | None = None
    folds: int = 6
    anchored: bool = True
    monte_carlo_runs: int = 0
    cross_asset_validation: bool = False
    regime_analysis: bool = False
    statistical_tests: bool = True
    random_entry_runs: int = 0
    permutation_runs: int = 0
    combinatorial_groups: int = 0
    combinatorial_test_groups: int = 2
    purge_bars: int = 0
    embargo_bars: int | None = None

    def __post_init__(self) -> None:
        if self.combinatorial_groups and not 0 < self.combinatorial_test_groups < self.combinatorial_groups:
            raise ParameterValidationError(
                f"combinatorial_test_groups {self.combinatorial_test_groups} must be at least 1 and below combinatorial_groups "
                f"{self.combinatorial_groups}",
                field="combinatorial_test_groups",
            )

    @property
    def repeated_searches(self) -> int:
        """Searches beyond those of the folds and the final one."""
        splits = (
            math.comb(self.combinatorial_groups, self.combinatorial_test_groups) if self.combinatorial_groups else 0
        )
        return splits + self.permutation_runs


SECTIONS: dict[str, type] = {
    "search": SearchConfig,
    "validation": ValidationConfig,
    "costs": Costs,
    "execution": Execution,
}
"""The parts of a spec that are documents of their own."""


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """One strategy on one series. ``strategy_id`` and ``index`` name the job in its batch and do not influence its result."""

    strategy_id: str
    strategy: str
    symbol: str
    timeframe: str
    start_date: str | None = None
    end_date: str | None = None
    parameter_space: Mapping[str, Any] | None = None
    search: SearchConfig = field(default_factory=SearchConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    costs: Costs = field(default_factory=Costs)
    execution: Execution = field(default_factory=Execution)
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form; lists and mappings in it are those of the spec, not copies."""
        return vars(self) | {name: dict(vars(getattr(self, name))) for name in SECTIONS}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> JobSpec:
        """The spec of ``to_dict``."""
        values = {f.name: document[f.name] for f in fields(cls) if f.name in document}
        return cls(**{name: SECTIONS[name](**value) if name in SECTIONS else value for name, value in values.items()})

    @property
    def fingerprint(self) -> str:
        """sha256 of everything that the result depends on."""
        document = {k: v for k, v in self.to_dict().items() if k != "strategy_id"}
        document["search"] = {k: v for k, v in document["search"].items() if v is not None}
        off = asdict(ValidationConfig())
        document["validation"] = {
            k: v for k, v in document["validation"].items() if k not in LATER_SWITCHES or v != off[k]
        }
        return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()

    @property
    def search_seed(self) -> int:
        """Seed of this job's random numbers: a function of the spec, so alone, in a batch and on retry it is the same."""
        return int(self.fingerprint[:15], 16)
