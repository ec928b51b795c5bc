"""Bars from a crypto exchange through ccxt (extra ``ccxt``), page by page."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from stratopt.errors import MarketDataError
from stratopt.market.acceptance import Imported, accept
from stratopt.market.raw_series import RawSeries
from stratopt.market.stamps import Stamp, iso, moment_to_ms
from stratopt.market.symbols import checked_symbol
from stratopt.market.timeframe import Calendar, Timeframe

Candle = Sequence[float]
Fetch = Callable[[str, str, int, int], Sequence[Candle]]
"""``fetch(symbol, timeframe, since_ms, limit)``: candles (stamp ms, open, high, low, close, volume), oldest first."""

PAGE_BARS = 1000


def load_ccxt(
    symbol: str,
    timeframe: str | Timeframe,
    start: Stamp,
    end: Stamp | None = None,
    *,
    exchange: str = "binance",
    stored_as: str | None = None,
    repairs: Collection[str] = (),
    fetch: Fetch | None = None,
    now_ms: int | None = None,
) -> Imported:
    """The candles of ``symbol`` (the exchange's spelling, such as BTC/USDT) with ``start <= open stamp < end``.

    A last candle that has not closed is left out. ``stored_as`` is the symbol of the bars, the letters and digits of
    ``symbol`` when not given.

    Raises
    ------
    MarketDataError
        ``missing_extra``, ``unknown_exchange``, ``source_failed`` (the exchange's answer is the cause), ``empty_range``,
        ``invalid_bars`` with a report.
    """
    length = Timeframe.parse(timeframe)
    now = int(time.time() * 1000) if now_ms is None else now_ms
    since, until = moment_to_ms(start, field="start"), moment_to_ms(end, field="end")
    if since is None or (until is not None and until <= since):
        raise MarketDataError(f"end {end} is not after start {start}", code="invalid_range")
    name = checked_symbol(stored_as or re.sub(r"[^A-Za-z0-9._-]", "", symbol))
    last_open = now - length.seconds * 1000
    until = last_open + 1 if until is None else min(until, last_open + 1)
    candles = _pages(fetch or _exchange_fetch(exchange), symbol, length, since, until)
    if not candles:
        raise MarketDataError(
            f"{exchange} has no closed {length} candle of {symbol} from {iso(since)} to {iso(until)}",
            code="empty_range",
            symbol=name,
        )
    table = np.array(candles, dtype=np.float64).T
    columns = dict(zip(("open_time", "open", "high", "low", "close", "volume"), table, strict=True))
    raw = RawSeries.of(name, columns, length, Calendar.ALWAYS)
    facts = {"description": f"{symbol} {length} from {exchange} through ccxt", "exchange": exchange, "market": symbol}
    return accept(raw, facts, repairs=repairs, now_ms=now)


def _pages(fetch: Fetch, symbol: str, timeframe: Timeframe, since: int, until: int) -> list[Candle]:
    """All candles in [since, until): each page begins after the last candle; a page without a newer one is the end."""
    candles: list[Candle] = []
    while since < until:
        page = [candle for candle in fetch(symbol, str(timeframe), since, PAGE_BARS) if since <= candle[0]]
        if not page:
            break
        candles += [candle for candle in page if candle[0] < until]
        since = int(max(candle[0] for candle in page)) + 1
    return candles


def _exchange_fetch(exchange: str) -> Fetch:
    try:
        import ccxt
    except ImportError as error:
        raise MarketDataError(
            "loading from an exchange needs ccxt; install it with: pip install 'stratopt[ccxt]'", code="missing_extra"
        ) from error
    if exchange not in ccxt.exchanges:
        raise MarketDataError(
            f"ccxt knows no exchange {exchange[:40]!r}; see ccxt.exchanges, for example binance, kraken, coinbase",
            code="unknown_exchange",
        )
    client = getattr(ccxt, exchange)({"enableRateLimit": True})

    def fetch(symbol: str, timeframe: str, since: int, limit: int) -> Any:
        try:
            return client.fetch_ohlcv(symbol, timeframe, since, limit)
        except ccxt.BaseError as error:
            raise MarketDataError(f"{exchange} refused {symbol} {timeframe}: {error}", code="source_failed") from error

    return fetch
