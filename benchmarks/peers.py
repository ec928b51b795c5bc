"""The same average cross, fee 0.1 %, fills at the signal's close, in the engines of others. Total return and Sharpe ratio of each."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import backtrader
import numpy as np
import pandas as pd
import vectorbt
from backtesting import Backtest
from backtesting import Strategy as BacktestingStrategy
from backtesting.lib import crossover

from stratopt.market.bars import Bars

FEE = 0.001


def vectorbt_cross(bars: Bars, periods: Sequence[int], engine: str) -> Callable[[], Any]:
    """All pairs of the periods as columns of one portfolio."""
    close = pd.Series(bars.close, index=pd.DatetimeIndex(bars.stamps))

    def run() -> Any:
        vectorbt.settings["engine"] = engine
        fast, slow = vectorbt.MA.run_combs(close, window=list(periods), r=2, short_names=["fast", "slow"])
        portfolio = vectorbt.Portfolio.from_signals(
            close, fast.ma_crossed_above(slow), fast.ma_crossed_below(slow), fees=FEE, freq="1D"
        )
        return portfolio.total_return().to_numpy(), portfolio.sharpe_ratio().to_numpy()

    return run


def vectorbt_signals(bars: Bars, rules: Callable[[], Sequence[tuple[Any, Any]]]) -> Callable[[], Any]:
    """Entries and exits of several parameter sets, computed by ``rules``, as columns of one portfolio.

    An entry whose own exit holds on the same bar is none, as with us; vectorbt would ignore both and stay in an open position.
    """
    close = pd.Series(bars.close, index=pd.DatetimeIndex(bars.stamps))

    def run() -> Any:
        found = rules()
        entries = np.column_stack([np.asarray(entry, dtype=bool) for entry, _ in found])
        exits = np.column_stack([np.asarray(leave, dtype=bool) for _, leave in found])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            portfolio = vectorbt.Portfolio.from_signals(close, entries & ~exits, exits, fees=FEE, freq="1D")
            return portfolio.total_return().to_numpy(), portfolio.sharpe_ratio().to_numpy()

    return run


class _Cross(BacktestingStrategy):
    fast, slow = 10, 30

    def init(self) -> None:
        average = lambda values, period: pd.Series(values).rolling(period).mean()  # noqa: E731
        self.one = self.I(average, self.data.Close, self.fast)
        self.two = self.I(average, self.data.Close, self.slow)

    def next(self) -> None:
        if crossover(self.one, self.two):
            self.buy()
        elif crossover(self.two, self.one):
            self.position.close()


def backtesting_cross(bars: Bars, pairs: Sequence[tuple[int, int]]) -> Callable[[], Any]:
    """One run a pair."""
    frame = pd.DataFrame(
        {"Open": bars.open, "High": bars.high, "Low": bars.low, "Close": bars.close, "Volume": bars.volume},
        index=pd.DatetimeIndex(bars.stamps),
    )

    def run() -> Any:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            test = Backtest(frame, _Cross, cash=1e6, commission=FEE, trade_on_close=True, finalize_trades=True)
            return [test.run(fast=fast, slow=slow)["Return [%]"] for fast, slow in pairs]

    return run


class _BacktraderCross(backtrader.Strategy):
    params = (("fast", 10), ("slow", 30))

    def __init__(self) -> None:
        one, two = (backtrader.ind.SMA(period=p) for p in (self.p.fast, self.p.slow))
        self.cross = backtrader.ind.CrossOver(one, two)

    def next(self) -> None:
        if self.cross > 0:
            self.order_target_percent(target=0.99)
        elif self.cross < 0:
            self.close()


def backtrader_cross(bars: Bars, pairs: Sequence[tuple[int, int]]) -> Callable[[], Any]:
    """One run a pair."""
    frame = pd.DataFrame(
        {"open": bars.open, "high": bars.high, "low": bars.low, "close": bars.close, "volume": bars.volume},
        index=pd.DatetimeIndex(bars.stamps),
    )

    def run() -> Any:
        found = []
        for fast, slow in pairs:
            engine = backtrader.Cerebro(stdstats=False)
            engine.broker.setcash(1e6)
            engine.broker.set_coc(True)
            engine.broker.setcommission(commission=FEE)
            engine.adddata(backtrader.feeds.PandasData(dataname=frame))
            engine.addstrategy(_BacktraderCross, fast=fast, slow=slow)
            engine.run()
            found.append(engine.broker.getvalue() / 1e6 - 1)
        return found

    return run
