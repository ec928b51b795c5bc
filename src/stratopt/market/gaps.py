"""Bars that a calendar expects and a series does not have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratopt.kernels.arrays import Int64Array1D
from stratopt.market.sessions import is_trading_time, session_days
from stratopt.market.timeframe import DAY, Calendar, Timeframe

_DAY_MS = DAY * 1000
# Before 1972 New York's rules differ (Saturdays, elections, paper crises); longer silence than this is still a gap.
_LONGEST_UNKNOWN_CLOSURE_DAYS = 4
_FIRST_KNOWN_DAY = 730  # 1972-01-01


@dataclass(frozen=True, kw_only=True)
class Gap:
    """``bars`` missing bars between the bars opened at ``after`` and ``before`` (UTC milliseconds)."""

    after: int
    before: int
    bars: int


def find_gaps(open_time: Int64Array1D, timeframe: Timeframe, calendar: Calendar) -> list[Gap]:
    """The gaps of strictly increasing stamps.

    On a 24/7 market every stamp of the grid is expected. Daily bars of other calendars are expected on each session day;
    shorter ones at each trading hour of a session day for currencies, and on each session day and between two bars of the
    same day for exchanges, so that a day closed early is no gap.
    """
    if len(open_time) < 2:
        return []
    if timeframe.is_calendar_month:
        months = open_time.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
        return _gaps(open_time, np.diff(months) // int(timeframe.text[:-1]) - 1)
    step = timeframe.seconds * 1000
    steps = np.diff(open_time) // step - 1
    if calendar is Calendar.ALWAYS or timeframe.seconds > DAY:
        return _gaps(open_time, steps)
    if timeframe.seconds == DAY:
        return _gaps(open_time, _missing_sessions(open_time, calendar))
    if calendar is Calendar.FX_24_5:
        return _gaps(open_time, _missing_hours(open_time, step, steps, calendar))
    same_day = np.diff(open_time // _DAY_MS) == 0
    within = np.where(same_day, _missing_hours(open_time, step, np.where(same_day, steps, 0), calendar), 0)
    return _gaps(open_time, within + _missing_sessions(open_time, calendar))


def _gaps(open_time: Int64Array1D, missing: Int64Array1D) -> list[Gap]:
    return [
        Gap(after=int(open_time[at]), before=int(open_time[at + 1]), bars=int(missing[at]))
        for at in np.flatnonzero(missing > 0)
    ]


def _missing_sessions(open_time: Int64Array1D, calendar: Calendar) -> Int64Array1D:
    """Session days strictly between neighbouring bars, (n - 1,)."""
    days = open_time // _DAY_MS
    sessions = session_days(int(days[0]), int(days[-1]), calendar)
    between = np.searchsorted(sessions, days[1:], "left") - np.searchsorted(sessions, days[:-1], "right")
    between = np.maximum(between, 0)
    if calendar is Calendar.XNYS:
        unknown = (days[1:] < _FIRST_KNOWN_DAY) & (between <= _LONGEST_UNKNOWN_CLOSURE_DAYS)
        between[unknown] = 0
    return between


def _missing_hours(open_time: Int64Array1D, step: int, steps: Int64Array1D, calendar: Calendar) -> Int64Array1D:
    """Trading stamps of the grid strictly between neighbouring bars, (n - 1,)."""
    at = np.flatnonzero(steps > 0)
    counts = steps[at]
    owner = np.repeat(at, counts)
    place = np.arange(owner.size) - np.repeat(np.cumsum(counts) - counts, counts)
    trading = is_trading_time(open_time[owner] + step * (place + 1), calendar)
    return np.bincount(owner[trading], minlength=len(open_time) - 1)
