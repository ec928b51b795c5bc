"""When a market trades: the sessions of a calendar and the first moment at which a next bar can open.

Exchange holidays are known for New York only (rules since 1990, with the unplanned closures); other exchanges count every
weekday as a session, so their holidays show up as gaps.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

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
