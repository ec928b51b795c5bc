"""Opening and closing one position: price, fee, size, cash. Bare arrays; nothing here checks its input."""

from __future__ import annotations

import math

from stratopt.kernels import engine_codes as k
from stratopt.kernels.arrays import CLOSE, Float64Array1D, Float64Array2D
from stratopt.kernels.jit import jit_bare, jit_inlined


@jit_inlined
def fee(settings: Float64Array1D, notional: float) -> float:
    """The fee of one side, in money: rate times notional plus the fixed part, at least the minimum."""
    return max(settings[k.FEE_RATE] * notional + settings[k.FIXED_FEE], settings[k.MINIMUM_FEE])


@jit_inlined
def affordable_units(settings: Float64Array1D, budget: float, price: float) -> float:
    """The most units that ``budget`` pays for, the fee of the fill included."""
    units = (budget - settings[k.FIXED_FEE]) / (price * (1.0 + settings[k.FEE_RATE]))
    if settings[k.FEE_RATE] * units * price + settings[k.FIXED_FEE] < settings[k.MINIMUM_FEE]:
        units = (budget - settings[k.MINIMUM_FEE]) / price
    return units


@jit_bare
def annual_volatility(bars: Float64Array2D, bar: int, count: int, periods_per_year: float) -> float:
    """Standard deviation (ddof 1) of the last ``count`` log returns up to ``bar``, annualised; NaN without enough history."""
    if bar < count:
        return math.nan
    mean = math.log(bars[CLOSE, bar] / bars[CLOSE, bar - count]) / count
    squares = 0.0
    for i in range(bar - count + 1, bar + 1):
        squares += (math.log(bars[CLOSE, i] / bars[CLOSE, i - 1]) - mean) ** 2
    return math.sqrt(squares / (count - 1) * periods_per_year)


@jit_inlined
def position_size(
    settings: Float64Array1D, cash: float, price: float, stop_distance: float, volatility: float
) -> float:
    """Units to trade, floored to the lot; 0 where the order is not possible.

    A fixed size that the account cannot pay for is refused; the sizes that follow risk are capped at what it can.
    """
    sizing, size = settings[k.SIZING], settings[k.SIZE]
    limit = affordable_units(settings, settings[k.LEVERAGE] * cash, price)
    if sizing == k.ALL_IN and size == 1.0:
        units = limit
    elif sizing == k.ALL_IN:
        units = affordable_units(settings, size * settings[k.LEVERAGE] * cash, price)
    elif sizing == k.FIXED_UNITS:
        units = size
    elif sizing == k.FIXED_NOTIONAL:
        units = size / price
    elif sizing == k.RISK_PER_STOP:
        units = min(size * cash / stop_distance, limit) if stop_distance > 0.0 else 0.0
    elif volatility > 0.0:
        units = min(size * cash / (volatility * price), limit)
    else:
        units = limit if volatility == 0.0 else 0.0
    if units > limit * (1.0 + 1e-12):
        return 0.0
    if settings[k.LOT] > 0.0:
        units = units // settings[k.LOT] * settings[k.LOT]
    return units if units > 0.0 else 0.0


