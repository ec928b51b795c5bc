"""Bars: an immutable OHLCV series with UTC open stamps, a timeframe, a calendar and a content hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from stratopt.errors import MarketDataError
from stratopt.kernels.arrays import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    OPEN_TIME,
    VOLUME,
    AnyArray,
    Float64Array1D,
    Float64Array2D,
    Int64Array1D,
)
from stratopt.market.timeframe import Calendar, Timeframe


@dataclass(frozen=True, eq=False, repr=False)
class Bars:
    """OHLCV bars of one symbol.

    Parameters
    ----------
    symbol : str
    timeframe : Timeframe
    calendar : Calendar
        Says how many sessions a year has; ratios are annualised with it.
    matrix : float64 (6, n), C order, read-only
        Rows open, high, low, close, volume, UTC open stamp in milliseconds (``kernels.arrays``). Stamps strictly increase;
        prices are finite and positive, volume finite and not negative, high and low bound open and close.
        Bars of a day or longer are stamped with midnight UTC of the session's date.
    origin : str
        Where the numbers come from, in words; part of neither the content hash nor any computation.

    Raises
    ------
    MarketDataError
        If a rule above is broken; the message names the first offending bar.
    """

    symbol: str
    timeframe: Timeframe
    calendar: Calendar
    matrix: Float64Array2D
    origin: str = ""

    def __post_init__(self) -> None:
        matrix = np.ascontiguousarray(self.matrix, dtype=np.float64)
        _check(self.symbol, matrix)
        if matrix is self.matrix and matrix.flags.writeable:
            matrix = matrix.copy()
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.matrix.flags.writeable = False

    @classmethod
    def trusted(
        cls, symbol: str, timeframe: Timeframe, calendar: Calendar, matrix: Float64Array2D, origin: str = ""
    ) -> Bars:
        """Bars over a matrix that was checked before (a slice of bars, a memory map): no copy, no scan.

        ``matrix`` must be float64 (6, n) in C order and read-only; anything else raises MarketDataError.
        """
        flags = matrix.flags
        if matrix.dtype != np.float64 or matrix.ndim != 2 or matrix.shape[0] != 6 or not flags.c_contiguous:
            raise MarketDataError(
                f"{symbol}: trusted bars need a C-ordered float64 matrix of shape (6, n), not {matrix.dtype} {matrix.shape}",
                code="invalid_bars",
            )
        if flags.writeable:
            raise MarketDataError(f"{symbol}: trusted bars need a read-only matrix", code="invalid_bars")
        bars = cls.__new__(cls)
        fields = {"symbol": symbol, "timeframe": timeframe, "calendar": calendar, "matrix": matrix, "origin": origin}
        bars.__dict__.update(fields)
        return bars

    @classmethod
    def from_arrays(
        cls,
        *,
        symbol: str,
        timeframe: str | Timeframe,
        open_time: AnyArray,
        open: AnyArray,
        high: AnyArray,
        low: AnyArray,
        close: AnyArray,
        volume: AnyArray | None = None,
        calendar: str | Calendar = "24/7",
        origin: str = "",
    ) -> Bars:
        """Bars from columns; ``open_time`` is int64 milliseconds or datetime64 in UTC, a missing volume is 0 everywhere."""
        stamps = np.asarray(open_time)
        if np.issubdtype(stamps.dtype, np.datetime64):
            stamps = stamps.astype("datetime64[ms]").astype(np.int64)
        columns = [open, high, low, close, np.zeros(len(stamps)) if volume is None else volume, stamps]
        lengths = {len(c) for c in columns}
        if len(lengths) > 1:
            raise MarketDataError(f"columns differ in length: {sorted(lengths)}", code="invalid_bars")
        matrix = np.vstack([np.asarray(c, dtype=np.float64) for c in columns])
        matrix.flags.writeable = False
        return cls.from_matrix(symbol, timeframe, calendar, matrix, origin)

    @classmethod
    def from_matrix(
        cls, symbol: str, timeframe: str | Timeframe, calendar: str | Calendar, matrix: Float64Array2D, origin: str = ""
    ) -> Bars:
        """Bars over a (6, n) matrix, checked; a read-only float64 matrix in C order is not copied."""
        return cls(symbol, Timeframe.parse(timeframe), Calendar.parse(calendar), matrix, origin)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        symbol: str,
        timeframe: str | Timeframe | None = None,
        calendar: str | Calendar | None = None,
        origin: str = "",
    ) -> Bars:
        """Bars from a pandas or polars frame.

        Parameters
        ----------
        frame : pandas.DataFrame, polars.DataFrame or polars.LazyFrame
            Columns open, high, low, close and optionally volume (0 everywhere when missing), in any letter case. Stamps are
            the pandas DatetimeIndex or a column named open_time, timestamp, datetime, date or time: dates, ISO texts or whole
            numbers since 1970 (seconds, milli-, micro- or nanoseconds by size). Stamps with a zone are converted to UTC,
            stamps without one are UTC.
        timeframe : optional
            The most frequent distance of two stamps when not given; refused where most bars are closer than it says.
        calendar : optional
            When not given: ``24/7`` if bars exist on Saturdays, else ``24/5`` if there are bars at night or more than 256
            sessions a year, else ``XNYS``. Ratios are annualised with it, so name it when you know it.

        Raises
        ------
        MarketDataError
            For missing or doubled columns, unreadable stamps or a broken rule of ``Bars``; the message says which.
        """
        from stratopt.market.frames import columns_of
        from stratopt.market.inference import infer_calendar, infer_timeframe, require_distance

        columns = columns_of(frame, symbol)
        stamps = columns["open_time"]
        length = infer_timeframe(stamps, symbol) if timeframe is None else Timeframe.parse(timeframe)
        if timeframe is not None:
            require_distance(stamps, length, symbol)
        market = infer_calendar(stamps, length) if calendar is None else Calendar.parse(calendar)
        return cls.from_arrays(symbol=symbol, timeframe=length, calendar=market, origin=origin, **columns)

    def __len__(self) -> int:
        return int(self.matrix.shape[1])

    def __repr__(self) -> str:
        if not len(self):
            return f"Bars({self.symbol} {self.timeframe}, empty)"
        return f"Bars({self.symbol} {self.timeframe}, {len(self)} bars, {self.stamps[0]}..{self.stamps[-1]})"

    def __getitem__(self, window: slice) -> Bars:
        """The bars of a slice of positions (step 1)."""
        if not isinstance(window, slice) or window.step not in (None, 1):
            raise TypeError("Bars are cut with a slice of step 1, for example bars[:-100]")
        matrix = np.ascontiguousarray(self.matrix[:, window])
        matrix.flags.writeable = False
        return Bars.trusted(self.symbol, self.timeframe, self.calendar, matrix, self.origin)

    @property
    def open(self) -> Float64Array1D:
        """Open prices, shape (n,)."""
        return self.matrix[OPEN]

    @property
    def high(self) -> Float64Array1D:
        """Highs, shape (n,)."""
        return self.matrix[HIGH]

    @property
    def low(self) -> Float64Array1D:
        """Lows, shape (n,)."""
        return self.matrix[LOW]

    @property
    def close(self) -> Float64Array1D:
        """Closes, shape (n,)."""
        return self.matrix[CLOSE]

    @property
    def volume(self) -> Float64Array1D:
        """Volumes, shape (n,)."""
        return self.matrix[VOLUME]

    @cached_property
    def open_time(self) -> Int64Array1D:
        """UTC open stamps, int64 milliseconds since 1970."""
        return self.matrix[OPEN_TIME].astype(np.int64)

    @property
    def stamps(self) -> AnyArray:
        """UTC open stamps, datetime64[ms]."""
        return self.open_time.astype("datetime64[ms]")

    @cached_property
    def content_hash(self) -> str:
        """sha256 over little-endian stamps (int64) and columns (float64) in fixed order: independent of any file format."""
        digest = hashlib.sha256(self.open_time.astype("<i8").tobytes())
        for row in self.matrix[:OPEN_TIME]:
            digest.update(row.astype("<f8").tobytes())
        return digest.hexdigest()

    @cached_property
    def periods_per_year(self) -> float:
        """Bars a year: sessions a year of the calendar times bars a session."""
        return self.calendar.periods_per_year(self.timeframe)

    def to_frame(self) -> Any:
        """A pandas frame: columns open, high, low, close, volume on a UTC DatetimeIndex named ``open_time``."""
        import pandas as pd

        index = pd.DatetimeIndex(self.stamps, name="open_time").tz_localize("UTC")
        return pd.DataFrame(
            {n: self.matrix[i] for i, n in enumerate(("open", "high", "low", "close", "volume"))}, index=index
        )


def _check(symbol: str, matrix: AnyArray) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != 6:
        raise MarketDataError(
            f"{symbol}: the bars matrix must have shape (6, n), not {matrix.shape}", code="invalid_bars"
        )
    open_, high, low, close, volume, stamps = matrix
    rules = [
        ("open, high, low and close must be finite and > 0", ~(np.isfinite(matrix[:4]) & (matrix[:4] > 0)).all(axis=0)),
        ("volume must be finite and >= 0", ~(np.isfinite(volume) & (volume >= 0))),
        (
            "high must be >= open and close, low must be <= open and close",
            (high < np.maximum(open_, close)) | (low > np.minimum(open_, close)),
        ),
        (
            "open stamps must be finite and strictly increase",
            ~np.isfinite(stamps) | np.concatenate([[False], ~(np.diff(stamps) > 0)])[: stamps.size],
        ),
    ]
    for rule, broken in rules:
        if broken.any():
            bar = int(np.argmax(broken))
            raise MarketDataError(
                f"{symbol}: {rule}; bar {bar} is {[float(v) for v in matrix[:, bar]]}. Run `stratopt data validate` for the whole report.",
                code="invalid_bars",
                bar=bar,
                rule=rule,
                count=int(broken.sum()),
            )
