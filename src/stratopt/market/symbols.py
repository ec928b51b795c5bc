"""Symbols: what they may look like and what existing clients call the bundled series.

======================================================================================  =========
written by clients                                                                      series
======================================================================================  =========
BTC, XBT, BTC-USD, BTC/USD, BTC_USD, BTCUSDT, BTC-USDT, BTC/USDT, XBTUSD                BTCUSD
ETH, ETH-USD, ETH/USD, ETH_USD, ETHUSDT, ETH-USDT, ETH/USDT                             ETHUSD
LTC, LTC-USD, LTC/USD, LTC_USD, LTCUSDT, LTC-USDT, LTC/USDT                             LTCUSD
EUR/USD, EUR-USD, EUR_USD, EURUSD=X                                                     EURUSD
^GSPC, GSPC, SP500                                                                      SPX
FB                                                                                      META
======================================================================================  =========

A series stored under the very name always wins over an alias. Prices in tether are answered with prices in dollars.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

from stratopt.errors import MarketDataError

PATTERN = re.compile(r"[A-Z0-9._-]{1,32}")


def _aliases() -> dict[str, str]:
    table = {"XBT": "BTCUSD", "XBTUSD": "BTCUSD", "FB": "META"}
    table |= dict.fromkeys(("^GSPC", "GSPC", "SP500"), "SPX")
    table |= dict.fromkeys(("EUR/USD", "EUR-USD", "EUR_USD", "EURUSD=X"), "EURUSD")
    for coin in ("BTC", "ETH", "LTC"):
        names = ("", "-USD", "/USD", "_USD", "USDT", "-USDT", "/USDT")
        table |= {coin + name: f"{coin}USD" for name in names}
    return table


ALIASES = _aliases()


def is_storable(name: str) -> bool:
    """Whether ``name`` is 1 to 32 of the characters A-Z 0-9 . _ - beginning with a letter or digit."""
    return PATTERN.fullmatch(name) is not None and name[0].isalnum()


def checked_symbol(symbol: str) -> str:
    """``symbol`` in upper case, fit to be stored.

    Raises
    ------
    MarketDataError
        If it is not 1 to 32 of the characters A-Z 0-9 . _ - beginning with a letter or digit.
    """
    name = symbol.strip().upper() if isinstance(symbol, str) else ""
    if not is_storable(name):
        raise MarketDataError(
            f"{str(symbol)[:40]!r} cannot be a symbol; use 1 to 32 of the characters A-Z 0-9 . _ - and begin with a letter or digit",
            code="invalid_symbol",
            symbol=str(symbol)[:40],
        )
    return name


def meanings(symbol: str) -> tuple[str, ...]:
    """The stored names that ``symbol`` may mean, best first: itself in upper case, then its alias."""
    name = symbol.strip().upper() if isinstance(symbol, str) else ""
    return (name, ALIASES[name]) if name in ALIASES else (name,)


def imported_symbol(symbol: str, imported: Collection[str], bundled: Collection[str]) -> str:
    """The name of a series of the user: ``symbol`` in upper case, never an alias.

    Raises
    ------
    MarketDataError
        ``unknown_symbol``, with the nearest name and the list of imported ones.
    """
    names = meanings(symbol)
    if names[0] in imported:
        return names[0]
    near = [name for name in names if name in imported] or difflib.get_close_matches(names[0][:40], imported, n=1)
    what = "comes with stratopt and cannot be removed" if {*names} & {*bundled} else "is not imported"
    raise MarketDataError(
        f"{str(symbol)[:40]!r} {what}."
        + (f" Did you mean {near[0]}?" if near else "")
        + f" Imported: {', '.join(sorted(imported)) or 'nothing'}.",
        code="unknown_symbol",
        symbol=str(symbol)[:40],
        suggestion=near[0] if near else None,
        known=sorted(imported),
    )


def resolve_symbol(symbol: str, known: Collection[str]) -> str:
    """The stored name that ``symbol`` means: itself in upper case, else its alias.

    Raises
    ------
    MarketDataError
        ``unknown_symbol``, with the nearest name and the list of known ones.
    """
    names = meanings(symbol)
    for name in names:
        if name in known:
            return name
    near = difflib.get_close_matches(names[0][:40], [*known, *ALIASES], n=1, cutoff=0.6)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise MarketDataError(
        f"unknown symbol {str(symbol)[:40]!r}.{hint} Known: {', '.join(sorted(known))}. "
        "Add your own with `stratopt data import`.",
        code="unknown_symbol",
        symbol=str(symbol)[:40],
        suggestion=near[0] if near else None,
        known=sorted(known),
    )
