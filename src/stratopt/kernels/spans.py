"""Spans: bars over which cash and units do not change, added to the account's statistics without visiting each bar.

While all money is in the asset, returns are those of the closes, so that their sums are differences of prefix sums; what remains
per span is its first return, whose start is not a close. Where cash or a short makes returns differ from the asset's, the period
ends of the span are visited one by one. Drawdown needs the span's extremes, and its bars only when a new deepest one is possible.
"""

from __future__ import annotations

from stratopt.kernels.arrays import AnyArray, Float64Array1D, Float64Array2D, Int64Array1D
from stratopt.kernels.extremes import FALL, HIGHEST, LOWEST, WIDTH, extremes, may_fall_below
from stratopt.kernels.jit import jit_bare, jit_inlined
from stratopt.kernels.scoring import BLOCK_COUNT, BLOCK_SUM, BLOCK_SUM_OF_SQUARES

# columns of the prefix sums, and the running totals of a block and of the window in ``tally``
GAINS, LOSSES, SQUARES, BELOW = range(4)
SUMS = 4
(WINDOW_GAINS, WINDOW_LOSSES, WINDOW_SQUARES, WINDOW_BELOW) = range(SUMS, 2 * SUMS)
(
    BLOCK,
    BLOCK_START,
    BLOCK_STOP,
    STEP,
    STEP_REMAINDER,
    REMAINDER,
    LAST_WORTH,
    PEAK,
    LOW_RATIO,
    BARS_HELD,
) = range(2 * SUMS, 2 * SUMS + 10)
TALLY = 2 * SUMS + 10

# cash below this share of the position is the rounding of an order that spent everything
ROUNDING_OF_CASH = 1e-14
# a fall of the asset by this much less than the deepest one of the account is surely no deeper one
SURELY = 1.0 + 1e-12


@jit_bare
def prefix_sums(closes: Float64Array1D, sums: Float64Array2D) -> None:
    """Running sums of gains, losses, squares and squares of losses of the asset's period returns.

    ``closes`` float64 (m,): the close at the end of each period. ``sums`` float64 (m + 1, 4), out: row p is over the periods before p; the first period, which has no close before it, counts
    nothing. Compensated (Neumaier 1974), so that differences of late rows keep their digits.
    """
    for column in range(SUMS):
        total, lost = 0.0, 0.0
        sums[0, column] = 0.0
        sums[1, column] = 0.0
        for period in range(1, closes.size):
            value = closes[period] / closes[period - 1] - 1.0
            if column == GAINS:
                value = max(value, 0.0)
            elif column == LOSSES:
                value = max(-value, 0.0)
            else:
                value = min(value, 0.0) ** 2 if column == BELOW else value * value
            after = total + value
            lost += (total - after) + value if total >= value else (value - after) + total
            total = after
            sums[period + 1, column] = total + lost


@jit_inlined
def begin(tally: Float64Array1D, initial_cash: float, period_count: int, blocks: Float64Array2D) -> None:
    """An account of cash before the first bar."""
    tally[:] = 0.0
    tally[STEP] = period_count // blocks.shape[1]
    tally[STEP_REMAINDER] = period_count - tally[STEP] * blocks.shape[1]
    tally[BLOCK_STOP] = tally[STEP]
    tally[REMAINDER] = tally[STEP_REMAINDER]
    tally[LAST_WORTH] = initial_cash
    tally[PEAK] = initial_cash
    tally[LOW_RATIO] = 1.0


@jit_inlined
def end_block(tally: Float64Array1D, blocks: Float64Array2D) -> None:
    """Write the running block and begin the next one; block b is the periods [b*m // S, (b+1)*m // S), stepped to without dividing."""
    block = int(tally[BLOCK])
    blocks[BLOCK_COUNT, block] = tally[BLOCK_STOP] - tally[BLOCK_START]
    blocks[BLOCK_SUM, block] = tally[GAINS] - tally[LOSSES]
    blocks[BLOCK_SUM_OF_SQUARES, block] = tally[SQUARES]
    for column in range(SUMS):
        tally[SUMS + column] += tally[column]
        tally[column] = 0.0
    tally[BLOCK] = block + 1
    tally[BLOCK_START] = tally[BLOCK_STOP]
    tally[BLOCK_STOP] += tally[STEP]
    tally[REMAINDER] += tally[STEP_REMAINDER]
    if tally[REMAINDER] >= blocks.shape[1]:
        tally[REMAINDER] -= blocks.shape[1]
        tally[BLOCK_STOP] += 1.0


@jit_inlined
def add_return(tally: Float64Array1D, period: int, value: float, blocks: Float64Array2D) -> None:
    """Add one period's return to its block."""
    while period >= int(tally[BLOCK_STOP]):
        end_block(tally, blocks)
    tally[SQUARES] += value * value
    tally[GAINS] += max(value, 0.0)
    tally[LOSSES] += max(-value, 0.0)
    tally[BELOW] += min(value, 0.0) ** 2


@jit_inlined
def add_asset_returns(
    tally: Float64Array1D, sums: Float64Array2D, first: int, stop: int, blocks: Float64Array2D
) -> None:
    """Add the asset's returns of the periods [first, stop), cut at the ends of blocks."""
    while first < stop:
        last = min(stop, int(tally[BLOCK_STOP]))
        if last > first:
            # all read before the first is written: the four become one vector
            gains = sums[last, GAINS] - sums[first, GAINS] + tally[GAINS]
            losses = sums[last, LOSSES] - sums[first, LOSSES] + tally[LOSSES]
            squares = sums[last, SQUARES] - sums[first, SQUARES] + tally[SQUARES]
            below = sums[last, BELOW] - sums[first, BELOW] + tally[BELOW]
            tally[GAINS], tally[LOSSES], tally[SQUARES], tally[BELOW] = gains, losses, squares, below
            first = last
        if first < stop:
            end_block(tally, blocks)


