"""When a market trades: the first moment at which a next bar can open, and which days and hours are sessions."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np

from stratopt.kernels.arrays import BoolArray1D, Int64Array1D
from stratopt.market.holidays import new_york_holidays
from stratopt.market.timeframe import DAY, Calendar, Timeframe

_SATURDAY, _SUNDAY = 5, 6
_SESSION_HOURS = {
    Calendar.XNYS: ("America/New_York", dt.time(9, 30), dt.time(16, 0)),
    Calendar.XLON: ("Europe/London", dt.time(8, 0), dt.time(16, 30)),
    Calendar.XTKS: ("Asia/Tokyo", dt.time(9, 0), dt.time(15, 30)),
}
_CURRENCY_ZONE, _CURRENCY_ROLL = ZoneInfo("America/New_York"), dt.time(17, 0)


def next_trading_ms(last_open_ms: int, timeframe: Timeframe, calendar: Calendar) -> int:
    """The earliest UTC stamp at which a bar after the one opened at ``last_open_ms`` can open.

    Weekends and session hours count, holidays do not: the answer is never too late.
    """
    close_ms = last_open_ms + timeframe.seconds * 1000
    if calendar is Calendar.ALWAYS or timeframe.seconds > DAY:
        return close_ms
    if timeframe.seconds == DAY:
        return _skip_weekend(close_ms)
    close = dt.datetime.fromtimestamp(close_ms / 1000, tz=dt.UTC)
    if calendar is Calendar.FX_24_5:
        return _to_ms(_next_currency_moment(close))
    return _to_ms(_next_exchange_moment(close, calendar))


def _skip_weekend(midnight_ms: int) -> int:
    day = dt.datetime.fromtimestamp(midnight_ms / 1000, tz=dt.UTC)
    return midnight_ms + {_SATURDAY: 2, _SUNDAY: 1}.get(day.weekday(), 0) * DAY * 1000


def _next_currency_moment(close: dt.datetime) -> dt.datetime:
    """Currencies rest from Friday 17:00 to Sunday 17:00 New York."""
    local = close.astimezone(_CURRENCY_ZONE)
    days_since_friday = (local.weekday() - 4) % 7
    resting = (
        (days_since_friday == 0 and local.time() >= _CURRENCY_ROLL)
        or days_since_friday == 1
        or (days_since_friday == 2 and local.time() < _CURRENCY_ROLL)
    )
    if not resting:
        return close
    sunday = local.date() + dt.timedelta(days=2 - days_since_friday)
    return dt.datetime.combine(sunday, _CURRENCY_ROLL, tzinfo=_CURRENCY_ZONE)


def _next_exchange_moment(close: dt.datetime, calendar: Calendar) -> dt.datetime:
    zone_name, opening, closing = _SESSION_HOURS[calendar]
    zone = ZoneInfo(zone_name)
    local = close.astimezone(zone)
    day = local.date()
    if local.time() >= closing or day.weekday() >= _SATURDAY:
        day += dt.timedelta(days=1)
        while day.weekday() >= _SATURDAY:
            day += dt.timedelta(days=1)
    elif local.time() >= opening:
        return close
    return dt.datetime.combine(day, opening, tzinfo=zone)


def _to_ms(moment: dt.datetime) -> int:
    return int(moment.timestamp() * 1000)


def session_days(first_day: int, last_day: int, calendar: Calendar) -> Int64Array1D:
    """The days (since 1970) from ``first_day`` to ``last_day`` on which ``calendar`` trades.

    Holidays are known for New York since 1972; other exchanges count every weekday.
    """
    days = np.arange(first_day, last_day + 1, dtype=np.int64)
    if calendar is Calendar.ALWAYS:
        return days
    trading = (days + 3) % 7 < _SATURDAY
    if calendar is Calendar.XNYS:
        trading &= ~np.isin(days, new_york_holidays(first_day, last_day))
    return days[trading]


def is_trading_time(open_time: Int64Array1D, calendar: Calendar) -> BoolArray1D:
    """Whether a bar may open at each stamp; the lunch break of Tokyo is not one."""
    if calendar is Calendar.ALWAYS:
        return np.ones(open_time.shape, dtype=np.bool_)
    zone = str(_CURRENCY_ZONE) if calendar is Calendar.FX_24_5 else _SESSION_HOURS[calendar][0]
    import pandas as pd

    local = pd.DatetimeIndex(open_time.astype("datetime64[ms]")).tz_localize("UTC").tz_convert(zone)
    day, minute = np.asarray(local.day_of_week), np.asarray(local.hour * 60 + local.minute)
    if calendar is Calendar.FX_24_5:
        roll = _minutes(_CURRENCY_ROLL)
        return (day < 4) | ((day == 4) & (minute < roll)) | ((day == _SUNDAY) & (minute >= roll))
    _, opening, closing = _SESSION_HOURS[calendar]
    trading = (day < _SATURDAY) & (minute >= _minutes(opening)) & (minute < _minutes(closing))
    if calendar is Calendar.XTKS:
        trading &= (minute < _minutes(dt.time(11, 30))) | (minute >= _minutes(dt.time(12, 30)))
    return trading


def _minutes(time: dt.time) -> int:
    return time.hour * 60 + time.minute
