"""The user's series on disk: ``<symbol>/<timeframe>.parquet`` and one ``<symbol>/meta.json`` that people can read.

The Parquet footer is the truth, ``meta.json`` a copy for people and listings outside of Python. Writers hold a lock on the
folder; readers need none, because every file appears by rename.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from stratopt.errors import MarketDataError
from stratopt.market.bars import Bars
from stratopt.market.parquet_file import read_facts, write_atomically, write_series
from stratopt.market.series import Series
from stratopt.market.symbols import checked_symbol, is_storable
from stratopt.market.timeframe import Timeframe


class SeriesFolder:
    """Stored series below one directory, which need not exist yet."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def paths(self) -> dict[tuple[str, Timeframe], Path]:
        """The file of every stored series, told by the names alone, so that one broken file spoils no other request."""
        found = {}
        for path in sorted(self._directory.glob("*/*.parquet")) if self._directory.is_dir() else []:
            if is_storable(path.parent.name) and not path.name.startswith("."):
                found[path.parent.name, Timeframe.parse(path.stem.replace("mo", "M"))] = path
        return found

    def state(self, symbol: str) -> tuple[tuple[str, int, int, int], ...]:
        """The files of ``symbol`` with inode, time of change and size: another value after each write and removal."""
        if not is_storable(symbol) or not (self._directory / symbol).is_dir():
            return ()
        paths = (path for path in (self._directory / symbol).glob("*.parquet") if not path.name.startswith("."))
        try:
            found = [(path.name, path.stat()) for path in sorted(paths)]
        except FileNotFoundError:  # removed at this very moment
            return ()
        return tuple((name, stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in found)

    def add(self, bars: Bars, provenance: Mapping[str, Any]) -> Series:
        """Write ``bars``; an older series of the same symbol and timeframe is replaced."""
        symbol = checked_symbol(bars.symbol)
        if symbol != bars.symbol:
            raise MarketDataError(f"store {bars.symbol!r} as {symbol!r}", code="invalid_symbol", symbol=bars.symbol)
        if not len(bars):
            raise MarketDataError(f"{symbol}: an empty series cannot be stored", code="empty_range", symbol=symbol)
        path = self._directory / symbol / f"{_stem(bars.timeframe)}.parquet"
        if not path.resolve().is_relative_to(self._directory.resolve()):
            raise MarketDataError(f"{symbol!r} leaves the catalogue's folder", code="invalid_symbol", symbol=symbol)
        with self._locked():
            facts = write_series(path, bars, provenance)
            self._write_meta(path.parent)
        return Series.from_facts(facts, "user", path)

    def rows(self, symbol: str, timeframe: Timeframe | None = None) -> dict[Timeframe, int | None]:
        """How many bars each stored series of ``symbol`` has, or the one; None for a file that cannot be read."""
        return {length: _rows(path) for length, path in self._stored(symbol, timeframe).items()}

    def remove(self, symbol: str, timeframe: Timeframe | None) -> dict[Timeframe, int | None]:
        """Remove what is stored of ``symbol``, or the one series; how many bars each had, as ``rows`` tells it."""
        with self._locked():
            chosen = self._stored(symbol, timeframe)
            if not chosen:
                raise self._not_imported(symbol, timeframe)
            removed = {length: _rows(path) for length, path in chosen.items()}
            for path in chosen.values():
                path.unlink()
            folder = self._directory / symbol
            if self._stored(symbol):
                self._write_meta(folder)
            else:
                (folder / "meta.json").unlink(missing_ok=True)
                with suppress(OSError):  # something of somebody else's is in it
                    folder.rmdir()
        return removed

    def _stored(self, symbol: str, timeframe: Timeframe | None = None) -> dict[Timeframe, Path]:
        """The files of ``symbol``, or the one, shortest bars first."""
        found = {length: path for (name, length), path in self.paths().items() if name == symbol}
        return {
            length: found[length]
            for length in sorted(found)
            if timeframe is None or length.seconds == timeframe.seconds
        }

    def _not_imported(self, symbol: str, timeframe: Timeframe | None) -> MarketDataError:
        available = [str(length) for length in self._stored(symbol)]
        return MarketDataError(
            f"{symbol} has no imported {'' if timeframe is None else f'{timeframe} '}bars; imported: {', '.join(available) or 'nothing of it'}",
            code="unknown_timeframe",
            symbol=symbol,
            timeframe=None if timeframe is None else str(timeframe),
            available=available,
        )

    def _write_meta(self, folder: Path) -> None:
        """Of the files that can be read: a broken one is told where it is used, not where another one is stored."""
        facts = {}
        for path in sorted(folder.glob("*.parquet")):
            with suppress(MarketDataError):
                facts[path.stem] = read_facts(path)
        text = json.dumps(facts, indent=2, sort_keys=True) + "\n"

        def write(stream: IO[bytes]) -> None:
            stream.write(text.encode())

        write_atomically(folder / "meta.json", write)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._directory.mkdir(parents=True, exist_ok=True)
        with (self._directory / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _rows(path: Path) -> int | None:
    try:
        return int(read_facts(path)["rows"])
    except MarketDataError:
        return None


def _stem(timeframe: Timeframe) -> str:
    """The file's name: a month is ``1mo``, because ``1M`` and ``1m`` are one name on some file systems."""
    text = str(Timeframe.of_seconds(timeframe.seconds)) if not timeframe.is_calendar_month else str(timeframe)
    return text.replace("M", "mo")
