"""The numbers a search needs from one simulated window, without leaving compiled code.

Definitions are those of ``backtest.metrics``, which stays the readable reference; an undefined number is NaN here.
"""

from __future__ import annotations

import math

from stratopt.kernels import engine_codes as k
from stratopt.kernels.arrays import Float64Array1D, Float64Array2D, Int8Array1D, Int64Array1D
from stratopt.kernels.jit import jit_bare, jit_inlined
from stratopt.kernels.simulate import simulate

SCORE_NAMES = (
    "total_return",
    "cagr",
    "cagr_periods",
    "volatility",
    "sharpe_ratio",
    "sortino_ratio",
    "calmar_ratio",
    "omega_ratio",
    "max_drawdown",
    "profit_factor",
    "win_rate",
    "expectancy",
    "sqn",
    "trade_count",
    "open_trade_count",
    "exposure",
    "turnover",
    "skipped_orders",
    "fees_paid",
    "final_equity",
)
(
    TOTAL_RETURN,
    CAGR,
    CAGR_PERIODS,
    VOLATILITY,
    SHARPE_RATIO,
    SORTINO_RATIO,
    CALMAR_RATIO,
    OMEGA_RATIO,
    MAX_DRAWDOWN,
    PROFIT_FACTOR,
    WIN_RATE,
    EXPECTANCY,
    SQN,
    TRADE_COUNT,
    OPEN_TRADE_COUNT,
    EXPOSURE,
    TURNOVER,
    SKIPPED_ORDERS,
    FEES_PAID,
    FINAL_EQUITY,
) = range(len(SCORE_NAMES))

# a deviation below this share of the mean is the rounding of equal values
ROUNDING = 1e-10

# rows of the block matrix
BLOCK_COUNT, BLOCK_SUM, BLOCK_SUM_OF_SQUARES = range(3)


@jit_bare
def period_returns(
    equity: Float64Array1D, initial_cash: float, period_ends: Int64Array1D, returns: Float64Array1D
) -> None:
    """Returns from one period end to the next, the first from the initial cash; 0 once the wealth is gone.

    ``period_ends`` int64 (m,): positions in ``equity`` of the last bar of each period (every bar, or every UTC day's last).
    """
    before = initial_cash
    for period in range(period_ends.size):
        now = equity[period_ends[period]]
        returns[period] = now / before - 1.0 if before > 0.0 else 0.0
        before = now


@jit_bare
def block_sums(returns: Float64Array1D, blocks: Float64Array2D) -> None:
    """Number, sum and sum of squares of the returns in each of S blocks; block b is [b*m // S, (b+1)*m // S).

    ``blocks`` float64 (3, S), out.
    """
    count, periods = blocks.shape[1], returns.size
    for block in range(count):
        first, last = block * periods // count, (block + 1) * periods // count
        total, squares = 0.0, 0.0
        for period in range(first, last):
            total += returns[period]
            squares += returns[period] * returns[period]
        blocks[BLOCK_COUNT, block] = last - first
        blocks[BLOCK_SUM, block] = total
        blocks[BLOCK_SUM_OF_SQUARES, block] = squares


@jit_bare
def ratio_scores(returns: Float64Array1D, periods_per_year: float, out: Float64Array1D) -> None:
    """Volatility, Sharpe, Sortino and Omega of the returns (risk-free rate and target 0)."""
    count = returns.size
    gains, losses, below = 0.0, 0.0, 0.0
    for r in returns:
        if r > 0.0:
            gains += r
        else:
            losses -= r
            below += r * r
    mean = (gains - losses) / count
    squares = 0.0
    for r in returns:
        squares += (r - mean) * (r - mean)
    ratios_of_sums(gains, losses, below, squares, count, periods_per_year, out)


@jit_inlined
def ratios_of_sums(
    gains: float,
    losses: float,
    below: float,
    squares: float,
    count: int,
    periods_per_year: float,
    out: Float64Array1D,
) -> None:
    """The four ratios from the sums of gains, losses, squared losses and squared distances to the mean of ``count`` returns."""
    mean = (gains - losses) / count
    deviation = math.sqrt(squares / (count - 1)) if count > 1 else math.nan
    annual = math.sqrt(periods_per_year)
    out[VOLATILITY] = deviation * annual
    out[SHARPE_RATIO] = mean / deviation * annual if deviation > ROUNDING * abs(mean) else math.nan
    out[SORTINO_RATIO] = mean / math.sqrt(below / count) * annual if below > 0.0 else math.nan
    out[OMEGA_RATIO] = gains / losses if losses > 0.0 else math.nan


