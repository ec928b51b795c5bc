"""Performance metrics: one definition each, from returns and trades; the readable reference of ``kernels.scoring``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from stratopt.errors import BacktestError
from stratopt.kernels.arrays import AnyArray, Float64Array1D

_RATIO_OF_ROUNDING = 1e-10
_TAIL = 0.05


class Metrics(Mapping[str, float | None]):
    """Metric name to number; None where the number is undefined, with the reason in ``reasons``."""

    def __init__(self, values: Mapping[str, float | None], reasons: Mapping[str, str]) -> None:
        self._values = dict(values)
        self.reasons: dict[str, str] = dict(reasons)

    def __getitem__(self, name: str) -> float | None:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Metrics({self._values!r})"


class MetricTable:
    """Collects metrics and, for those that are undefined, why."""

    def __init__(self) -> None:
        self.values: dict[str, float | None] = {}
        self.reasons: dict[str, str] = {}

    def add(self, name: str, value: float, reason: str = "the value is not finite") -> None:
        """Keep ``value``, or None and ``reason`` if it is NaN or infinite."""
        number = float(value)
        if math.isfinite(number):
            self.values[name] = number
        else:
            self.values[name] = None
            self.reasons[name] = reason

    def finish(self) -> Metrics:
        """The collected metrics."""
        return Metrics(self.values, self.reasons)


def compute_metrics(
    returns: AnyArray,
    *,
    periods_per_year: float,
    trade_pnl: AnyArray | None = None,
    trade_returns: AnyArray | None = None,
    years: float | None = None,
    risk_free_rate: float = 0.0,
    bar_returns: AnyArray | None = None,
) -> Metrics:
    """Metrics of a series of net returns and of the closed trades behind it.

    Wealth starts at 1 before the first return.

    Parameters
    ----------
    returns : float (m,)
        Simple returns a period (0.01 is 1 %), finite, of one stated frequency.
    periods_per_year : float
        Periods in a year, for annualisation.
    trade_pnl, trade_returns : float (t,), optional
        Net profit in money, and as a fraction of the entry value, of each closed trade; without them no trade metrics.
    years : float, optional
        Calendar length, for the calendar ``cagr``.
    risk_free_rate : float
        Annual rate, converted by (1 + rate) ** (1 / periods_per_year) - 1.
    bar_returns : float (n,), optional
        Returns of every bar where ``returns`` are coarser; drawdowns are measured on them.

    Returns
    -------
    Metrics
        total_return, cagr, cagr_periods, volatility, sharpe_ratio, sortino_ratio, calmar_ratio, omega_ratio, max_drawdown (a
        negative fraction), max_drawdown_duration_bars, ulcer_index, value_at_risk_95, conditional_value_at_risk_95, tail_ratio,
        skewness and kurtosis (biased; a Normal has 3), best_period, worst_period, kelly_returns; of trades: trade_count,
        win_rate, profit_factor, payoff_ratio, expectancy (money), expectancy_pct, sqn (not capped at 100 trades), kelly,
        best_trade, worst_trade.

    Raises
    ------
    BacktestError
        If there are no returns or one is not finite.

    Notes
    -----
    As empyrical-reloaded defines them where it does: Sharpe with ddof 1; Sortino's downside deviation over all periods; CVaR the
    mean of the worst floor(0.05 (m - 1)) + 1 returns; Calmar from ``cagr_periods``.

    Examples
    --------
    >>> round(compute_metrics([-0.10, 0.05, -0.02], periods_per_year=252)["max_drawdown"], 12)
    -0.1
    """
    clean = _finite(returns, "returns")
    table = MetricTable()
    _growth(table, clean, periods_per_year, years)
    _ratios(table, clean, periods_per_year, risk_free_rate)
    _drawdowns(table, clean if bar_returns is None else _finite(bar_returns, "bar_returns"))
    _tails(table, clean)
    if trade_pnl is not None:
        _trades(table, np.asarray(trade_pnl, dtype=np.float64))
    if trade_returns is not None:
        _trade_returns(table, np.asarray(trade_returns, dtype=np.float64))
    return table.finish()


def drawdown_series(returns: AnyArray) -> Float64Array1D:
    """Wealth over its highest value so far, minus 1, at each period; the wealth of 1 before the first return counts."""
    wealth = np.concatenate([[1.0], np.cumprod(1.0 + np.asarray(returns, dtype=np.float64))])
    return np.asarray((wealth / np.maximum.accumulate(wealth) - 1.0)[1:])


def longest_run(flags: AnyArray) -> int:
    """Length of the longest run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], np.asarray(flags, dtype=bool), [False]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _finite(values: AnyArray, name: str) -> Float64Array1D:
    array = np.asarray(values, dtype=np.float64).reshape(-1)
    if array.size == 0:
        raise BacktestError(f"{name} is empty; metrics need at least one period", field=name)
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise BacktestError(
            f"{name}[{bad[0]}] is {array[bad[0]]}; every return must be finite", field=name, position=int(bad[0])
        )
    return array


def _growth(table: MetricTable, returns: Float64Array1D, periods_per_year: float, years: float | None) -> None:
    wealth = float(np.prod(1.0 + returns))
    table.add("total_return", wealth - 1.0)
    gone = "the account was lost: wealth is not positive"
    if years is None:
        table.add("cagr", math.nan, "the calendar length of the window is not known")
    else:
        table.add("cagr", _compound(wealth, 1.0 / years), gone)
    table.add("cagr_periods", _compound(wealth, periods_per_year / returns.size), gone)


