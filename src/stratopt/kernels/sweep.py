"""Scores of many target rows in one compiled call, paying for what happens instead of for bars.

A row costs its *events*: bars at which the target changes, a stop may act or the window ends. There the account goes through
``simulate.trade_bar``, so that fills and trades are those of ``simulate`` to the last digit; the bars between two events are one
span (``kernels.spans``). Rows that are long with all money or flat take a shorter way (``kernels.long_only``). Tried before: one
fused loop over all bars (2.5 times slower), sixteen rows in lanes (3.4 times).
"""

from __future__ import annotations

from stratopt.kernels import engine_codes as k
from stratopt.kernels import spans
from stratopt.kernels.arrays import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    AnyArray,
    Float64Array1D,
    Float64Array2D,
    Int8Array1D,
    Int32Array1D,
    Int64Array1D,
)
from stratopt.kernels.changes import fill_changes, target_changes
from stratopt.kernels.crossings import list_crossings
from stratopt.kernels.jit import jit_bare, jit_inlined
from stratopt.kernels.long_only import never_short, run_long_only
from stratopt.kernels.scoring import account_scores, growth_of_end, ratios_of_sums, score, trade_scores
from stratopt.kernels.simulate import allowed_side, trade_bar

# variance below this share of the mean square is taken by the exact two-pass formula: too many digits would cancel
CANCELLATION = 0.05


@jit_inlined
def next_restless_bar(account: Float64Array1D, bars: Float64Array2D, first: int, stop: int) -> int:
    """First bar of [first, stop) that leaves the calm range of the open position, or ``stop``."""
    calm_low, calm_high = account[k.CALM_LOW], account[k.CALM_HIGH]
    low, high = bars[LOW], bars[HIGH]
    bar = first
    while bar + 8 <= stop:
        restless = False
        for other in range(bar, bar + 8):
            restless |= (low[other] <= calm_low) | (high[other] >= calm_high)
        if restless:
            break
        bar += 8
    while bar < stop and calm_low < low[bar] and high[bar] < calm_high:
        bar += 1
    return bar


@jit_inlined
def has_exits(settings: Float64Array1D) -> bool:
    """Whether a position can change between two changes of the target."""
    return (
        settings[k.STOP_LOSS_PCT]
        + settings[k.STOP_LOSS_ATR]
        + settings[k.TAKE_PROFIT_PCT]
        + settings[k.TAKE_PROFIT_ATR]
        + settings[k.TRAILING_STOP_PCT]
        + settings[k.TRAILING_STOP_ATR]
        + settings[k.MAX_HOLDING_BARS]
        + settings[k.BORROW_RATE]
        + settings[k.MAINTENANCE_MARGIN]
        + (settings[k.LEVERAGE] - 1.0)
        > 0.0
    )


@jit_inlined
def orders_are_plain(settings: Float64Array1D) -> bool:
    """Whether every order spends or sells everything at one rate, and nothing but a changed target gives one."""
    return (
        not has_exits(settings)
        and settings[k.REENTRY] != k.REENTRY_FOLLOW_TARGET
        and settings[k.SIZING] == k.ALL_IN
        and settings[k.SIZE] == 1.0
        and settings[k.LOT] + settings[k.FIXED_FEE] + settings[k.MINIMUM_FEE] == 0.0
    )


@jit_inlined
def run_plain_events(
    bars: Float64Array2D,
    where: Int32Array1D,
    target: Int8Array1D,
    change: int,
    change_count: int,
    now: int,
    start: int,
    stop: int,
    settings: Float64Array1D,
    windows: Float64Array2D,
    table: AnyArray,
    sums: Float64Array2D,
    closes: Float64Array1D,
    period_at: Int64Array1D,
    account: Float64Array1D,
    tally: Float64Array1D,
    pnl: Float64Array1D,
    blocks: Float64Array2D,
) -> tuple[bool, int, int, int]:
    """The events before the window's last bar where orders are plain: the arithmetic of ``orders``, kept in registers.

    ``now`` is the target known at ``start``. Returns whether there was always wealth, the next change, the last target, and the
    first bar that is not yet part of a span.
    """
    close, rate, slippage = bars[CLOSE], settings[k.FEE_RATE], settings[k.SLIPPAGE]
    fills, lag = (bars[CLOSE], 0) if settings[k.SAME_CLOSE] != 0.0 else (bars[OPEN], 1)
    cash, units, side, entry_price, entry_fee = account[k.CASH], 0.0, 0.0, 0.0, 0.0
    fees, traded, trade, begun, bar = 0.0, 0.0, 0, start, start
    while True:
        wanted = allowed_side(now, settings)
        if wanted != side:
            if bar > begun and not spans.add_span(
                tally, close, windows, table, sums, closes, period_at, start, begun, bar, cash, units, blocks
            ):
                return False, change, now, begun
            begun = bar
            if units != 0.0:
                price = fills[bar] * (1.0 - side * slippage)
                cost = rate * (abs(units) * price)
                worth = cash + units * price
                if worth <= 0.0:
                    return False, change, now, begun
                traded += abs(units) * price / worth
                cash += units * price - cost
                fees += cost
                pnl[trade] = units * (price - entry_price) - entry_fee - cost - 0.0
                trade += 1
                units = 0.0
            if wanted != 0.0:
                entry_price = fills[bar] * (1.0 + wanted * slippage)
                size = cash / (entry_price * (1.0 + rate))
                if not size > 0.0:
                    return False, change, now, begun
                entry_fee = rate * (size * entry_price)
                traded += size * entry_price / cash
                cash -= wanted * size * entry_price + entry_fee
                fees += entry_fee
                units = wanted * size
                account[k.ENTRY_BAR] = bar
            side = wanted
        if change >= change_count or where[change] + lag >= stop - 1:
            break
        now, bar = target[change], where[change] + lag
        change += 1
    account[k.CASH], account[k.UNITS], account[k.CLOSED_TRADES] = cash, units, trade
    account[k.ENTRY_PRICE], account[k.ENTRY_FEE] = entry_price, entry_fee
    account[k.FEES_PAID], account[k.TRADED_WEIGHT] = fees, traded
    return True, change, now, begun