@jit_inlined
def open_position(
    account: Float64Array1D,
    settings: Float64Array1D,
    bars: Float64Array2D,
    atr: Float64Array1D,
    bar: int,
    signal_bar: int,
    raw_price: float,
    side: float,
) -> None:
    """Open a position of ``side`` at ``raw_price`` plus slippage, or count a skipped order.

    An ATR distance whose ATR is not known at the signal refuses the order: an entry without its stop is not what was asked.
    """
    price = raw_price * (1.0 + side * settings[k.SLIPPAGE])
    reference = bars[CLOSE, signal_bar] if settings[k.STOP_REF_SIGNAL_CLOSE] != 0.0 else price
    stop = reference * settings[k.STOP_LOSS_PCT]
    profit = reference * settings[k.TAKE_PROFIT_PCT]
    trail = 0.0
    if settings[k.STOP_LOSS_ATR] + settings[k.TAKE_PROFIT_ATR] + settings[k.TRAILING_STOP_ATR] > 0.0:
        stop += settings[k.STOP_LOSS_ATR] * atr[signal_bar]
        profit += settings[k.TAKE_PROFIT_ATR] * atr[signal_bar]
        trail = settings[k.TRAILING_STOP_ATR] * atr[signal_bar]
    nearest = trail + settings[k.TRAILING_STOP_PCT] * reference
    if stop > 0.0 and (nearest == 0.0 or stop < nearest):
        nearest = stop
    volatility = 0.0
    if settings[k.SIZING] == k.VOLATILITY_TARGET:
        volatility = annual_volatility(bars, signal_bar, int(settings[k.VOLATILITY_BARS]), settings[k.PERIODS_PER_YEAR])
    units = position_size(settings, account[k.CASH], price, side * (price - reference) + nearest, volatility)
    if units == 0.0 or math.isnan(stop + profit + trail):
        account[k.SKIPPED_ORDERS] += 1.0
        return
    cost = fee(settings, units * price)
    account[k.TRADED_WEIGHT] += units * price / account[k.CASH]
    account[k.CASH] -= side * units * price + cost
    account[k.FEES_PAID] += cost
    account[k.UNITS] = side * units
    account[k.ENTRY_BAR] = bar
    account[k.ENTRY_PRICE] = price
    account[k.ENTRY_FEE] = cost
    account[k.ENTRY_BORROW] = 0.0
    account[k.STOP_LEVEL] = reference - side * stop if stop > 0.0 else math.nan
    account[k.PROFIT_LEVEL] = reference + side * profit if profit > 0.0 else math.nan
    account[k.TRAIL_FRACTION] = settings[k.TRAILING_STOP_PCT]
    account[k.TRAIL_DISTANCE] = trail
    account[k.EXTREME] = reference


@jit_inlined
def close_position(
    account: Float64Array1D,
    settings: Float64Array1D,
    bar: int,
    raw_price: float,
    slippage: float,
    reason: int,
    pnl: Float64Array1D,
    trades: Float64Array2D,
) -> None:
    """Close the open position at ``raw_price`` worsened by ``slippage`` (a fraction) and record the trade."""
    units = account[k.UNITS]
    side = 1.0 if units > 0.0 else -1.0
    price = raw_price * (1.0 - side * slippage)
    notional = abs(units) * price
    cost = fee(settings, notional)
    worth = account[k.CASH] + units * price
    if worth > 0.0:
        account[k.TRADED_WEIGHT] += notional / worth
    account[k.CASH] += units * price - cost
    account[k.FEES_PAID] += cost
    record_trade(account, bar, price, cost, reason, pnl, trades)
    account[k.CLOSED_TRADES] += 1.0
    account[k.UNITS] = 0.0


@jit_inlined
def record_trade(
    account: Float64Array1D,
    bar: int,
    price: float,
    exit_fee: float,
    reason: int,
    pnl: Float64Array1D,
    trades: Float64Array2D,
) -> None:
    """Write the trade's row (when ``trades`` has rows) and its net profit; a trade still open is marked at ``price``."""
    row = int(account[k.CLOSED_TRADES])
    units = account[k.UNITS]
    profit = units * (price - account[k.ENTRY_PRICE]) - account[k.ENTRY_FEE] - exit_fee - account[k.ENTRY_BORROW]
    if reason != k.STILL_OPEN:
        pnl[row] = profit
    if trades.shape[0] == 0:
        return
    trade = trades[row]
    trade[k.TRADE_ENTRY_BAR] = account[k.ENTRY_BAR]
    trade[k.TRADE_EXIT_BAR] = bar
    trade[k.TRADE_SIDE] = 1.0 if units > 0.0 else -1.0
    trade[k.TRADE_SIZE] = abs(units)
    trade[k.TRADE_ENTRY_PRICE] = account[k.ENTRY_PRICE]
    trade[k.TRADE_EXIT_PRICE] = price
    trade[k.TRADE_FEES] = account[k.ENTRY_FEE] + exit_fee
    trade[k.TRADE_BORROW] = account[k.ENTRY_BORROW]
    trade[k.TRADE_PNL] = profit
    trade[k.TRADE_RETURN] = profit / (abs(units) * account[k.ENTRY_PRICE])
    trade[k.TRADE_REASON] = reason
    trade[k.TRADE_OPEN] = 1.0 if reason == k.STILL_OPEN else 0.0