@jit_inlined
def add_account_returns(
    tally: Float64Array1D,
    closes: Float64Array1D,
    cash: float,
    units: float,
    first: int,
    stop: int,
    blocks: Float64Array2D,
) -> None:
    """Add the returns of cash plus units over the periods [first, stop), one by one."""
    while first < stop:
        last = min(stop, int(tally[BLOCK_STOP]))
        before = cash + units * closes[first - 1]
        gains, losses, squares, below = 0.0, 0.0, 0.0, 0.0
        for period in range(first, last):
            worth = cash + units * closes[period]
            value = worth / before - 1.0
            before = worth
            gain, loss = max(value, 0.0), max(-value, 0.0)
            gains += gain
            losses += loss
            squares += value * value
            below += loss * loss
        tally[GAINS] += gains
        tally[LOSSES] += losses
        tally[SQUARES] += squares
        tally[BELOW] += below
        first = max(first, last)
        if first < stop:
            end_block(tally, blocks)


@jit_inlined
def deepest_fall(
    close: Float64Array1D,
    windows: Float64Array2D,
    first: int,
    stop: int,
    cash: float,
    units: float,
    peak: float,
    ratio: float,
) -> float:
    """The least ratio of wealth to its peak so far over [first, stop), or ``ratio`` if none is below it; ``peak`` is that before.

    Bars are visited only in windows of eight whose extremes allow a deeper fall than all before.
    """
    low_column, high_column = (LOWEST, HIGHEST) if units > 0.0 else (HIGHEST, LOWEST)
    proportional = units > 0.0 and abs(cash) <= ROUNDING_OF_CASH * (cash + units * close[first])
    bar = first
    while bar < stop:
        end = min(bar + WIDTH, stop)
        if end - bar == WIDTH:
            worst = cash + units * windows[bar, low_column]
            peak_then = max(peak, cash + units * windows[bar, high_column])
            if worst >= ratio * peak_then or (
                proportional and worst >= ratio * peak and windows[bar, FALL] >= ratio * SURELY
            ):
                peak, bar = peak_then, end
                continue
            if peak_then == peak:
                ratio, bar = worst / peak, end
                continue
        for other in range(bar, end):
            worth = cash + units * close[other]
            peak = max(peak, worth)
            if worth < ratio * peak:
                ratio = worth / peak
        bar = end
    return ratio


@jit_inlined
def add_drawdown(
    tally: Float64Array1D,
    close: Float64Array1D,
    windows: Float64Array2D,
    table: AnyArray,
    first: int,
    stop: int,
    cash: float,
    units: float,
) -> bool:
    """Follow the peak and the deepest fall from it over the bars [first, stop); False if the wealth was gone at a close."""
    low, high = extremes(close, windows, table, first, stop)
    worst = cash + units * (low if units > 0.0 else high)
    best = cash + units * (high if units > 0.0 else low)
    if worst <= 0.0:
        return False
    peak, ratio = tally[PEAK], tally[LOW_RATIO]
    if worst < ratio * max(peak, best):
        if best <= peak:
            ratio = worst / peak
        elif (
            units < 0.0
            or stop - first < WIDTH
            or worst < ratio * peak
            or abs(cash) > ROUNDING_OF_CASH * worst
            or may_fall_below(ratio * SURELY, windows, table, first, stop)
        ):
            ratio = deepest_fall(close, windows, first, stop, cash, units, peak, ratio)
        tally[LOW_RATIO] = ratio
    tally[PEAK] = max(peak, best)
    return True


@jit_inlined
def add_span(
    tally: Float64Array1D,
    close: Float64Array1D,
    windows: Float64Array2D,
    table: AnyArray,
    sums: Float64Array2D,
    closes: Float64Array1D,
    period_at: Int64Array1D,
    start: int,
    first: int,
    stop: int,
    cash: float,
    units: float,
    blocks: Float64Array2D,
) -> bool:
    """Add the bars [first, stop), at least one, over which ``cash`` and ``units`` are held; False if the wealth was gone.

    ``closes`` float64 (m,): the close at the end of each period.
    """
    period, end = period_at[first - start], period_at[stop - start]
    before = tally[LAST_WORTH]
    if units == 0.0:
        if cash <= 0.0:
            return False
        tally[PEAK] = max(tally[PEAK], cash)
        if cash < tally[LOW_RATIO] * tally[PEAK]:
            tally[LOW_RATIO] = cash / tally[PEAK]
        if period < end and cash != before:
            add_return(tally, period, cash / before - 1.0, blocks)
            tally[LAST_WORTH] = cash
        return True
    tally[BARS_HELD] += stop - first
    if not add_drawdown(tally, close, windows, table, first, stop, cash, units):
        return False
    if period == end:
        return True
    worth = cash + units * closes[period]
    add_return(tally, period, worth / before - 1.0, blocks)
    if abs(cash) <= ROUNDING_OF_CASH * worth:
        add_asset_returns(tally, sums, period + 1, end, blocks)
    else:
        add_account_returns(tally, closes, cash, units, period + 1, end, blocks)
    tally[LAST_WORTH] = cash + units * closes[end - 1]
    return True
