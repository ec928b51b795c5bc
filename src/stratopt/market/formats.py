"""Text formats of price files: what each source's columns, stamps and quirks are.

==================  =====================================================================================================
preset              what it reads
==================  =====================================================================================================
yahoo               Date, Open, High, Low, Close, Adj Close, Volume; close is adjusted for splits, Adj Close is left out
binance             klines: 12 columns with or without a header, epoch ms (us since 2025); volume in the base asset
cryptodatadownload  a line with the site's address, then unix, date, symbol, open, ...; newest row first; the first volume
                    column (base asset) counts
histdata            yyyymmdd HHMMSS;open;high;low;close;volume without a header, in New York's winter time (UTC-5) all year
generic             any header with open, high, low, close and a stamp column, separated by , ; tab or |, in any letter
                    case, up to 20 lines of preamble above it
==================  =====================================================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stratopt.errors import MarketDataError
from stratopt.market.timeframe import Calendar

_KLINE_COLUMNS = [
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "trades",
    "taker_base_volume",
    "taker_quote_volume",
    "ignore",
]
_MOST_PREAMBLE_LINES = 20


@dataclass(frozen=True, kw_only=True)
class Format:
    """How to read one source's text files."""

    name: str
    columns: tuple[str, ...] = ()
    """Names for files without a header; empty when there is one."""
    stamp_columns: tuple[str, ...] = ("open_time", "timestamp", "datetime", "date", "time", "unix")
    """Candidates, best first."""
    stamp_formats: tuple[str, ...] = ()
    """strptime patterns tried before ISO 8601."""
    utc_offset_hours: int = 0
    """What the stamps are ahead of UTC."""
    newest_first: bool = False
    """Whether reverse order belongs to the format and is turned without being asked."""
    epoch_unit_varies: bool = False
    """Whether seconds and milliseconds occur in one file."""
    calendar: Calendar | None = None
    """The market of the source, when it is always the same."""


PRESETS = {
    preset.name: preset
    for preset in (
        Format(name="yahoo", stamp_columns=("date", "datetime")),
        Format(name="binance", columns=tuple(_KLINE_COLUMNS), stamp_columns=("open_time",), calendar=Calendar.ALWAYS),
        Format(
            name="cryptodatadownload",
            stamp_columns=("unix", "unix timestamp", "date"),
            stamp_formats=("%Y-%m-%d %I-%p",),
            newest_first=True,
            epoch_unit_varies=True,
            calendar=Calendar.ALWAYS,
        ),
        Format(
            name="histdata",
            columns=("datetime", "open", "high", "low", "close", "volume"),
            stamp_formats=("%Y%m%d %H%M%S",),
            utc_offset_hours=-5,
            calendar=Calendar.FX_24_5,
        ),
        Format(
            name="generic",
            stamp_formats=(
                "%d.%m.%Y %H:%M:%S.%f",
                "%d.%m.%Y %H:%M:%S",
                "%d.%m.%Y %H:%M",
                "%d.%m.%Y",
                "%Y%m%d %H%M%S",
                "%Y%m%d %H:%M:%S",
                "%Y.%m.%d %H:%M:%S",
                "%Y.%m.%d %H:%M",
            ),
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the table of a text file begins and how it is separated."""

    separator: str
    skip_lines: int
    has_header: bool


def preset(name: str) -> Format:
    """The preset called ``name``; MarketDataError names the known ones."""
    if name not in PRESETS:
        raise MarketDataError(
            f"unknown format {name!r}; known: auto, {', '.join(PRESETS)}", code="unknown_format", format=str(name)[:40]
        )
    return PRESETS[name]


def detect(head: list[str]) -> str:
    """The preset that the first lines of a file look like."""
    lines = [line.strip().lstrip("\ufeff").lower() for line in head if line.strip()]
    first = lines[0] if lines else ""
    if re.match(r"\d{8} \d{6};", first):
        return "histdata"
    if "cryptodatadownload" in first or re.match(r"unix( timestamp)?,date,symbol,", first):
        return "cryptodatadownload"
    if first.startswith("open_time,open,high,low,close,volume,close_time") or re.match(
        r"\d{10,16},([\d.]+,){10}", first
    ):
        return "binance"
    if re.match(r"date(time)?,open,high,low,close,adj close,volume", first):
        return "yahoo"
    return "generic"


def layout_of(head: list[str], format_: Format, file: str) -> Layout:
    """The layout of a file that begins with the lines ``head``.

    Raises
    ------
    MarketDataError
        ``unreadable_file`` when no header line with open, high, low and close is found where one is needed.
    """
    for number, line in enumerate(head[:_MOST_PREAMBLE_LINES]):
        words = {word.strip(' "\ufeff').lower() for word in re.split(r"[,;\t|]", line)}
        if {"open", "high", "low", "close"} <= words:
            return Layout(separator=_separator(line), skip_lines=number, has_header=True)
    if format_.columns and head:
        return Layout(separator=_separator(head[0]), skip_lines=0, has_header=False)
    raise MarketDataError(
        f"{file}: no line with open, high, low and close among the first {_MOST_PREAMBLE_LINES}; add a header line or name the "
        f"format (one of {', '.join(PRESETS)})",
        code="unreadable_file",
        file=file,
    )


def _separator(line: str) -> str:
    return max(",;\t|", key=line.count)
