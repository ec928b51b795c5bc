"""The catalogue: the user's series on disk layered over the series that come with the package."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

from stratopt.errors import MarketDataError
from stratopt.market.bars import Bars
from stratopt.market.hiding import hidden_by
from stratopt.market.mapped_file import write_mapped
from stratopt.market.parquet_file import read_facts, read_series
from stratopt.market.resample import can_resample, resample
from stratopt.market.series import STANDARD_TIMEFRAMES, Series
from stratopt.market.series_folder import SeriesFolder
from stratopt.market.sources import bundled
from stratopt.market.stamps import Stamp, iso, moment_to_ms
from stratopt.market.symbols import imported_symbol, meanings, resolve_symbol
from stratopt.market.timeframe import Timeframe


class Catalogue:
    """Price series by symbol and timeframe.

    Parameters
    ----------
    directory : Path, optional
        The data directory of the user: ``catalogue/<symbol>/<timeframe>.parquet`` and ``cache/<content hash>.npy`` in it are
        made on demand. Without it there are the bundled series only, and ``add`` and ``map_file`` raise ``no_data_directory``.

    A stored series of the user hides a bundled one of the same symbol and timeframe. Symbols are found in an index and never
    joined into a path.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = None if directory is None else Path(directory)
        self._folder = None if self._directory is None else SeriesFolder(self._directory / "catalogue")

    def series(self) -> list[Series]:
        """Every stored series, by symbol and length of the bar; ``corrupt_series`` names a file that cannot be read."""
        listed = [series for symbol in self.symbols() for series in self._stored(symbol).values()]
        return sorted(listed, key=lambda s: (s.symbol, s.timeframe.seconds))

    def symbols(self) -> list[str]:
        """The stored symbols."""
        own = () if self._folder is None else self._folder.paths()
        return sorted({entry["symbol"] for entry in bundled.entries()} | {symbol for symbol, _ in own})

    def timeframes(self, symbol: str) -> list[Timeframe]:
        """The stored timeframes of ``symbol``, shortest first; longer multiples of them are resampled."""
        return sorted(series.timeframe for series in self._stored(resolve_symbol(symbol, self.symbols())).values())

    def bars(
        self, symbol: str, timeframe: str | Timeframe = "1d", start: Stamp | None = None, end: Stamp | None = None
    ) -> Bars:
        """The bars with ``start <= open stamp < end``.

        A timeframe that is not stored is resampled from the longest stored one that divides it, which ``Bars.origin`` says.

        Parameters
        ----------
        symbol : str
            A stored name or an alias (``market.symbols``), in any letter case.
        start, end : optional
            ISO 8601 text, date, datetime or epoch count; without a zone they are UTC.

        Raises
        ------
        MarketDataError
            ``unknown_symbol``, ``unknown_timeframe``, ``invalid_stamps``, ``invalid_range`` (end not after start),
            ``empty_range`` (no bar in the range), ``corrupt_series``.
        """
        wanted = Timeframe.parse(timeframe)
        start_ms, end_ms = moment_to_ms(start, field="start"), moment_to_ms(end, field="end")
        if start_ms is not None and end_ms is not None and end_ms <= start_ms:
            raise MarketDataError(
                f"end {iso(end_ms)} is not after start {iso(start_ms)}; the range includes start and excludes end",
                code="invalid_range",
                start=iso(start_ms),
                end=iso(end_ms),
            )
        name = resolve_symbol(symbol, self.symbols())
        source = _source(name, wanted, self._stored(name))
        if source.timeframe.seconds == wanted.seconds:
            found = _read(source, start_ms, end_ms)
        else:
            found = _cut(resample(_read(source, None, None), wanted), start_ms, end_ms)
        if not len(found):
            raise MarketDataError(
                f"{name} {wanted} has no bar from {_bound(start_ms, 'the beginning')} to {_bound(end_ms, 'the end')}; "
                f"it covers {source.first} to {source.last}",
                code="empty_range",
                symbol=name,
                timeframe=str(wanted),
                first=source.first,
                last=source.last,
            )
        return found

    def state(self, symbol: str) -> Hashable:
        """Another value after each change of a series that ``symbol`` may mean; a few looks at files, nothing is read."""
        return None if self._folder is None else tuple(self._folder.state(name) for name in meanings(symbol))

    def add(self, bars: Bars, provenance: Mapping[str, Any]) -> Series:
        """Store ``bars`` under their symbol and timeframe, in place of a series of the user stored there before."""
        if self._folder is None:
            raise _no_directory("store a series")
        return self._folder.add(bars, provenance)

    def hidden_by(self, symbol: str, timeframe: Timeframe) -> list[Series]:
        """The bundled series that are found now and would not be any more with a stored ``symbol`` ``timeframe``."""
        return hidden_by(symbol, timeframe, () if self._folder is None else self._folder.paths())

    def imported_rows(self, symbol: str, timeframe: Timeframe | None = None) -> dict[Timeframe, int | None]:
        """How many bars the user's series of ``symbol`` have, or the one of ``timeframe``; None for a file that cannot be read."""
        return {} if self._folder is None else self._folder.rows(symbol, timeframe)

    def remove(self, symbol: str, timeframe: str | Timeframe | None = None) -> dict[Timeframe, int | None]:
        """Remove the user's series of ``symbol``, or the one of ``timeframe``; how many bars each had, as ``imported_rows``.

        Bundled series stay. Memory maps stay too, for jobs that hold them.

        Raises
        ------
        MarketDataError
            ``no_data_directory``; ``unknown_symbol`` and ``unknown_timeframe`` for what the user has not stored.
        """
        if self._folder is None:
            raise _no_directory("remove a series")
        own = self._folder.paths()
        name = imported_symbol(symbol, {name for name, _ in own}, {entry["symbol"] for entry in bundled.entries()})
        return self._folder.remove(name, None if timeframe is None else Timeframe.parse(timeframe))

    def map_file(self, bars: Bars) -> Path:
        """The memory map of ``bars`` for worker processes, written when it does not exist yet."""
        if self._directory is None:
            raise _no_directory("write a memory map")
        return write_mapped(self._directory / "cache", bars)

    def _stored(self, symbol: str) -> dict[int, Series]:
        """The series of a stored symbol by seconds of their bars."""
        found = {}
        for entry in bundled.entries():
            if entry["symbol"] == symbol:
                series = Series.from_facts(entry, "bundled", None)
                found[series.timeframe.seconds] = series
        for (name, timeframe), path in () if self._folder is None else self._folder.paths().items():
            if name == symbol:
                found[timeframe.seconds] = Series.from_facts(read_facts(path), "user", path)
        return found


