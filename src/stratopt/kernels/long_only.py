"""Rows that are long with all money or flat, as most are: the whole account in one loop over its trades, without a branch a trade.

A branch that cannot be guessed costs as much as fifty additions. So a trade is straight arithmetic: sums of returns are
differences of prefix sums, a block's sums are those of its whole, of its rest after an entry and less its rest after an exit,
and the deepest fall is kept as a fraction that is divided once. Fills and money are those of ``orders``, to the last digit.

Divisions and the additions to blocks are hidden behind the rest: leaving one out gained nothing. Looking at falls inside a span
where they come, instead of at the end, cost a fifth of the loop; choosing how to read the extremes by their length a tenth.
"""

from __future__ import annotations

import numpy as np

from stratopt.kernels import engine_codes as k
from stratopt.kernels import spans
from stratopt.kernels.arrays import (
    CLOSE,
    OPEN,
    AnyArray,
    Float64Array1D,
    Float64Array2D,
    Int8Array1D,
    Int32Array1D,
    Int64Array1D,
)
from stratopt.kernels.extremes import WIDTH, lowest_and_highest, may_fall_below
from stratopt.kernels.jit import jit_bare, jit_inlined
from stratopt.kernels.scoring import BLOCK_COUNT, BLOCK_SUM, BLOCK_SUM_OF_SQUARES

SUM_AFTER, SQUARES_AFTER, SUM_FROM, SQUARES_FROM = range(4)
"""Columns of the rests: the asset's returns of a block after a period and from it on."""
RESTS = 4
ENTRY, LEAVE, UNITS, REST, PEAK, WORST, BEST = range(7)
"""Columns of the spans that rose to a new peak: bars, what was held, wealth before and its extremes."""
RISE = 7


def block_rests(closes: Float64Array1D, block_count: int) -> tuple[Float64Array2D, Int64Array1D, Float64Array2D]:
    """What is left of its block at each period, float64 (m, RESTS), the number of that block, int64 (m,), and all of each block.

    ``closes`` float64 (m,): the close at the end of each period; block b is the periods [b*m // S, (b+1)*m // S). The last is
    float64 (3, S): number, sum and sum of squares of the asset's returns.
    """
    rests, block_at = np.empty((closes.size, RESTS)), np.empty(closes.size, dtype=np.int64)
    wholes = np.empty((3, block_count))
    _fill_block_rests(closes, rests, block_at, wholes)
    return rests, block_at, wholes


@jit_bare
def _fill_block_rests(
    closes: Float64Array1D, rests: Float64Array2D, block_at: Int64Array1D, wholes: Float64Array2D
) -> None:
    count = wholes.shape[1]
    for block in range(count):
        first, stop = block * closes.size // count, (block + 1) * closes.size // count
        total, squares = 0.0, 0.0
        for period in range(stop - 1, first - 1, -1):
            block_at[period] = block
            rests[period, SUM_AFTER], rests[period, SQUARES_AFTER] = total, squares
            # the first period has no close before it: nobody holds the asset from its beginning
            value = closes[period] / closes[period - 1] - 1.0 if period > 0 else 0.0
            total += value
            squares += value * value
            rests[period, SUM_FROM], rests[period, SQUARES_FROM] = total, squares
        wholes[BLOCK_COUNT, block], wholes[BLOCK_SUM, block] = stop - first, total
        wholes[BLOCK_SUM_OF_SQUARES, block] = squares


@jit_inlined
def never_short(target: Int8Array1D, change_count: int) -> bool:
    """Whether the changes of a target are to 1 and to 0, in turn because each is a change."""
    signs = np.int8(0)
    for change in range(change_count):
        signs |= target[change]
    return bool(signs >= 0)


