"""The engine: bar-by-bar fills, stops and costs of one target series, compiled once for every strategy.

What happens inside bar ``i``, in this order: borrowing is charged; the order decided at the previous close fills at the open
(``next_open``); stops act; the order decided at this close fills at it (``same_close``); equity is marked at the close.
An order is given when the target *changes*; a repeated target does nothing, so that a position that was stopped out stays out
until the target moves (``reentry = follow_target`` re-enters while the target holds).
"""

from __future__ import annotations

import math

from stratopt.kernels import engine_codes as k
from stratopt.kernels.arrays import CLOSE, HIGH, LOW, OPEN, Float64Array1D, Float64Array2D, Int8Array1D
from stratopt.kernels.jit import jit_bare, jit_inlined
from stratopt.kernels.orders import close_position, open_position, record_trade
from stratopt.kernels.stops import charge_borrowing, exit_inside_bar, extend_extreme, set_calm_range


@jit_inlined
def allowed_side(target: int, settings: Float64Array1D) -> float:
    """The target with the sides that are not allowed read as flat."""
    side = float(target)
    if (side > 0.0 and settings[k.ALLOW_LONG] == 0.0) or (side < 0.0 and settings[k.ALLOW_SHORT] == 0.0):
        return 0.0
    return side


@jit_inlined
def fill_order(
    account: Float64Array1D,
    settings: Float64Array1D,
    bars: Float64Array2D,
    atr: Float64Array1D,
    bar: int,
    signal_bar: int,
    side: float,
    acts: bool,
    may_enter: bool,
    exits: bool,
    pnl: Float64Array1D,
    trades: Float64Array2D,
) -> None:
    """Bring the position to ``side`` at the bar's open or close; a reversal closes, then opens, at the same price."""
    raw_price = bars[CLOSE, bar] if settings[k.SAME_CLOSE] != 0.0 else bars[OPEN, bar]
    slippage = settings[k.SLIPPAGE]
    units = account[k.UNITS]
    if units != 0.0:
        if acts and units * side <= 0.0:
            close_position(account, settings, bar, raw_price, slippage, k.EXIT_SIGNAL, pnl, trades)
        elif 0.0 < settings[k.MAX_HOLDING_BARS] <= bar - account[k.ENTRY_BAR]:
            close_position(account, settings, bar, raw_price, slippage, k.EXIT_MAX_HOLDING, pnl, trades)
            return
    if side != 0.0 and acts and may_enter and account[k.UNITS] == 0.0:
        open_position(account, settings, bars, atr, bar, signal_bar, raw_price, side)
        if exits and account[k.UNITS] != 0.0:
            set_calm_range(account, settings)


@jit_inlined
def trade_bar(
    account: Float64Array1D,
    settings: Float64Array1D,
    bars: Float64Array2D,
    atr: Float64Array1D,
    bar: int,
    signal_bar: int,
    side: float,
    changed: bool,
    is_last: bool,
    exits: bool,
    pnl: Float64Array1D,
    trades: Float64Array2D,
) -> None:
    """Everything that may happen to the account inside one bar, in the order that the module describes.

    ``side`` is the allowed target known at ``signal_bar``; ``changed`` says that it differs from the one before;
    ``exits`` that the settings hold a stop, a limit of time or a margin, without which nothing of them needs to be looked at.
    """
    same_close, final = settings[k.SAME_CLOSE] != 0.0, settings[k.FINAL]
    acts = changed or settings[k.REENTRY] == k.REENTRY_FOLLOW_TARGET
    may_enter = not is_last or final == k.FINAL_MARK or (final == k.FINAL_CLOSE and not same_close)
    if account[k.UNITS] != 0.0 and settings[k.BORROW_RATE] > 0.0:
        charge_borrowing(account, settings, bars, bar)
    if is_last and final == k.FINAL_LAST_OPEN and account[k.UNITS] != 0.0:
        close_position(account, settings, bar, bars[OPEN, bar], settings[k.SLIPPAGE], k.EXIT_FINAL, pnl, trades)
    if not same_close:
        fill_order(account, settings, bars, atr, bar, signal_bar, side, acts, may_enter, exits, pnl, trades)
    if exits and account[k.UNITS] != 0.0:
        stops_act = bar > account[k.ENTRY_BAR] or settings[k.STOP_FROM_NEXT_BAR] == 0.0
        reason, price = exit_inside_bar(account, settings, bars, bar, stops_act)
        if reason == k.STILL_OPEN:
            extend_extreme(account, settings, bars, bar)
        else:
            slippage = settings[k.SLIPPAGE] if settings[k.SLIP_ON_STOPS] != 0.0 else 0.0
            close_position(account, settings, bar, price, slippage, reason, pnl, trades)
            account[k.LIQUIDATIONS] += 1.0 if reason == k.EXIT_LIQUIDATION else 0.0
            may_enter = may_enter and settings[k.REENTRY] == k.REENTRY_SAME_BAR
    if same_close:
        fill_order(account, settings, bars, atr, bar, signal_bar, side, acts, may_enter, exits, pnl, trades)
    if is_last and final == k.FINAL_CLOSE and account[k.UNITS] != 0.0:
        close_position(account, settings, bar, bars[CLOSE, bar], settings[k.SLIPPAGE], k.EXIT_FINAL, pnl, trades)


