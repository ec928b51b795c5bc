"""Which bundled series a user's series hides: that of its own name and timeframe, or all that its name is an alias of."""

from __future__ import annotations

from collections.abc import Collection

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
