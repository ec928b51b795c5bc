"""OptimizationResult: what ``stratopt.optimize`` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.strategy_optimizer import Optimized

if TYPE_CHECKING:
    import pandas as pd

SHOWN = ("sharpe_ratio", "total_return", "cagr", "max_drawdown", "trade_count")


@dataclass(frozen=True, repr=False)
class OptimizationResult:
    """One strategy searched on training bars and tested on untouched ones."""

    spec: JobSpec
    optimized: Optimized

    @property
    def best_params(self) -> Mapping[str, Any]:
        """The parameters to go on with."""
        return self.optimized.result["best_params"]

    @property
    def in_sample(self) -> Mapping[str, float | None]:
        """Metrics of the best parameters on the bars that were searched."""
        return self.optimized.result["in_sample"]["metrics"]

    @property
    def out_of_sample(self) -> Mapping[str, float | None]:
        """Metrics on bars that no search saw: with walk-forward, all blocks as one account."""
        return self.optimized.result["out_of_sample"]["metrics"]

    @property
    def folds(self) -> list[dict[str, Any]]:
        """Window, parameters and test metrics of each fold."""
        return self.optimized.result["folds"]

    @property
    def trials(self) -> pd.DataFrame:
        """Every evaluated point; ``fold`` -1 is the last search, over all bars."""
        return self._frame("trials")

    @property
    def equity(self) -> pd.Series[float]:
        """Out-of-sample account value at each bar's close."""
        frame = self._frame("equity")
        return frame.set_index(frame["open_time"].dt.tz_localize("UTC"))["equity"]

    @property
    def trades(self) -> pd.DataFrame:
        """Out-of-sample trades."""
        return self._frame("trades")

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values: equal to the item's ``result`` in a batch, but for its table names."""
        return dict(self.optimized.result)

    def __repr__(self) -> str:
        inside, outside = self.in_sample["sharpe_ratio"], self.out_of_sample["sharpe_ratio"]
        return f"OptimizationResult({self.spec.strategy} on {self.spec.symbol} {self.spec.timeframe}: Sharpe out of sample {_ratio(outside)}, in sample {_ratio(inside)}, {dict(self.best_params)})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{n.replace('_', ' ')}</th><td>{_ratio(self.out_of_sample[n])}</td><td>{_ratio(self.in_sample[n])}</td></tr>"
            for n in SHOWN
        )
        title = escape(f"{self.spec.strategy} on {self.spec.symbol} {self.spec.timeframe}")
        return f"<table><caption>{title}: {escape(str(dict(self.best_params)))}</caption><tr><th></th><th>out of sample</th><th>in sample</th></tr>{rows}</table>"

    def _frame(self, name: str) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(dict(self.optimized.tables[name]))


def _ratio(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f}"