@jit_inlined
def run_long_only(
    bars: Float64Array2D,
    where: Int32Array1D,
    change_count: int,
    start: int,
    stop: int,
    settings: Float64Array1D,
    windows: Float64Array2D,
    table: AnyArray,
    pairs: Float64Array1D,
    sums: Float64Array2D,
    rests: Float64Array2D,
    block_at: Int64Array1D,
    wholes: Float64Array2D,
    account: Float64Array1D,
    tally: Float64Array1D,
    pnl: Float64Array1D,
    held_after: Float64Array1D,
    rises: Float64Array2D,
    blocks: Float64Array2D,
) -> bool:
    """Simulate the window of plain orders (``sweep.orders_are_plain``), marked at its end, whose periods are its bars.

    Writes what ``sweep.write_scores`` reads; False, with nothing usable written, if there was ever no wealth left.

    Parameters
    ----------
    where : int32
        Bars after whose close the target changes, to 1 and to 0 in turn.
    pairs
        ``extremes.range_pairs`` of all closes.
    rests, block_at, wholes
        ``block_rests`` of the window's closes.
    held_after, rises : float64 (S,), (spans + 1, RISE)
        Scratch.
    """
    close = bars[CLOSE]
    same_close = settings[k.SAME_CLOSE] != 0.0
    fills, lag = (bars[CLOSE], 0) if same_close else (bars[OPEN], 1)
    rate, slippage = settings[k.FEE_RATE], settings[k.SLIPPAGE]
    first = 0
    while first < change_count and where[first] + lag < start:
        first += 1
    while change_count > first and where[change_count - 1] + lag >= stop:
        change_count -= 1
    if first % 2 == 1:
        # held at the beginning: bought there, unless sold there
        first += 1 if first < change_count and where[first] + lag == start else -1
    for block in range(blocks.shape[1]):
        blocks[BLOCK_SUM, block], blocks[BLOCK_SUM_OF_SQUARES, block], held_after[block] = 0.0, 0.0, 0.0

    closed = (change_count - first) // 2
    cash = settings[k.INITIAL_CASH]
    peak, low_worth, low_peak = cash, 1.0, 1.0
    fees, traded, bars_held, risen, wealthy = 0.0, 0.0, 0, 0, True
    gains, losses, squares, below = 0.0, 0.0, 0.0, 0.0
    units = 0.0
    for trade in range((change_count - first + 1) // 2):
        change = np.uintp(first + 2 * trade)
        entry = max(where[change] + lag, start)
        bought = np.uintp(entry)
        price = fills[bought] * (1.0 + slippage)
        units = cash / (price * (1.0 + rate))
        notional = units * price
        entry_fee = rate * notional
        rest = cash - (notional + entry_fee)
        wealthy &= units > 0.0
        fees += entry_fee
        traded += notional / cash
        leave = where[np.uintp(first + 2 * trade + 1)] + lag if trade < closed else stop
        bars_held += leave - entry

        lowest, highest = lowest_and_highest(pairs, close.size, entry, leave)
        worst, best = rest + units * lowest, rest + units * highest
        wealthy &= worst > 0.0
        fell = worst * low_peak < low_worth * peak
        low_worth, low_peak = worst if fell else low_worth, peak if fell else low_peak
        # perhaps a deeper fall, from a peak inside the span: looked at when the deepest of all others is known
        found = rises[np.uintp(risen)]
        found[ENTRY], found[LEAVE], found[UNITS], found[REST] = entry, leave, units, rest
        found[PEAK], found[WORST], found[BEST] = peak, worst, best
        risen += int(worst * low_peak < low_worth * (best if best > peak else 0.0))
        peak = max(peak, best)

        value = (rest + units * close[bought]) / cash - 1.0
        gain, loss = max(value, 0.0), max(-value, 0.0)
        bought, begin, end = np.uintp(entry - start), np.uintp(entry - start + 1), np.uintp(leave - start)
        at = np.uintp(block_at[bought])
        blocks[BLOCK_SUM, at] += value + rests[bought, SUM_AFTER]
        blocks[BLOCK_SUM_OF_SQUARES, at] += value * value + rests[bought, SQUARES_AFTER]
        held_after[at] += 1.0
        gains += gain + (sums[end, spans.GAINS] - sums[begin, spans.GAINS])
        losses += loss + (sums[end, spans.LOSSES] - sums[begin, spans.LOSSES])
        squares += value * value + (sums[end, spans.SQUARES] - sums[begin, spans.SQUARES])
        below += loss * loss + (sums[end, spans.BELOW] - sums[begin, spans.BELOW])
        if trade == closed:
            cash = rest
            break

        exit_price = fills[np.uintp(leave)] * (1.0 - slippage)
        worth = units * exit_price
        cost = rate * worth
        wealthy &= rest + worth > 0.0
        fees += cost
        traded += worth / (rest + worth)
        pnl[np.uintp(trade)] = units * (exit_price - price) - entry_fee - cost
        cash = rest + (worth - cost)
        wealthy &= cash > 0.0
        fell = cash * low_peak < low_worth * peak
        low_worth, low_peak = cash if fell else low_worth, peak if fell else low_peak
        peak = max(peak, cash)
        value = cash / (rest + units * close[np.uintp(leave - 1)]) - 1.0
        gain, loss = max(value, 0.0), max(-value, 0.0)
        at = np.uintp(block_at[end])
        blocks[BLOCK_SUM, at] += value - rests[end, SUM_FROM]
        blocks[BLOCK_SUM_OF_SQUARES, at] += value * value - rests[end, SQUARES_FROM]
        held_after[at] -= 1.0
        gains += gain
        losses += loss
        squares += value * value
        below += loss * loss
        units = 0.0
    if not wealthy:
        return False
    ratio = low_worth / low_peak
    for rise in range(risen):
        found = rises[rise]
        if found[WORST] < ratio * found[BEST]:
            ratio = deepest_of_rise(close, windows, table, found, ratio)
    close_blocks(wholes, held_after, blocks)
    account[:] = 0.0
    account[k.CASH], account[k.UNITS], account[k.CLOSED_TRADES] = cash, units, closed
    account[k.FEES_PAID], account[k.TRADED_WEIGHT] = fees, traded
    tally[spans.BLOCK] = blocks.shape[1]
    tally[spans.WINDOW_GAINS], tally[spans.WINDOW_LOSSES] = gains, losses
    tally[spans.WINDOW_SQUARES], tally[spans.WINDOW_BELOW] = squares, below
    tally[spans.LOW_RATIO], tally[spans.BARS_HELD] = ratio, bars_held
    return True


@jit_inlined
def deepest_of_rise(
    close: Float64Array1D, windows: Float64Array2D, table: AnyArray, found: Float64Array1D, ratio: float
) -> float:
    """``spans.deepest_fall`` of one row of ``rises``, if it may be deeper than ``ratio``."""
    entry, leave = int(found[ENTRY]), int(found[LEAVE])
    if (
        leave - entry >= WIDTH
        and abs(found[REST]) <= spans.ROUNDING_OF_CASH * found[WORST]
        and not may_fall_below(ratio * spans.SURELY, windows, table, entry, leave)
    ):
        return ratio
    return spans.deepest_fall(close, windows, entry, leave, found[REST], found[UNITS], found[PEAK], ratio)


@jit_inlined
def close_blocks(wholes: Float64Array2D, held_after: Float64Array1D, blocks: Float64Array2D) -> None:
    """Number the periods of every block, and add the whole of those at whose beginning the asset was held."""
    held = 0.0
    for block in range(blocks.shape[1]):
        total = blocks[BLOCK_SUM, block] + held * wholes[BLOCK_SUM, block]
        squares = blocks[BLOCK_SUM_OF_SQUARES, block] + held * wholes[BLOCK_SUM_OF_SQUARES, block]
        held += held_after[block]
        blocks[BLOCK_COUNT, block], blocks[BLOCK_SUM, block] = wholes[BLOCK_COUNT, block], total
        blocks[BLOCK_SUM_OF_SQUARES, block] = max(squares, 0.0)  # what should be nothing may be less by rounding