@jit_inlined
def trade_scores(pnl: Float64Array1D, count: int, out: Float64Array1D) -> None:
    """Profit factor, win rate, expectancy and SQN of the closed trades."""
    wins, gross_win, gross_loss, total = 0, 0.0, 0.0, 0.0
    for trade in range(count):
        # no branch: the processor cannot guess which trades win
        profit = pnl[trade]
        total += profit
        wins += int(profit > 0.0)
        gross_win += max(profit, 0.0)
        gross_loss += max(-profit, 0.0)
    mean = total / count if count > 0 else math.nan
    squares = 0.0
    for trade in range(count):
        squares += (pnl[trade] - mean) ** 2
    deviation = math.sqrt(squares / (count - 1)) if count > 1 else math.nan
    out[PROFIT_FACTOR] = gross_win / gross_loss if gross_loss > 0.0 else math.nan
    out[WIN_RATE] = wins / count if count > 0 else math.nan
    out[EXPECTANCY] = mean
    out[SQN] = math.sqrt(count) * mean / deviation if deviation > ROUNDING * abs(mean) else math.nan


@jit_bare
def growth_scores(
    equity: Float64Array1D,
    initial_cash: float,
    periods: int,
    periods_per_year: float,
    years: float,
    out: Float64Array1D,
) -> None:
    """Total return, both CAGRs, maximum drawdown (over every bar) and Calmar."""
    peak, drawdown = initial_cash, 0.0
    for worth in equity:
        peak = max(peak, worth)
        drawdown = min(drawdown, worth / peak - 1.0)
    growth_of_end(equity[-1], drawdown, initial_cash, periods, periods_per_year, years, out)


@jit_inlined
def growth_of_end(
    final_equity: float,
    drawdown: float,
    initial_cash: float,
    periods: int,
    periods_per_year: float,
    years: float,
    out: Float64Array1D,
) -> None:
    """Everything about growth from the last equity and the maximum drawdown."""
    wealth = final_equity / initial_cash
    out[TOTAL_RETURN] = wealth - 1.0
    out[CAGR] = wealth ** (1.0 / years) - 1.0 if wealth > 0.0 else math.nan
    out[CAGR_PERIODS] = wealth ** (periods_per_year / periods) - 1.0 if wealth > 0.0 else math.nan
    out[MAX_DRAWDOWN] = drawdown
    out[CALMAR_RATIO] = out[CAGR_PERIODS] / -drawdown if drawdown < 0.0 else math.nan
    out[FINAL_EQUITY] = final_equity


@jit_bare
def score(
    bars: Float64Array2D,
    target: Int8Array1D,
    start: int,
    stop: int,
    settings: Float64Array1D,
    atr: Float64Array1D,
    period_ends: Int64Array1D,
    periods_per_year: float,
    years: float,
    account: Float64Array1D,
    equity: Float64Array1D,
    returns: Float64Array1D,
    pnl: Float64Array1D,
    no_trades: Float64Array2D,
    blocks: Float64Array2D,
    out: Float64Array1D,
) -> None:
    """Simulate the window and write its scores; everything from ``account`` on is scratch or output.

    Parameters
    ----------
    period_ends : int64 (m,)
        Ends of the periods that the ratios are computed on; ``periods_per_year`` of them make a year.
    years : float
        Calendar length of the window.
    no_trades : float64 (0, TRADE_COLUMNS)
        Trades are not recorded here.
    blocks : float64 (3, S), out
        Number, sum and sum of squares of the period returns by block.
    out : float64 (len(SCORE_NAMES),), out
        Positions named in this module; NaN where undefined.
    """
    simulate(bars, target, start, stop, settings, atr, account, equity, pnl, no_trades)
    initial_cash = settings[k.INITIAL_CASH]
    period_returns(equity, initial_cash, period_ends, returns)
    block_sums(returns, blocks)
    ratio_scores(returns, periods_per_year, out)
    trade_scores(pnl, int(account[k.CLOSED_TRADES]), out)
    growth_scores(equity, initial_cash, period_ends.size, periods_per_year, years, out)
    account_scores(account, stop - start, years, out)


@jit_inlined
def account_scores(account: Float64Array1D, bar_count: int, years: float, out: Float64Array1D) -> None:
    """What the account's totals say about ``bar_count`` bars."""
    out[TRADE_COUNT] = account[k.CLOSED_TRADES]
    out[OPEN_TRADE_COUNT] = account[k.OPEN_TRADES]
    out[EXPOSURE] = account[k.BARS_IN_POSITION] / bar_count
    out[TURNOVER] = account[k.TRADED_WEIGHT] / years
    out[SKIPPED_ORDERS] = account[k.SKIPPED_ORDERS]
    out[FEES_PAID] = account[k.FEES_PAID]
