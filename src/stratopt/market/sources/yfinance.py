"""Bars from Yahoo through yfinance (extra ``yahoo``)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pandas as pd

from stratopt.errors import MarketDataError
from stratopt.market.acceptance import Imported, accept
from stratopt.market.frames import columns_of
from stratopt.market.raw_series import RawSeries
from stratopt.market.resample import bin_end_ms
from stratopt.market.stamps import Stamp, iso, moment_to_ms
from stratopt.market.symbols import checked_symbol
from stratopt.market.timeframe import DAY, Calendar, Timeframe

Fetch = Callable[[str, str, str | None, str | None], Any]
"""``fetch(ticker, interval, start, end)``: a pandas frame as ``yfinance.Ticker.history`` returns it."""

_INTERVALS = {"1w": "1wk", "1M": "1mo", "3M": "3mo"}


def load_yahoo(
    ticker: str,
    timeframe: str | Timeframe = "1d",
    start: Stamp | None = None,
    end: Stamp | None = None,
    *,
    stored_as: str | None = None,
    calendar: str | Calendar | None = None,
    repairs: Collection[str] = (),
    fetch: Fetch | None = None,
    now_ms: int | None = None,
) -> Imported:
    """The bars of a Yahoo ticker with ``start <= open stamp < end``, adjusted for splits, not for dividends.

    Bars of a day or longer are stamped with midnight UTC of the session's local date. A last bar that has not closed is
    left out: a daily one counts as closed when its date has ended in UTC. The symbol of the bars is ``stored_as``, or the
    letters and digits of ``ticker``.

    Raises
    ------
    MarketDataError
        ``missing_extra``, ``source_failed``, ``empty_range``, ``invalid_bars`` with a report.
    """
    length = Timeframe.parse(timeframe)
    now = int(time.time() * 1000) if now_ms is None else now_ms
    since, until = moment_to_ms(start, field="start"), moment_to_ms(end, field="end")
    name = checked_symbol(stored_as or re.sub(r"[^A-Za-z0-9._-]", "", ticker))
    bounds = [None if ms is None else iso(ms) for ms in (since, until)]
    interval = _INTERVALS.get(str(length), str(length))
    frame = _flat((fetch or _yahoo_fetch)(ticker, interval, *bounds), length)
    if not len(frame):
        raise _empty(ticker, length)
    raw = RawSeries.of(name, columns_of(frame, name), length, calendar)
    raw = _closed_within(raw, since, until, now)
    if not len(raw):
        raise _empty(ticker, length)
    facts = {"description": f"{ticker} {length} from Yahoo through yfinance", "ticker": ticker}
    return accept(raw, facts, repairs=repairs, now_ms=now)


def _flat(frame: Any, timeframe: Timeframe) -> pd.DataFrame:
    """One level of columns, stamps without a zone: dates of the exchange for days, UTC for shorter bars."""
    if not isinstance(frame, pd.DataFrame):
        raise MarketDataError(f"Yahoo answered with {type(frame).__name__}, not with a table", code="source_failed")
    flat = frame.copy()
    if isinstance(flat.columns, pd.MultiIndex):
        flat.columns = flat.columns.get_level_values(0)
    index = pd.DatetimeIndex(flat.index)
    if timeframe.seconds >= DAY:
        flat.index = index.tz_localize(None).normalize()
    else:
        flat.index = index if index.tz is None else index.tz_convert("UTC").tz_localize(None)
    return flat


def _closed_within(raw: RawSeries, since: int | None, until: int | None, now: int) -> RawSeries:
    stamps = raw.open_time
    keep = np.ones(stamps.size, dtype=np.bool_)
    if since is not None:
        keep &= stamps >= since
    if until is not None:
        keep &= stamps < until
    latest = int(np.argmax(stamps))
    keep[latest] &= bin_end_ms(int(stamps[latest]), raw.timeframe) <= now
    return raw.take(keep)


def _empty(ticker: str, timeframe: Timeframe) -> MarketDataError:
    return MarketDataError(f"Yahoo has no closed {timeframe} bar of {ticker[:40]!r} in the range", code="empty_range")


def _yahoo_fetch(ticker: str, interval: str, start: str | None, end: str | None) -> Any:
    try:
        import yfinance
    except ImportError as error:
        raise MarketDataError(
            "loading from Yahoo needs yfinance; install it with: pip install 'stratopt[yahoo]'", code="missing_extra"
        ) from error
    try:
        return yfinance.Ticker(ticker).history(
            interval=interval, start=start, end=end, auto_adjust=False, actions=False
        )
    except (OSError, ValueError, KeyError, TypeError, yfinance.exceptions.YFException) as error:
        raise MarketDataError(f"Yahoo refused {ticker[:40]!r} {interval}: {error}", code="source_failed") from error
