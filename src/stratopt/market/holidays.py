"""The New York Stock Exchange's closed weekdays since 1972: the rules and the unplanned closures."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

import numpy as np

from stratopt.kernels.arrays import Int64Array1D

FIRST_KNOWN_YEAR = 1972
_MONDAY, _THURSDAY = 0, 3

# Elections, funerals, storms, a power cut, the attacks of 2001.
_UNPLANNED = [
    "1972-11-07",
    "1972-12-28",
    "1973-01-25",
    "1976-11-02",
    "1977-07-14",
    "1980-11-04",
    "1985-09-27",
    "1994-04-27",
    "2001-09-11",
    "2001-09-12",
    "2001-09-13",
    "2001-09-14",
    "2004-06-11",
    "2007-01-02",
    "2012-10-29",
    "2012-10-30",
    "2018-12-05",
    "2025-01-09",
]


def new_york_holidays(first_day: int, last_day: int) -> Int64Array1D:
    """Closed weekdays as days since 1970, from ``first_day`` to ``last_day``; none before 1972, where the rules differ."""
    years = range(max(_year(first_day), FIRST_KNOWN_YEAR), _year(last_day) + 1)
    dates = [day for year in years for day in _rules(year)] + [dt.date.fromisoformat(day) for day in _UNPLANNED]
    days = np.unique(np.array(dates, dtype="datetime64[D]").astype(np.int64))
    return days[(days >= first_day) & (days <= last_day)]


@lru_cache(maxsize=256)
def _rules(year: int) -> tuple[dt.date, ...]:
    days = [
        _nth_weekday(year, 2, _MONDAY, 3),
        _easter_sunday(year) - dt.timedelta(days=2),
        _last_monday_of_may(year),
        _observed(dt.date(year, 7, 4)),
        _nth_weekday(year, 9, _MONDAY, 1),
        _nth_weekday(year, 11, _THURSDAY, 4),
        _observed(dt.date(year, 12, 25)),
    ]
    if dt.date(year, 1, 1).weekday() != 5:  # a New Year's Day on a Saturday is not made up for
        days.append(_observed(dt.date(year, 1, 1)))
    if year >= 1998:
        days.append(_nth_weekday(year, 1, _MONDAY, 3))
    if year >= 2022:
        days.append(_observed(dt.date(year, 6, 19)))
    return tuple(days)


def _observed(day: dt.date) -> dt.date:
    """Saturday's holiday is kept on Friday, Sunday's on Monday."""
    return day + dt.timedelta(days={5: -1, 6: 1}.get(day.weekday(), 0))


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> dt.date:
    first = dt.date(year, month, 1)
    return first + dt.timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _last_monday_of_may(year: int) -> dt.date:
    last = dt.date(year, 5, 31)
    return last - dt.timedelta(days=last.weekday())


def _easter_sunday(year: int) -> dt.date:
    """Western Easter by the Meeus/Jones/Butcher algorithm."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    weekday = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * weekday) // 451
    month, day = divmod(h + weekday - 7 * m + 114, 31)
    return dt.date(year, month, day + 1)


def _year(day: int) -> int:
    return int(np.datetime64(day, "D").astype("datetime64[Y]").astype(np.int64)) + 1970
