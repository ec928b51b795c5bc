"""Market data for jobs: checked at submission, memory-mapped by workers."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from stratopt.market.bars import Bars
from stratopt.market.catalogue import Catalogue
from stratopt.optimization.artifacts import DISK_FULL
from stratopt.optimization.exceptions import ResourceExhaustionError
from stratopt.optimization.job_spec import JobSpec

MOST_OTHERS = 8


class SeriesAccess:
    """Finds series in a catalogue. Safe for several threads."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._lock = threading.Lock()
        self._located: dict[tuple[str, str], tuple[Hashable, dict[str, Any]]] = {}

    def check(self, symbol: str, timeframe: str, start: str | None, end: str | None) -> tuple[str, int]:
        """The stored symbol and the seconds of a bar that are meant, or MarketDataError if the range has no bars."""
        bars = self.catalogue.bars(symbol, timeframe, start, end)
        return bars.symbol, bars.timeframe.seconds

    def bars(self, symbol: str, timeframe: str) -> Bars:
        """The whole series."""
        return self.catalogue.bars(symbol, timeframe)

    def listing(self) -> list[dict[str, Any]]:
        """Every stored series."""
        return [series.to_dict() for series in self.catalogue.series()]

    def others(self, spec: JobSpec) -> list[str]:
        """Symbols for the cross-asset validation of a job, none if it asks for none: other assets on the same timeframe and calendar."""
        if not spec.validation.cross_asset_validation:
            return []
        bars = self.catalogue.bars(spec.symbol, spec.timeframe)
        asset = bars.symbol.split("-")[0]
        found = [
            series.symbol
            for series in self.catalogue.series()
            if series.timeframe == bars.timeframe
            and series.calendar == bars.calendar
            and series.symbol.split("-")[0] != asset
        ]
        return found[:MOST_OTHERS]

    def locate(self, symbol: str, timeframe: str) -> dict[str, Any]:
        """The memory map of the whole series, as a worker's payload.

        The map is named by its content: a series that is imported again gets another one, and jobs that hold the old one
        keep it. A map that was deleted is written again.
        """
        with self._lock:
            state, (seen, located) = self.catalogue.state(symbol), self._located.get((symbol, timeframe), (None, None))
            if located is None or seen != state or not Path(located["file"]).is_file():
                located = self._locate(symbol, timeframe)
                self._located[symbol, timeframe] = state, located
            return located

    def _locate(self, symbol: str, timeframe: str) -> dict[str, Any]:
        bars = self.catalogue.bars(symbol, timeframe)
        return {
            "file": str(self._mapped(bars)),
            "symbol": bars.symbol,
            "timeframe": str(bars.timeframe),
            "calendar": bars.calendar.value,
        }

    def _mapped(self, bars: Bars) -> Path:
        try:
            return self.catalogue.map_file(bars)
        except OSError as error:
            raise ResourceExhaustionError(
                f"the memory map of {bars.symbol} {bars.timeframe} cannot be written: {error}; free disk space or repair the data directory",
                code="storage_full" if error.errno in DISK_FULL else "storage_unavailable",
            ) from error
