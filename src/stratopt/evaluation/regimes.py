"""How a result differs between bull, bear and sideways, calm and stormy markets. Labels are causal: they never look ahead."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stratopt.kernels.arrays import AnyArray, Float64Array1D

TREND_BARS = 63
VOLATILITY_BARS = 21
FEWEST_BARS = 60
FEWEST_TRADES = 10
TRENDS = ("bull", "sideways", "bear")
VOLATILITIES = ("calm", "normal", "stormy")


@dataclass(frozen=True, kw_only=True)
class RegimeResult:
    """One regime: annual Sharpe ratio with its error 1/sqrt(years); None where bars or trades are too few to say anything."""

    regime: str
    bars: int
    years: float
    trades: int
    sharpe_ratio: float | None
    standard_error: float | None
    enough: bool


def trend_labels(closes: AnyArray) -> AnyArray:
    """``bull``, ``bear`` or ``sideways`` for every bar from its close and those before; empty text while 63 moves are not known.

    z is the log return over 63 bars over its deviation, bull above 0.5 and bear below -0.5.
    """
    log = np.log(np.asarray(closes, dtype=np.float64))
    labels = np.full(log.size, "", dtype="<U8")
    if log.size <= TREND_BARS:
        return labels
    deviation = _moving_deviation(np.diff(log), TREND_BARS)
    z = (log[TREND_BARS:] - log[:-TREND_BARS]) / np.maximum(deviation * math.sqrt(TREND_BARS), 1e-300)
    labels[TREND_BARS:] = np.where(z > 0.5, "bull", np.where(z < -0.5, "bear", "sideways"))
    return labels


def volatility_labels(closes: AnyArray) -> AnyArray:
    """``calm``, ``normal`` or ``stormy``: the volatility over 21 moves against thirds of all its values up to the bar."""
    log = np.log(np.asarray(closes, dtype=np.float64))
    labels = np.full(log.size, "", dtype="<U8")
    if log.size <= VOLATILITY_BARS:
        return labels
    volatility = _moving_deviation(np.diff(log), VOLATILITY_BARS)
    share = _expanding_rank(volatility)
    labels[VOLATILITY_BARS:] = np.where(share <= 1 / 3, "calm", np.where(share > 2 / 3, "stormy", "normal"))
    return labels


def by_regime(
    returns: AnyArray,
    labels: AnyArray,
    regimes: Sequence[str],
    *,
    periods_per_year: float,
    trade_labels: Sequence[str],
    bars_per_period: float = 1.0,
) -> list[RegimeResult]:
    """Results of the periods of each regime; ``labels`` (n,) must be known before the ``returns`` (n,) are earned.

    ``trade_labels`` are the labels at the entries of the trades.
    """
    values, marks = np.asarray(returns, dtype=np.float64), np.asarray(labels)
    found = []
    for regime in regimes:
        own = values[marks == regime]
        trades = sum(1 for label in trade_labels if label == regime)
        years = own.size / periods_per_year
        enough = own.size * bars_per_period >= FEWEST_BARS and trades >= FEWEST_TRADES
        deviation = float(own.std(ddof=1)) if own.size > 1 else 0.0
        sharpe = float(own.mean()) / deviation * math.sqrt(periods_per_year) if enough and deviation > 1e-12 else None
        found.append(
            RegimeResult(
                regime=regime,
                bars=round(own.size * bars_per_period),
                years=years,
                trades=trades,
                sharpe_ratio=sharpe,
                standard_error=None if sharpe is None else 1.0 / math.sqrt(years),
                enough=enough,
            )
        )
    return found


def noticeable_difference(first: RegimeResult, second: RegimeResult) -> bool | None:
    """Whether two ratios differ by more than twice their error; None where one is unknown."""
    if first.sharpe_ratio is None or second.sharpe_ratio is None:
        return None
    limit = 2.0 * math.sqrt(1.0 / first.years + 1.0 / second.years)
    return abs(first.sharpe_ratio - second.sharpe_ratio) > limit


REGIMES: Mapping[str, Sequence[str]] = {"trend": TRENDS, "volatility": VOLATILITIES}


def _moving_deviation(values: Float64Array1D, count: int) -> Float64Array1D:
    """Deviation (ddof 1) of the last ``count`` values, (n - count + 1,)."""
    centred = values - values.mean()
    total = np.concatenate([[0.0], np.cumsum(centred)])
    squares = np.concatenate([[0.0], np.cumsum(centred**2)])
    sums, squared = total[count:] - total[:-count], squares[count:] - squares[:-count]
    return np.sqrt(np.maximum(squared - sums**2 / count, 0.0) / (count - 1))


def _expanding_rank(values: Float64Array1D) -> Float64Array1D:
    """Share of the values so far that are below or equal, itself included."""
    import bisect

    seen: list[float] = []
    share = np.empty(values.size)
    for position, value in enumerate(values.tolist()):
        bisect.insort(seen, value)
        share[position] = bisect.bisect_right(seen, value) / (position + 1)
    return share
