"""Names for the numbers that the engine's kernels read and write: settings in, account state, trade columns, codes.

Kernels take one float64 vector of settings instead of thirty scalars: it costs one argument to pass and never recompiles.
"""

from __future__ import annotations

# settings (float64, SETTINGS): costs and execution; rates are fractions, a distance of 0 is off
(
    INITIAL_CASH,
    FEE_RATE,
    SLIPPAGE,
    FIXED_FEE,
    MINIMUM_FEE,
    SLIP_ON_STOPS,
    BORROW_RATE,
    SAME_CLOSE,
    LOT,
    SIZING,
    SIZE,
    STOP_FROM_NEXT_BAR,
    STOP_REF_SIGNAL_CLOSE,
    REENTRY,
    FINAL,
    ALLOW_LONG,
    ALLOW_SHORT,
    STOP_LOSS_PCT,
    STOP_LOSS_ATR,
    TAKE_PROFIT_PCT,
    TAKE_PROFIT_ATR,
    TRAILING_STOP_PCT,
    TRAILING_STOP_ATR,
    MAX_HOLDING_BARS,
    LEVERAGE,
    MAINTENANCE_MARGIN,
    VOLATILITY_BARS,
    PERIODS_PER_YEAR,
) = range(28)
SETTINGS = 28

# values of settings[SIZING], settings[REENTRY], settings[FINAL]
ALL_IN, FIXED_UNITS, FIXED_NOTIONAL, RISK_PER_STOP, VOLATILITY_TARGET = range(5)
REENTRY_NEXT_BAR, REENTRY_SAME_BAR, REENTRY_FOLLOW_TARGET = range(3)
FINAL_MARK, FINAL_CLOSE, FINAL_LAST_OPEN = range(3)

# account (float64, ACCOUNT): the open position, then totals of the whole run
(
    CASH,
    UNITS,
    ENTRY_BAR,
    ENTRY_PRICE,
    ENTRY_FEE,
    ENTRY_BORROW,
    STOP_LEVEL,
    PROFIT_LEVEL,
    TRAIL_FRACTION,
    TRAIL_DISTANCE,
    EXTREME,
    CALM_LOW,
    CALM_HIGH,
    CLOSED_TRADES,
    OPEN_TRADES,
    SKIPPED_ORDERS,
    LIQUIDATIONS,
    BANKRUPT_BAR,
    FEES_PAID,
    BORROW_PAID,
    TRADED_WEIGHT,
    BARS_IN_POSITION,
    WEIGHT_SUM,
) = range(23)
ACCOUNT = 23

# columns of the trades matrix (float64, one row a trade)
(
    TRADE_ENTRY_BAR,
    TRADE_EXIT_BAR,
    TRADE_SIDE,
    TRADE_SIZE,
    TRADE_ENTRY_PRICE,
    TRADE_EXIT_PRICE,
    TRADE_FEES,
    TRADE_BORROW,
    TRADE_PNL,
    TRADE_RETURN,
    TRADE_REASON,
    TRADE_OPEN,
) = range(12)
TRADE_COLUMNS = 12

# values of trades[:, TRADE_REASON]
(
    STILL_OPEN,
    EXIT_SIGNAL,
    EXIT_STOP_LOSS,
    EXIT_TRAILING_STOP,
    EXIT_TAKE_PROFIT,
    EXIT_MAX_HOLDING,
    EXIT_LIQUIDATION,
    EXIT_BANKRUPTCY,
    EXIT_FINAL,
) = range(9)
EXIT_REASONS = (
    "open",
    "signal",
    "stop_loss",
    "trailing_stop",
    "take_profit",
    "max_holding",
    "liquidation",
    "bankruptcy",
    "final",
)