@jit_bare
def simulate(
    bars: Float64Array2D,
    target: Int8Array1D,
    start: int,
    stop: int,
    settings: Float64Array1D,
    atr: Float64Array1D,
    account: Float64Array1D,
    equity: Float64Array1D,
    pnl: Float64Array1D,
    trades: Float64Array2D,
) -> None:
    """Simulate the window [start, stop): flat with the initial cash before it.

    Under ``next_open`` the target known at bar ``start - 1`` is acted on at the open of bar ``start``.

    Parameters
    ----------
    bars : float64 (6, n), read-only
        Rows of ``kernels.arrays``.
    target : int8 (n,)
        -1, 0 or 1, known at the close of its bar.
    settings : float64 (SETTINGS,)
        Costs and execution, positions named in ``engine_codes``.
    atr : float64 (n,) or (0,)
        Average true range in price units; empty when no distance is in ATR.
    account : float64 (ACCOUNT,), out
        Totals of the run.
    equity : float64 (stop - start,), out
        Cash plus position at each close, in money.
    pnl : float64 (stop - start,), out
        Net profit of the closed trades, the first ``account[CLOSED_TRADES]`` values.
    trades : float64 (stop - start + 1, TRADE_COLUMNS) or (0, TRADE_COLUMNS), out
        One row a trade, the open one last; empty to leave them out.
    """
    account[:] = 0.0
    account[k.CASH] = settings[k.INITIAL_CASH]
    account[k.BANKRUPT_BAR] = -1.0
    lag = 0 if settings[k.SAME_CLOSE] != 0.0 else 1
    follows = settings[k.REENTRY] == k.REENTRY_FOLLOW_TARGET
    borrows, exits = settings[k.BORROW_RATE] > 0.0, True
    low, high, close = bars[LOW], bars[HIGH], bars[CLOSE]
    cash, units, known, side = account[k.CASH], 0.0, 0, 0.0
    calm_low, calm_high, due_bar = -math.inf, math.inf, stop
    bars_held, weight_sum = 0, 0.0
    for bar in range(start, stop):
        now = target[bar - lag] if bar >= lag else 0
        quiet = now == known and bar < stop - 1
        if quiet and units != 0.0:
            quiet = calm_low < low[bar] and high[bar] < calm_high and bar < due_bar and not borrows
        elif quiet and follows:
            quiet = side == 0.0
        if not quiet:
            before, side = side, allowed_side(now, settings)
            is_last = bar == stop - 1
            trade_bar(account, settings, bars, atr, bar, bar - lag, side, side != before, is_last, exits, pnl, trades)
            known, cash, units = now, account[k.CASH], account[k.UNITS]
            calm_low, calm_high = account[k.CALM_LOW], account[k.CALM_HIGH]
            if settings[k.MAX_HOLDING_BARS] > 0.0:
                due_bar = int(account[k.ENTRY_BAR] + settings[k.MAX_HOLDING_BARS])
        worth = cash + units * close[bar]
        if worth <= 0.0:
            end_in_bankruptcy(account, settings, bars, bar, pnl, trades)
            equity[bar - start :] = account[k.CASH]
            units = 0.0
            break
        equity[bar - start] = worth
        if units != 0.0:
            bars_held += 1
            weight_sum += abs(units) * close[bar] / worth
    account[k.BARS_IN_POSITION], account[k.WEIGHT_SUM] = bars_held, weight_sum
    if units != 0.0:
        account[k.OPEN_TRADES] = 1.0
        record_trade(account, stop - 1, close[stop - 1], 0.0, k.STILL_OPEN, pnl, trades)


@jit_bare
def end_in_bankruptcy(
    account: Float64Array1D,
    settings: Float64Array1D,
    bars: Float64Array2D,
    bar: int,
    pnl: Float64Array1D,
    trades: Float64Array2D,
) -> None:
    """Close what is held at the bar's close; what is left, a debt included, stays to the end of the window."""
    account[k.BANKRUPT_BAR] = bar
    if account[k.UNITS] != 0.0:
        close_position(account, settings, bar, bars[CLOSE, bar], settings[k.SLIPPAGE], k.EXIT_BANKRUPTCY, pnl, trades)