@jit_inlined
def run_events(
    bars: Float64Array2D,
    where: Int32Array1D,
    target: Int8Array1D,
    change_count: int,
    start: int,
    stop: int,
    settings: Float64Array1D,
    atr: Float64Array1D,
    windows: Float64Array2D,
    table: AnyArray,
    sums: Float64Array2D,
    closes: Float64Array1D,
    period_at: Int64Array1D,
    account: Float64Array1D,
    tally: Float64Array1D,
    pnl: Float64Array1D,
    no_trades: Float64Array2D,
    blocks: Float64Array2D,
) -> bool:
    """Simulate the window over its events; False, with nothing usable written, if the wealth was gone at a close."""
    account[:] = 0.0
    account[k.CASH] = settings[k.INITIAL_CASH]
    account[k.BANKRUPT_BAR] = -1.0
    spans.begin(tally, settings[k.INITIAL_CASH], closes.size, blocks)
    lag = 0 if settings[k.SAME_CLOSE] != 0.0 else 1
    exits, borrows = has_exits(settings), settings[k.BORROW_RATE] > 0.0
    follows = settings[k.REENTRY] == k.REENTRY_FOLLOW_TARGET
    close = bars[CLOSE]
    change, now, side = 0, 0, 0.0
    while change < change_count and where[change] + lag < start:
        now = target[change]
        change += 1
    bar, begun = start, start
    if stop - start > 1 and orders_are_plain(settings):
        if change < change_count and where[change] + lag == start:
            now = target[change]
            change += 1
        wealthy, change, now, begun = run_plain_events(
            bars, where, target, change, change_count, now, start, stop, settings, windows, table, sums, closes, period_at,
            account, tally, pnl, blocks,
        )  # fmt: skip
        if not wealthy:
            return False
        bar, side = stop - 1, allowed_side(now, settings)
    elif now == 0 or (change < change_count and where[change] + lag == start):
        bar = min(where[change] + lag, stop - 1) if change < change_count else stop - 1
    while True:
        if bar > begun and not spans.add_span(
            tally, close, windows, table, sums, closes, period_at, start, begun, bar,
            account[k.CASH], account[k.UNITS], blocks,
        ):  # fmt: skip
            return False
        if change < change_count and where[change] + lag == bar:
            now = target[change]
            change += 1
        before, side = side, allowed_side(now, settings)
        trade_bar(
            account, settings, bars, atr, bar, bar - lag, side, side != before, bar == stop - 1, exits, pnl, no_trades
        )
        begun = bar
        if bar == stop - 1:
            break
        due = min(where[change] + lag, stop - 1) if change < change_count else stop - 1
        if account[k.UNITS] != 0.0:
            if exits and due > bar + 1:
                if settings[k.MAX_HOLDING_BARS] > 0.0:
                    due = min(due, max(int(account[k.ENTRY_BAR] + settings[k.MAX_HOLDING_BARS]), bar + 1))
                due = bar + 1 if borrows else next_restless_bar(account, bars, bar + 1, due)
        elif follows and side != 0.0:
            due = bar + 1
        bar = due
    return spans.add_span(
        tally, close, windows, table, sums, closes, period_at, start, begun, stop,
        account[k.CASH], account[k.UNITS], blocks,
    )  # fmt: skip


