"""Resampling: one documented rule.

Bins are labelled by their open time and anchored at midnight UTC; weeks begin on Monday, months on the first. On a 24/5
market, whose week opens on Sunday evening in UTC, the Sunday bars count to Monday in bins of a day or longer, so that a
week has five daily bars. A bin without bars does not exist. The last bin is dropped unless it is certainly complete: no
bar of it can follow on the market's calendar. A bin's values are known only after its last bar closed.
"""

from __future__ import annotations

import numpy as np

from stratopt.errors import MarketDataError
from stratopt.kernels.arrays import Int64Array1D
from stratopt.kernels.resample import aggregate_bars
from stratopt.market.bars import Bars
from stratopt.market.sessions import next_trading_ms
from stratopt.market.timeframe import DAY, Calendar, Timeframe

DAY_MS = DAY * 1000
_WEEK_SECONDS = 7 * DAY
_THURSDAY_TO_MONDAY_MS = 4 * DAY_MS  # 1970-01-01 was a Thursday
_SUNDAY = 6


def can_resample(source: Timeframe, target: Timeframe) -> bool:
    """Whether bins of ``target`` are made of whole bars of ``source``."""
    if source.is_calendar_month:
        return target.is_calendar_month and _months(target) % _months(source) == 0 and source.text != target.text
    if target.is_calendar_month:
        return DAY % source.seconds == 0
    return target.seconds > source.seconds and target.seconds % source.seconds == 0


def resample(bars: Bars, timeframe: str | Timeframe, *, drop_partial_last: bool = True) -> Bars:
    """``bars`` in the longer ``timeframe``.

    The first bin is kept even where the series begins in the middle of it.

    Raises
    ------
    MarketDataError
        If ``timeframe`` is no multiple of the bars' timeframe.
    """
    target = Timeframe.parse(timeframe)
    if target.seconds == bars.timeframe.seconds:
        return bars
    if not can_resample(bars.timeframe, target):
        raise MarketDataError(
            f"{bars.symbol}: {target} bars cannot be made of {bars.timeframe} bars; the new timeframe must be a multiple",
            code="unknown_timeframe",
            timeframe=str(target),
            stored=str(bars.timeframe),
        )
    bin_open = bin_open_times(bars.open_time, target, bars.calendar)
    out = np.empty((6, len(bars)))
    count = aggregate_bars(bars.matrix, bin_open, out)
    if count and drop_partial_last and not _last_bin_is_complete(bars, int(bin_open[-1]), target):
        count -= 1
    matrix = np.ascontiguousarray(out[:, :count])
    matrix.flags.writeable = False
    origin = f"{bars.origin}; " if bars.origin else ""
    return Bars.trusted(bars.symbol, target, bars.calendar, matrix, f"{origin}resampled from {bars.timeframe}")


def bin_open_times(open_time: Int64Array1D, timeframe: Timeframe, calendar: Calendar) -> Int64Array1D:
    """The open stamp of the bin of each stamp, in milliseconds."""
    stamps = open_time
    if calendar is Calendar.FX_24_5 and timeframe.seconds >= DAY:
        days = stamps // DAY_MS
        stamps = np.where((days + 3) % 7 == _SUNDAY, (days + 1) * DAY_MS, stamps)
    if timeframe.is_calendar_month:
        months = stamps.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
        length = _months(timeframe)
        return (months // length * length).astype("datetime64[M]").astype("datetime64[ms]").astype(np.int64)
    step = timeframe.seconds * 1000
    anchor = _THURSDAY_TO_MONDAY_MS if timeframe.seconds % _WEEK_SECONDS == 0 else 0
    return (stamps - anchor) // step * step + anchor


def bin_end_ms(bin_open: int, timeframe: Timeframe) -> int:
    """The open stamp of the following bin."""
    if timeframe.is_calendar_month:
        month = np.datetime64(bin_open, "ms").astype("datetime64[M]") + _months(timeframe)
        return int(month.astype("datetime64[ms]").astype(np.int64))
    return bin_open + timeframe.seconds * 1000


def _months(timeframe: Timeframe) -> int:
    return int(timeframe.text[:-1])


def _last_bin_is_complete(bars: Bars, bin_open: int, target: Timeframe) -> bool:
    last_open = int(bars.open_time[-1])
    if bars.timeframe.is_calendar_month:
        return bin_end_ms(last_open, bars.timeframe) >= bin_end_ms(bin_open, target)
    following = next_trading_ms(last_open, bars.timeframe, bars.calendar)
    label = bin_open_times(np.array([following], dtype=np.int64), target, bars.calendar)
    return int(label[0]) >= bin_end_ms(bin_open, target)