def _compound(wealth: float, power: float) -> float:
    if wealth <= 0:
        return math.nan
    try:
        return float(wealth**power - 1.0)
    except OverflowError:
        return math.inf


def _ratios(table: MetricTable, returns: Float64Array1D, periods_per_year: float, risk_free_rate: float) -> None:
    excess = returns - ((1.0 + risk_free_rate) ** (1.0 / periods_per_year) - 1.0)
    annual = math.sqrt(periods_per_year)
    mean, deviation = _mean_and_deviation(excess)
    table.add("volatility", deviation * annual, "fewer than 2 periods")
    varies = deviation > _RATIO_OF_ROUNDING * abs(mean)
    table.add("sharpe_ratio", sharpe_ratio(excess, periods_per_year), "returns do not vary")
    below = np.minimum(excess, 0.0)
    downside = math.sqrt(float(np.mean(below**2)))
    table.add("sortino_ratio", mean / downside * annual if downside > 0 else math.nan, "no period lost")
    losses = -float(below.sum())
    gains = float(np.maximum(excess, 0.0).sum())
    table.add("omega_ratio", gains / losses if losses > 0 else math.nan, "no period lost")
    variance = deviation**2
    table.add("kelly_returns", mean / variance if varies else math.nan, "returns do not vary")


def sharpe_ratio(returns: Float64Array1D, periods_per_year: float) -> float:
    """Annual Sharpe ratio of returns in excess of the risk-free rate, ddof 1; NaN where they do not vary."""
    mean, deviation = _mean_and_deviation(returns)
    varies = deviation > _RATIO_OF_ROUNDING * abs(mean)
    return mean / deviation * math.sqrt(periods_per_year) if varies else math.nan


def _mean_and_deviation(returns: Float64Array1D) -> tuple[float, float]:
    return float(returns.mean()), float(returns.std(ddof=1)) if returns.size > 1 else math.nan


def _drawdowns(table: MetricTable, returns: Float64Array1D) -> None:
    drawdown = drawdown_series(returns)
    deepest = float(drawdown.min())
    table.add("max_drawdown", min(deepest, 0.0))
    table.add("max_drawdown_duration_bars", longest_run(drawdown < 0))
    table.add("ulcer_index", math.sqrt(float(np.mean(drawdown**2))))
    growth = table.values["cagr_periods"]
    table.add(
        "calmar_ratio",
        growth / -deepest if growth is not None and deepest < 0 else math.nan,
        "there was no drawdown" if growth is not None else "cagr_periods is undefined",
    )


def _tails(table: MetricTable, returns: Float64Array1D) -> None:
    low, high = np.quantile(returns, [_TAIL, 1.0 - _TAIL])
    table.add("value_at_risk_95", low)
    worst = int(_TAIL * (returns.size - 1)) + 1
    table.add("conditional_value_at_risk_95", float(np.partition(returns, worst - 1)[:worst].mean()))
    table.add("tail_ratio", abs(high) / abs(low) if low != 0 else math.nan, "the 5 % quantile is 0")
    centred = returns - returns.mean()
    variance = float(np.mean(centred**2))
    varies = math.sqrt(variance) > _RATIO_OF_ROUNDING * abs(float(returns.mean()))
    table.add("skewness", float(np.mean(centred**3)) / variance**1.5 if varies else math.nan, "returns do not vary")
    table.add("kurtosis", float(np.mean(centred**4)) / variance**2 if varies else math.nan, "returns do not vary")
    table.add("best_period", float(returns.max()))
    table.add("worst_period", float(returns.min()))


def _trades(table: MetricTable, pnl: Float64Array1D) -> None:
    count = pnl.size
    none = "no trade was closed"
    table.add("trade_count", count)
    won, lost = pnl[pnl > 0], pnl[pnl < 0]
    gross_win, gross_loss = float(won.sum()), -float(lost.sum())
    table.add("win_rate", won.size / count if count else math.nan, none)
    no_loss = none if not count else "no trade lost"
    table.add("profit_factor", gross_win / gross_loss if gross_loss > 0 else math.nan, no_loss)
    table.add("expectancy", float(pnl.mean()) if count else math.nan, none)
    payoff = float(won.mean()) / -float(lost.mean()) if won.size and lost.size else math.nan
    one_sided = none if not count else "needs a winning and a losing trade"
    table.add("payoff_ratio", payoff, one_sided)
    table.add("kelly", won.size / count - (1.0 - won.size / count) / payoff if count else math.nan, one_sided)
    deviation = float(pnl.std(ddof=1)) if count > 1 else math.nan
    mean = float(pnl.mean()) if count else math.nan
    table.add(
        "sqn",
        math.sqrt(count) * mean / deviation if deviation > _RATIO_OF_ROUNDING * abs(mean) else math.nan,
        "needs 2 trades of different profit",
    )


def _trade_returns(table: MetricTable, returns: Float64Array1D) -> None:
    none = "no trade was closed"
    table.add("expectancy_pct", float(returns.mean()) if returns.size else math.nan, none)
    table.add("best_trade", float(returns.max(initial=-math.inf)), none)
    table.add("worst_trade", float(returns.min(initial=math.inf)), none)
