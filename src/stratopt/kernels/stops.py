"""Exits inside a bar: stop loss, trailing stop, take profit, liquidation. Bare arrays; nothing here checks its input."""

from __future__ import annotations

import math

from stratopt.kernels import engine_codes as k
from stratopt.kernels.arrays import CLOSE, HIGH, LOW, OPEN, OPEN_TIME, Float64Array1D, Float64Array2D
from stratopt.kernels.jit import jit_inlined

MILLISECONDS_PER_YEAR = 365.25 * 86_400_000.0


@jit_inlined
def trailing_level(account: Float64Array1D) -> float:
    """Price of the trailing stop behind the extreme reached so far; NaN where it is off."""
    side = 1.0 if account[k.UNITS] > 0.0 else -1.0
    distance = account[k.EXTREME] * account[k.TRAIL_FRACTION] + account[k.TRAIL_DISTANCE]
    return account[k.EXTREME] - side * distance if distance > 0.0 else math.nan


@jit_inlined
def set_calm_range(account: Float64Array1D, settings: Float64Array1D) -> None:
    """Prices between which a bar can neither trigger an exit nor move the extreme; the engine looks no further at such bars.

    A margin call moves with every charge, so that nothing is calm where it may happen.
    """
    if settings[k.LEVERAGE] > 1.0 or settings[k.MAINTENANCE_MARGIN] > 0.0:
        account[k.CALM_LOW], account[k.CALM_HIGH] = math.inf, -math.inf
        return
    side = 1.0 if account[k.UNITS] > 0.0 else -1.0
    near, far = -math.inf, math.inf
    if not math.isnan(account[k.STOP_LEVEL]):
        near = side * account[k.STOP_LEVEL]
    if not math.isnan(account[k.PROFIT_LEVEL]):
        far = side * account[k.PROFIT_LEVEL]
    trail = trailing_level(account)
    if not math.isnan(trail):
        near, far = max(near, side * trail), min(far, side * account[k.EXTREME])
    account[k.CALM_LOW] = near if side > 0.0 else -far
    account[k.CALM_HIGH] = far if side > 0.0 else -near


@jit_inlined
def extend_extreme(account: Float64Array1D, settings: Float64Array1D, bars: Float64Array2D, bar: int) -> None:
    """Move the extreme that the trailing stop follows; called after the bar's stops were checked."""
    if account[k.UNITS] > 0.0:
        account[k.EXTREME] = max(account[k.EXTREME], bars[HIGH, bar])
    else:
        account[k.EXTREME] = min(account[k.EXTREME], bars[LOW, bar])
    set_calm_range(account, settings)


@jit_inlined
def liquidation_level(account: Float64Array1D, margin: float) -> float:
    """Price at which equity equals ``margin`` times the position's value: for a long below it, for a short above it."""
    units = account[k.UNITS]
    if units > 0.0:
        return -account[k.CASH] / (units * (1.0 - margin))
    return account[k.CASH] / (-units * (1.0 + margin))


@jit_inlined
def exit_inside_bar(
    account: Float64Array1D, settings: Float64Array1D, bars: Float64Array2D, bar: int, stops_act: bool
) -> tuple[int, float]:
    """Reason and price, before slippage, at which the open position leaves inside ``bar``; reason STILL_OPEN if it stays.

    The stop comes before the profit whenever the bar reaches both: the order inside a bar is not known, so the worse is taken.
    A level that the open has already passed fills at the open. Prices are compared as side * price, so that one rule serves
    longs and shorts.
    """
    side = 1.0 if account[k.UNITS] > 0.0 else -1.0
    first = side * bars[OPEN, bar]
    worst = bars[LOW, bar] if side > 0.0 else -bars[HIGH, bar]
    best = bars[HIGH, bar] if side > 0.0 else -bars[LOW, bar]
    stop, reason = -math.inf, k.STILL_OPEN
    if stops_act:
        if not math.isnan(account[k.STOP_LEVEL]):
            stop, reason = side * account[k.STOP_LEVEL], k.EXIT_STOP_LOSS
        trail = side * trailing_level(account)
        if trail > stop:
            stop, reason = trail, k.EXIT_TRAILING_STOP
    if settings[k.LEVERAGE] > 1.0 or settings[k.MAINTENANCE_MARGIN] > 0.0:
        margin_call = side * liquidation_level(account, settings[k.MAINTENANCE_MARGIN])
        if worst <= margin_call and stop <= margin_call:
            return k.EXIT_LIQUIDATION, side * worst
    if reason != k.STILL_OPEN and worst <= stop:
        return reason, side * min(first, stop)
    if stops_act and not math.isnan(account[k.PROFIT_LEVEL]):
        profit = side * account[k.PROFIT_LEVEL]
        if best >= profit:
            return k.EXIT_TAKE_PROFIT, side * max(first, profit)
    return k.STILL_OPEN, math.nan


@jit_inlined
def charge_borrowing(account: Float64Array1D, settings: Float64Array1D, bars: Float64Array2D, bar: int) -> None:
    """Charge the borrow rate from the previous bar's open stamp to this one's on what is borrowed.

    A short borrows its shares (valued at the previous close), a leveraged long the cash below zero.
    """
    units = account[k.UNITS]
    borrowed = -units * bars[CLOSE, bar - 1] if units < 0.0 else max(-account[k.CASH], 0.0)
    years = (bars[OPEN_TIME, bar] - bars[OPEN_TIME, bar - 1]) / MILLISECONDS_PER_YEAR
    charge = settings[k.BORROW_RATE] * years * borrowed
    account[k.CASH] -= charge
    account[k.ENTRY_BORROW] += charge
    account[k.BORROW_PAID] += charge