@jit_inlined
def write_scores(
    account: Float64Array1D,
    tally: Float64Array1D,
    pnl: Float64Array1D,
    close: Float64Array1D,
    start: int,
    stop: int,
    initial_cash: float,
    period_count: int,
    periods_per_year: float,
    years: float,
    blocks: Float64Array2D,
    out: Float64Array1D,
) -> bool:
    """Scores from the tally; False where the variance would lose its digits."""
    while int(tally[spans.BLOCK]) < blocks.shape[1]:
        spans.end_block(tally, blocks)
    gains, losses = tally[spans.WINDOW_GAINS], tally[spans.WINDOW_LOSSES]
    squares = tally[spans.WINDOW_SQUARES]
    around_mean = squares - (gains - losses) * (gains - losses) / period_count
    if squares > 0.0 and around_mean < CANCELLATION * squares:
        return False
    account[k.BARS_IN_POSITION] = tally[spans.BARS_HELD]
    account[k.OPEN_TRADES] = 1.0 if account[k.UNITS] != 0.0 else 0.0
    ratios_of_sums(gains, losses, tally[spans.WINDOW_BELOW], around_mean, period_count, periods_per_year, out)
    trade_scores(pnl, int(account[k.CLOSED_TRADES]), out)
    final_equity = account[k.CASH] + account[k.UNITS] * close[stop - 1]
    drawdown = tally[spans.LOW_RATIO] - 1.0
    growth_of_end(final_equity, drawdown, initial_cash, period_count, periods_per_year, years, out)
    account_scores(account, stop - start, years, out)
    return True


@jit_inlined
def score_long_only(
    bars: Float64Array2D,
    where: Int32Array1D,
    change_count: int,
    start: int,
    stop: int,
    settings: Float64Array1D,
    windows: Float64Array2D,
    table: AnyArray,
    sums: Float64Array2D,
    closes: Float64Array1D,
    pairs: Float64Array1D,
    rests: Float64Array2D,
    block_at: Int64Array1D,
    wholes: Float64Array2D,
    periods_per_year: float,
    years: float,
    account: Float64Array1D,
    tally: Float64Array1D,
    pnl: Float64Array1D,
    held_after: Float64Array1D,
    rises: Float64Array2D,
    blocks: Float64Array2D,
    out: Float64Array1D,
) -> bool:
    """``score_changes`` of a row that ``long_only`` can run; expanded in its callers, because handing over the arrays shows."""
    return run_long_only(
        bars, where, change_count, start, stop, settings, windows, table, pairs, sums, rests, block_at, wholes,
        account, tally, pnl, held_after, rises, blocks,
    ) and write_scores(
        account, tally, pnl, bars[CLOSE], start, stop, settings[k.INITIAL_CASH], closes.size,
        periods_per_year, years, blocks, out,
    )  # fmt: skip


@jit_bare
def score_changes(
    bars: Float64Array2D,
    where: Int32Array1D,
    target: Int8Array1D,
    change_count: int,
    start: int,
    stop: int,
    settings: Float64Array1D,
    atr: Float64Array1D,
    windows: Float64Array2D,
    table: AnyArray,
    sums: Float64Array2D,
    closes: Float64Array1D,
    period_at: Int64Array1D,
    periods_per_year: float,
    years: float,
    account: Float64Array1D,
    tally: Float64Array1D,
    pnl: Float64Array1D,
    no_trades: Float64Array2D,
    blocks: Float64Array2D,
    out: Float64Array1D,
) -> bool:
    """Scores of one list of target changes; False where only the bar-by-bar engine gives them (see ``score_targets``)."""
    if not run_events(
        bars, where, target, change_count, start, stop, settings, atr, windows, table, sums, closes, period_at,
        account, tally, pnl, no_trades, blocks,
    ):  # fmt: skip
        return False
    return write_scores(
        account, tally, pnl, bars[CLOSE], start, stop, settings[k.INITIAL_CASH], closes.size,
        periods_per_year, years, blocks, out,
    )  # fmt: skip


