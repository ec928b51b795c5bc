"""What an import says of bundled series that it would hide, and how they come back."""

from __future__ import annotations

from collections.abc import Sequence

from stratopt.errors import MarketDataError
from stratopt.market.series import Series
from stratopt.market.timeframe import Timeframe


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
