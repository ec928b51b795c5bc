"""What stamps say about themselves: how long a bar is and when the market trades."""

from __future__ import annotations

import numpy as np

from stratopt.errors import MarketDataError
from stratopt.kernels.arrays import Int64Array1D
from stratopt.market.timeframe import DAY, Calendar, Timeframe

_DAY_MS = DAY * 1000
_SATURDAY = 5
SHORTEST_SHARE = 0.9
"""Months and days with a change of the clock are shorter than their name says."""
# A share exchange trades at most 10 of 24 hours; currencies about 24.
_LONGEST_EXCHANGE_SESSION_HOURS = 16
# Between New York's 252 sessions a year and the 260 of a market that skips only weekends.
_MOST_EXCHANGE_SESSIONS_A_YEAR = 256


def infer_timeframe(open_time: Int64Array1D, symbol: str) -> Timeframe:
    """The most frequent distance of two neighbouring stamps, in its canonical spelling.

    Distances of 28 to 31 days count as one: a calendar month.
    """
    if len(open_time) < 2:
        raise MarketDataError(
            f"{symbol}: the timeframe cannot be told from {len(open_time)} bar(s); pass timeframe=, for example '1d'",
            code="unknown_timeframe",
        )
    distances = np.abs(np.diff(open_time))
    months = (distances >= 28 * _DAY_MS) & (distances <= 31 * _DAY_MS)
    distances = np.where(months, 30 * _DAY_MS, distances)
    values, counts = np.unique(distances[distances > 0], return_counts=True)
    if not values.size or values[np.argmax(counts)] % 1000:
        raise MarketDataError(
            f"{symbol}: the timeframe cannot be told from the stamps; pass timeframe=, for example '1d'",
            code="unknown_timeframe",
        )
    return Timeframe.of_seconds(int(values[np.argmax(counts)]) // 1000)


def require_distance(open_time: Int64Array1D, timeframe: Timeframe, symbol: str) -> None:
    """MarketDataError where most bars are closer than ``timeframe`` says: they are not such bars."""
    if len(open_time) < 2:
        return
    usual = float(np.median(np.abs(np.diff(open_time)))) / 1000
    if usual < SHORTEST_SHARE * timeframe.seconds:
        raise MarketDataError(
            f"{symbol}: bars are usually {usual:g} s apart, so they are not {timeframe} bars of {timeframe.seconds} s; leave timeframe out to have it "
            f"read from the stamps, then resample",
            code="unknown_timeframe",
            timeframe=str(timeframe),
        )


def infer_calendar(open_time: Int64Array1D, timeframe: Timeframe) -> Calendar:
    """``24/7`` with Saturday bars (or bars longer than a day), ``24/5`` with nights or > 256 sessions a year, else ``XNYS``."""
    days = open_time // _DAY_MS
    if timeframe.seconds > DAY or not days.size or ((days + 3) % 7 == _SATURDAY).any():
        return Calendar.ALWAYS
    sessions, bars_a_session = np.unique(days, return_counts=True)
    if (
        timeframe.seconds < DAY
        and np.median(bars_a_session) * timeframe.seconds > _LONGEST_EXCHANGE_SESSION_HOURS * 3600
    ):
        return Calendar.FX_24_5
    years = (sessions[-1] - sessions[0] + 1) / 365.25
    if years >= 1 and sessions.size / years > _MOST_EXCHANGE_SESSIONS_A_YEAR:
        return Calendar.FX_24_5
    return Calendar.XNYS
