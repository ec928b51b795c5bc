"""Backtests of one strategy or one target series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from stratopt.backtest.checks import made_of
from stratopt.backtest.costs import Costs
from stratopt.backtest.execution import Execution
from stratopt.backtest.result import BacktestResult
from stratopt.backtest.scorer import Scorer, stop_atr
from stratopt.backtest.targets import check_target
from stratopt.backtest.window import evaluation_window, require_bars
from stratopt.errors import memory_errors_told
from stratopt.kernels import engine_codes as k
from stratopt.kernels.arrays import LONG_ONLY, AnyArray
from stratopt.kernels.simulate import simulate
from stratopt.market.bars import Bars
from stratopt.market.timeframe import Calendar, Timeframe
from stratopt.strategies.base import Direction, Strategy
from stratopt.strategies.catalogue import get_strategy, is_built_in
from stratopt.strategies.look_ahead import glance_for_look_ahead


def backtest_signals(
    bars: Bars,
    target: AnyArray,
    *,
    costs: Costs | Mapping[str, Any] | None = None,
    execution: Execution | Mapping[str, Any] | None = None,
    start: int | None = None,
    stop: int | None = None,
) -> BacktestResult:
    """Simulate a series of targets.

    Parameters
    ----------
    bars : Bars
    target : integers (n,)
        -1 (short), 0 (flat) or 1 (long) for each bar, known at that bar's close. An order is given when the target changes.
    costs : Costs or its fields by name, optional
        10 basis points fee and 5 basis points slippage a side by default.
    execution : Execution or its fields by name, optional
        Fill at the next bar's open with all cash, no stops, by default.
    start, stop : int, optional
        The account starts flat at bar ``start``, acts on the target known just before it, and ends before bar ``stop``.

    Returns
    -------
    BacktestResult

    Raises
    ------
    BacktestError
        If the target has another length than the bars or another value than -1, 0, 1, or the window is empty.
    """
    costs, execution = made_of(Costs, costs, "costs"), made_of(Execution, execution, "execution")
    window = evaluation_window(bars, start, stop)
    clean = check_target(target, len(bars))
    account, equity, pnl = np.empty(k.ACCOUNT), np.empty(len(window)), np.empty(len(window))
    trades = np.empty((len(window) + 1, k.TRADE_COLUMNS))
    simulate(
        bars.matrix,
        clean,
        window.start,
        window.stop,
        execution.settings(costs, bars.periods_per_year),
        stop_atr(bars, execution),
        account,
        equity,
        pnl,
        trades,
    )
    count = int(account[k.CLOSED_TRADES] + account[k.OPEN_TRADES])
    return BacktestResult(
        bars=bars,
        window=window,
        costs=costs,
        execution=execution,
        account=account,
        equity_values=equity,
        trade_rows=trades[:count].copy(),
    )


@memory_errors_told("the backtest")
def backtest(
    bars: Bars,
    strategy: str | Strategy,
    params: Mapping[str, Any] | None = None,
    *,
    costs: Costs | Mapping[str, Any] | None = None,
    execution: Execution | Mapping[str, Any] | None = None,
    start: int | None = None,
    stop: int | None = None,
    look_ahead: bool = False,
) -> BacktestResult:
    """Simulate a strategy with ``params``, completed with its defaults.

    ``strategy`` is a name of the catalogue or a Strategy. Sides come from ``execution.direction``, long only by default; the
    rest is as in ``backtest_signals``. StrategyError for an unknown name, ParameterSpaceError for a parameter out of its domain.

    A strategy of your own that knows the future is refused (StrategyError ``look_ahead``) where that shows with these parameters at the
    beginning of the series: that costs a few calls of it on at most 1,500 bars after the warm-up. ``check_look_ahead`` looks at later bars
    too. ``look_ahead=True`` simulates it all the same, to see what perfect knowledge would earn.
    """
    require_bars(bars)
    execution = made_of(Execution, execution, "execution")
    found = strategy if isinstance(strategy, Strategy) else get_strategy(strategy)
    direction = Direction(execution.direction or Direction.LONG_ONLY)
    target = found.target(bars, params, direction)
    if not look_ahead and not is_built_in(found):
        glance_for_look_ahead(found, bars, None if params is None else dict(params), direction=direction)
    return backtest_signals(bars, target, costs=costs, execution=execution, start=start, stop=stop)


def warm_up() -> None:
    """Compile the engine, or load it from the disk cache, so that the first job does not wait for it."""
    matrix = np.vstack([np.full((4, 3), 1.0), np.zeros((1, 3)), np.arange(3.0) * 86_400_000.0])
    bars = Bars("WARMUP", Timeframe.parse("1d"), Calendar.ALWAYS, matrix)
    target = np.array([1, 0, 0], dtype=np.int8)
    execution = Execution(stop_loss_atr=1.0, stop_atr_period=1)
    backtest_signals(bars, target, execution=execution)
    scorer = Scorer(bars, execution=execution, block_count=1)
    scorer.score(target)
    scorer.score_crossings(bars.matrix[:2], np.array([[0, 1]]), LONG_ONLY)