def _source(symbol: str, wanted: Timeframe, stored: Mapping[int, Series]) -> Series:
    """The stored series of that length, else the longest one it can be resampled from."""
    if wanted.seconds in stored:
        return stored[wanted.seconds]
    usable = [series for series in stored.values() if can_resample(series.timeframe, wanted)]
    if usable:
        return max(usable, key=lambda series: series.timeframe.seconds)
    available = [str(stored[seconds].timeframe) for seconds in sorted(stored)]
    longer = {text for series in stored.values() for text in series.resamples_to} - set(available)
    made = [text for text in STANDARD_TIMEFRAMES if text in longer]
    raise MarketDataError(
        f"{symbol} has no {wanted} bars; stored: {', '.join(available)}"
        + (f"; made of them: {', '.join(made)}" if made else ""),
        code="unknown_timeframe",
        symbol=symbol,
        timeframe=str(wanted),
        available=available,
        resampled=made,
    )


def _read(series: Series, start_ms: int | None, end_ms: int | None) -> Bars:
    if series.path is None:
        return _cut(bundled.read(series.symbol, str(series.timeframe)), start_ms, end_ms)
    origin = f"stored {series.symbol} {series.timeframe}"
    return read_series(series.path, start_ms=start_ms, end_ms=end_ms, origin=origin)


def _cut(bars: Bars, start_ms: int | None, end_ms: int | None) -> Bars:
    first = 0 if start_ms is None else int(bars.open_time.searchsorted(start_ms))
    stop = len(bars) if end_ms is None else int(bars.open_time.searchsorted(end_ms))
    return bars if (first, stop) == (0, len(bars)) else bars[first:stop]


def _bound(ms: int | None, otherwise: str) -> str:
    return otherwise if ms is None else iso(ms)


def _no_directory(purpose: str) -> MarketDataError:
    return MarketDataError(
        f"a data directory is needed to {purpose}; set STRATOPT_DATA_DIR or pass a directory", code="no_data_directory"
    )