@jit_bare
def score_targets(
    bars: Float64Array2D,
    targets: AnyArray,
    words: AnyArray,
    start: int,
    stop: int,
    settings: Float64Array1D,
    atr: Float64Array1D,
    windows: Float64Array2D,
    table: AnyArray,
    sums: Float64Array2D,
    closes: Float64Array1D,
    period_ends: Int64Array1D,
    period_at: Int64Array1D,
    pairs: Float64Array1D,
    rests: Float64Array2D,
    block_at: Int64Array1D,
    wholes: Float64Array2D,
    periods_per_year: float,
    years: float,
    where: Int32Array1D,
    target: Int8Array1D,
    account: Float64Array1D,
    tally: Float64Array1D,
    equity: Float64Array1D,
    returns: Float64Array1D,
    pnl: Float64Array1D,
    no_trades: Float64Array2D,
    held_after: Float64Array1D,
    rises: Float64Array2D,
    blocks: AnyArray,
    out: Float64Array2D,
) -> None:
    """Scores of many target rows over one window; equal to ``scoring.score`` of each row.

    Bankruptcy and returns that hardly vary go through ``scoring.score``, bar by bar.

    Parameters
    ----------
    bars : float64 (6, n), read-only
    targets : int8 (R, padded n)
        Rows of targets, padded to whole words; ``words`` is the same memory as uint64 (R, padded n / 8).
    windows, table
        ``extremes.extreme_tables`` of the closes.
    sums : float64 (m + 1, 4)
        ``spans.prefix_sums`` of the window.
    closes : float64 (m,)
        The close at the end of each period.
    period_ends : int64 (m,)
        Last bar of each period, counted from ``start``; ``period_at`` int64 (stop - start + 1,) is the number of them before a bar.
    pairs, rests, block_at, wholes
        ``extremes.range_pairs`` of all closes, ``long_only.block_rests`` of the closes where ``long_only`` may run: periods are bars, the end is marked, longs are
        allowed. Empty elsewhere.
    where, target, account, tally, equity, returns, pnl, no_trades, held_after, rises
        Scratch.
    blocks : float64 (R, 3, S), out
    out : float64 (R, len(SCORE_NAMES)), out
    """
    by_trades = rests.shape[0] > 0 and orders_are_plain(settings)
    for row in range(words.shape[0]):
        count = target_changes(words[row], bars.shape[1], where, target)
        if by_trades and never_short(target, count):
            scored = score_long_only(
                bars, where, count, start, stop, settings, windows, table, sums, closes, pairs, rests, block_at, wholes,
                periods_per_year, years, account, tally, pnl, held_after, rises, blocks[row], out[row],
            )  # fmt: skip
        else:
            scored = score_changes(
                bars, where, target, count, start, stop, settings, atr, windows, table, sums, closes, period_at,
                periods_per_year, years, account, tally, pnl, no_trades, blocks[row], out[row],
            )  # fmt: skip
        if not scored:
            score(
                bars, targets[row], start, stop, settings, atr, period_ends, periods_per_year, years,
                account, equity, returns, pnl, no_trades, blocks[row], out[row],
            )  # fmt: skip


@jit_bare
def score_crossings(
    bars: Float64Array2D,
    above: AnyArray,
    below: AnyArray,
    firsts: Int64Array1D,
    direction: float,
    targets: AnyArray,
    start: int,
    stop: int,
    settings: Float64Array1D,
    atr: Float64Array1D,
    windows: Float64Array2D,
    table: AnyArray,
    sums: Float64Array2D,
    closes: Float64Array1D,
    period_ends: Int64Array1D,
    period_at: Int64Array1D,
    pairs: Float64Array1D,
    rests: Float64Array2D,
    block_at: Int64Array1D,
    wholes: Float64Array2D,
    periods_per_year: float,
    years: float,
    where: Int32Array1D,
    target: Int8Array1D,
    account: Float64Array1D,
    tally: Float64Array1D,
    equity: Float64Array1D,
    returns: Float64Array1D,
    pnl: Float64Array1D,
    no_trades: Float64Array2D,
    held_after: Float64Array1D,
    rises: Float64Array2D,
    blocks: AnyArray,
    out: Float64Array2D,
) -> None:
    """Scores of many pairs of lines under the rule "hold the side of the last cross"; otherwise as ``score_targets``.

    Parameters
    ----------
    above, below : uint64 (R, ceil(n / 64))
        ``crossings.compare_lines`` of the pairs; ``firsts`` int64 (R,) are the bars at which both lines are known.
    targets : int8 (1, padded n)
        Scratch.
    """
    by_trades = rests.shape[0] > 0 and orders_are_plain(settings)
    for row in range(above.shape[0]):
        count = list_crossings(above[row], below[row], firsts[row], direction, where, target)
        if by_trades and never_short(target, count):
            scored = score_long_only(
                bars, where, count, start, stop, settings, windows, table, sums, closes, pairs, rests, block_at, wholes,
                periods_per_year, years, account, tally, pnl, held_after, rises, blocks[row], out[row],
            )  # fmt: skip
        else:
            scored = score_changes(
                bars, where, target, count, start, stop, settings, atr, windows, table, sums, closes, period_at,
                periods_per_year, years, account, tally, pnl, no_trades, blocks[row], out[row],
            )  # fmt: skip
        if not scored:
            fill_changes(where, target, count, targets[0])
            score(
                bars, targets[0], start, stop, settings, atr, period_ends, periods_per_year, years,
                account, equity, returns, pnl, no_trades, blocks[row], out[row],
            )  # fmt: skip
