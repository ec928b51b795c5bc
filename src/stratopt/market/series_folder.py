"""The user's series on disk: ``<symbol>/<timeframe>.parquet`` and one ``<symbol>/meta.json`` that people can read.

The Parquet footer is the truth, ``meta.json`` a copy for people and listings outside of Python. Writers hold a lock on the
folder; readers need none, because every file appears by rename.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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

    def _write_meta(self, folder: Path) -> None:
        facts = {path.stem: read_facts(path) for path in sorted(folder.glob("*.parquet"))}
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


def _stem(timeframe: Timeframe) -> str:
    """The file's name: a month is ``1mo``, because ``1M`` and ``1m`` are one name on some file systems."""
    text = str(Timeframe.of_seconds(timeframe.seconds)) if not timeframe.is_calendar_month else str(timeframe)
    return text.replace("M", "mo")
