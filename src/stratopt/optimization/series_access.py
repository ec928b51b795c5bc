"""Market data for jobs: checked at submission, memory-mapped by workers."""

from __future__ import annotations

import threading
from typing import Any

from stratopt.market.catalogue import Catalogue


class SeriesAccess:
    """Finds series in a catalogue. Safe for several threads."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._lock = threading.Lock()
        self._located: dict[tuple[str, str], dict[str, Any]] = {}

    def check(self, symbol: str, timeframe: str, start: str | None, end: str | None) -> int:
        """Number of bars of the range, or MarketDataError."""
        return len(self.catalogue.bars(symbol, timeframe, start, end))

    def listing(self) -> list[dict[str, Any]]:
        """Every stored series."""
        return [series.to_dict() for series in self.catalogue.series()]

    def locate(self, symbol: str, timeframe: str) -> dict[str, Any]:
        """The memory map of the whole series, as a worker's payload.

        The map is named by its content; a series that is imported again while the server runs is seen after a restart.
        """
        with self._lock:
            key = (symbol, timeframe)
            if key not in self._located:
                bars = self.catalogue.bars(symbol, timeframe)
                path = self.catalogue.map_file(bars)
                self._located[key] = {
                    "file": str(path),
                    "symbol": bars.symbol,
                    "timeframe": str(bars.timeframe),
                    "calendar": bars.calendar.value,
                }
            return self._located[key]
