"""What a backtest returns: metrics, equity, trades, a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from stratopt.backtest.costs import Costs
from stratopt.backtest.execution import Execution
from stratopt.backtest.metrics import Metrics, MetricTable, compute_metrics, sharpe_ratio
from stratopt.backtest.window import Window
from stratopt.kernels import engine_codes as k
from stratopt.kernels.arrays import AnyArray, Float64Array1D, Float64Array2D
from stratopt.kernels.scoring import period_returns
from stratopt.market.bars import Bars

if TYPE_CHECKING:
    import pandas as pd

    from stratopt.backtest.plot import Plot


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class BacktestResult:
    """The outcome of one backtest over its window.

    ``account`` holds the kernel's totals, ``equity_values`` money at each close of the window, ``trade_rows`` one row a trade
    (columns in ``kernels.engine_codes``); the properties give them names and dates.
    """

    bars: Bars
    window: Window
    costs: Costs
    execution: Execution
    account: Float64Array1D
    equity_values: Float64Array1D
    trade_rows: Float64Array2D

    @cached_property
    def index(self) -> pd.DatetimeIndex:
        """UTC open stamps of the window's bars."""
        import pandas as pd

        return pd.DatetimeIndex(self.bars.stamps[self.window.start : self.window.stop], name="open_time", tz="UTC")

    @cached_property
    def equity(self) -> pd.Series[float]:
        """Cash plus position at each bar's close, in money."""
        return self._series(self.equity_values, "equity")

    @cached_property
    def returns(self) -> pd.Series[float]:
        """Net simple return of each bar, the first from the initial cash."""
        return self._series(self._returns(np.arange(len(self.window))), "returns")

    @cached_property
    def drawdown(self) -> pd.Series[float]:
        """Equity over its highest value so far, minus 1; the initial cash counts as a high."""
        peak = np.maximum.accumulate(np.concatenate([[self.execution.initial_cash], self.equity_values]))[1:]
        return self._series(self.equity_values / peak - 1.0, "drawdown")

    @cached_property
    def trades(self) -> pd.DataFrame:
        """One row a trade in the order of exits; a trade still open is last, flagged ``open`` and valued at the last close.

        Columns entry_time, exit_time (NaT while open), entry_bar, exit_bar (positions in the bars), side (1 or -1), size (units),
        entry_price, exit_price (slippage included), fees, borrow_cost, pnl (money, net), return_ (pnl over the entry's value),
        bars_held, exit_reason, open.
        """
        import pandas as pd

        frame = pd.DataFrame(self.trade_columns)
        for name in ("entry_time", "exit_time"):
            frame[name] = frame[name].dt.tz_localize("UTC")
        return frame

    @property
    def trade_columns(self) -> dict[str, AnyArray]:
        """The columns of ``trades`` as arrays; times are datetime64[ms] in UTC."""
        rows = self.trade_rows
        entry, exit_ = rows[:, k.TRADE_ENTRY_BAR].astype(np.int64), rows[:, k.TRADE_EXIT_BAR].astype(np.int64)
        is_open = rows[:, k.TRADE_OPEN] != 0
        return {
            "entry_time": self.bars.stamps[entry],
            "exit_time": np.where(is_open, np.datetime64("NaT", "ms"), self.bars.stamps[exit_]),
            "entry_bar": entry,
            "exit_bar": exit_,
            "side": rows[:, k.TRADE_SIDE].astype(np.int64),
            "size": rows[:, k.TRADE_SIZE],
            "entry_price": rows[:, k.TRADE_ENTRY_PRICE],
            "exit_price": rows[:, k.TRADE_EXIT_PRICE],
            "fees": rows[:, k.TRADE_FEES],
            "borrow_cost": rows[:, k.TRADE_BORROW],
            "pnl": rows[:, k.TRADE_PNL],
            "return_": rows[:, k.TRADE_RETURN],
            "bars_held": exit_ - entry,
            "exit_reason": np.array([k.EXIT_REASONS[int(code)] for code in rows[:, k.TRADE_REASON]], dtype=object),
            "open": is_open,
        }

    @cached_property
    def metrics(self) -> Metrics:
        """Metric name to number, None where it is undefined (``metric_reasons`` says why).

        Definitions are in ``compute_metrics``; ratios of bars shorter than a day are computed on daily equity.
        """
        closed = self.trade_rows[self.trade_rows[:, k.TRADE_OPEN] == 0]
        from_returns = compute_metrics(
            self._returns(self.window.period_ends),
            periods_per_year=self.window.periods_per_year,
            trade_pnl=closed[:, k.TRADE_PNL],
            trade_returns=closed[:, k.TRADE_RETURN],
            years=self.window.years,
            bar_returns=self._returns(np.arange(len(self.window))),
        )
        table = MetricTable()
        table.values.update(from_returns)
        table.reasons.update(from_returns.reasons)
        self._add_account(table, closed)
        return table.finish()

    @property
    def sharpe_ratio(self) -> float | None:
        """The metric of this name alone; all of them together cost ten times as much."""
        ratio = sharpe_ratio(self._returns(self.window.period_ends), self.window.periods_per_year)
        return ratio if math.isfinite(ratio) else None

    @property
    def metric_reasons(self) -> dict[str, str]:
        """Why a metric is None, by name."""
        return self.metrics.reasons

    @cached_property
    def stats(self) -> pd.Series[Any]:
        """Start, end and all metrics as one column, undefined ones as NaN."""
        import pandas as pd

        dates = {"start": self.index[0], "end": self.index[-1], "bars": len(self.window)}
        numbers = {name: math.nan if value is None else value for name, value in self.metrics.items()}
        return pd.Series({**dates, **numbers}, dtype=object, name=f"{self.bars.symbol} {self.bars.timeframe}")

    def plot(self) -> Plot:
        """Equity, drawdown and trades as one SVG picture, shown by notebooks and saved with ``.save(path)``."""
        from stratopt.backtest.plot import draw

        return draw(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON values: finite numbers, texts, ISO dates, None."""
        return {
            "symbol": self.bars.symbol,
            "timeframe": str(self.bars.timeframe),
            "data_hash": self.bars.content_hash,
            "start": self.index[0].isoformat(),
            "end": self.index[-1].isoformat(),
            "costs": vars(self.costs).copy(),
            "execution": vars(self.execution).copy(),
            "metrics": dict(self.metrics),
            "metric_reasons": dict(self.metric_reasons),
            "equity": {"open_time": [stamp.isoformat() for stamp in self.index], "value": self.equity_values.tolist()},
            "trades": [_trade_as_json(row) for row in self.trades.to_dict("records")],
        }

    def __repr__(self) -> str:
        total, sharpe = self.metrics["total_return"], self.metrics["sharpe_ratio"]
        ratio = "undefined" if sharpe is None else f"{sharpe:.2f}"
        return (
            f"BacktestResult({self.bars.symbol} {self.bars.timeframe}, {len(self.window)} bars, "
            f"return {total:+.2%}, Sharpe {ratio}, {len(self.trade_rows)} trades)"
        )

    def _repr_html_(self) -> str:
        from stratopt.backtest.result_html import result_html

        return result_html(self)

    def _series(self, values: Float64Array1D, name: str) -> pd.Series[float]:
        import pandas as pd

        return pd.Series(values, index=self.index, name=name)

    def _returns(self, period_ends: Any) -> Float64Array1D:
        returns = np.empty(len(period_ends))
        period_returns(self.equity_values, float(self.execution.initial_cash), period_ends.astype(np.int64), returns)
        return returns

    def _add_account(self, table: MetricTable, closed: Float64Array2D) -> None:
        held = closed[:, k.TRADE_EXIT_BAR] - closed[:, k.TRADE_ENTRY_BAR]
        bars = len(self.window)
        table.add("average_bars_held", held.mean() if held.size else math.nan, "no trade was closed")
        table.add("open_trade_count", self.account[k.OPEN_TRADES])
        table.add("exposure", self.account[k.BARS_IN_POSITION] / bars)
        table.add("mean_abs_weight", self.account[k.WEIGHT_SUM] / bars)
        table.add("turnover", self.account[k.TRADED_WEIGHT] / self.window.years)
        table.add("fees_paid", self.account[k.FEES_PAID])
        table.add("borrow_paid", self.account[k.BORROW_PAID])
        table.add("skipped_orders", self.account[k.SKIPPED_ORDERS])
        table.add("liquidations", self.account[k.LIQUIDATIONS])
        table.add("bankrupt", self.account[k.BANKRUPT_BAR] >= 0)
        table.add("final_equity", self.equity_values[-1])
        table.add("period_count", self.window.period_ends.size)
        table.add("periods_per_year", self.window.periods_per_year)


def _trade_as_json(row: dict[Any, Any]) -> dict[str, Any]:
    times = {"entry_time": row["entry_time"].isoformat()}
    times["exit_time"] = None if row["open"] else row["exit_time"].isoformat()
    return {**row, **times}
