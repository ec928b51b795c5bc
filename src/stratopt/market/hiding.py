"""Which bundled series a user's series hides: that of its own name and timeframe, or all that its name is an alias of."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from stratopt.errors import MarketDataError
from stratopt.market.series import Series
from stratopt.market.sources import bundled
from stratopt.market.symbols import ALIASES
from stratopt.market.timeframe import Timeframe


def hidden_by(symbol: str, timeframe: Timeframe, own: Collection[tuple[str, Timeframe]]) -> list[Series]:
    """The bundled series that are found now and are not any more once ``symbol`` has bars of ``timeframe``.

    ``own`` are the symbols and timeframes that the user has stored.
    """
    series = [Series.from_facts(entry, "bundled", None) for entry in bundled.entries()]
    of_that_name = [one for one in series if one.symbol == symbol]
    if of_that_name:
        stored = {length.seconds for name, length in own if name == symbol}
        return [one for one in of_that_name if one.timeframe.seconds == timeframe.seconds not in stored]
    if any(name == symbol for name, _ in own):
        return []
    return [one for one in series if one.symbol == ALIASES.get(symbol)]


def told(series: Sequence[Series]) -> str:
    """Bundled series in words: ``BTCUSD 1d (1864 bars, 2014-11-28 to 2020-01-16)``."""
    return ", ".join(f"{s.symbol} {s.timeframe} ({s.rows} bars, {s.first[:10]} to {s.last[:10]})" for s in series)


def refuse_hiding(symbol: str, timeframe: Timeframe, hidden: Sequence[Series]) -> None:
    """MarketDataError ``hides_bundled`` when there is something that ``symbol`` would hide."""
    if hidden:
        raise MarketDataError(
            f"{symbol} {timeframe} would hide what comes with stratopt: {told(hidden)}. Choose another --symbol, or add --replace; "
            f"`stratopt data remove {symbol}` would bring the bundled series back",
            code="hides_bundled",
            symbol=symbol,
            timeframe=str(timeframe),
            hidden=[f"{one.symbol} {one.timeframe}" for one in hidden],
        )
