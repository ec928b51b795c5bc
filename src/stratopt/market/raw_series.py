"""Columns as a file or an exchange delivers them: nothing is promised yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stratopt.kernels.arrays import AnyArray, Float64Array2D, Int64Array1D
from stratopt.market.bars import Bars
from stratopt.market.inference import infer_calendar, infer_timeframe
from stratopt.market.timeframe import Calendar, Timeframe


@dataclass(frozen=True, eq=False, kw_only=True)
class RawSeries:
    """Unchecked bars: ``open_time`` int64 UTC milliseconds (n,), ``columns`` float64 (5, n) open, high, low, close, volume.

    Rows may be out of order, doubled or broken, values may be NaN. ``validate`` says what is wrong, ``repaired`` mends what
    can be mended honestly, ``to_bars`` accepts what keeps the rules of ``Bars``.
    """

    symbol: str
    timeframe: Timeframe
    calendar: Calendar
    open_time: Int64Array1D
    columns: Float64Array2D

    @classmethod
    def of(
        cls,
        symbol: str,
        columns: Mapping[str, AnyArray],
        timeframe: str | Timeframe | None = None,
        calendar: str | Calendar | None = None,
    ) -> RawSeries:
        """Columns by name (``frames.columns_of``); timeframe and calendar are told from the stamps when not given."""
        stamps = np.asarray(columns["open_time"], dtype=np.int64)
        length = infer_timeframe(stamps, symbol) if timeframe is None else Timeframe.parse(timeframe)
        market = infer_calendar(np.sort(stamps), length) if calendar is None else Calendar.parse(calendar)
        rows = [columns[name] for name in ("open", "high", "low", "close")]
        rows.append(columns["volume"] if "volume" in columns else np.zeros(stamps.size))
        return cls(symbol=symbol, timeframe=length, calendar=market, open_time=stamps, columns=np.vstack(rows))

    @classmethod
    def from_bars(cls, bars: Bars) -> RawSeries:
        """Bars, to be looked at again."""
        return cls(
            symbol=bars.symbol,
            timeframe=bars.timeframe,
            calendar=bars.calendar,
            open_time=bars.open_time,
            columns=bars.matrix[:5],
        )

    def __len__(self) -> int:
        return int(self.open_time.size)

    def take(self, rows: Any) -> RawSeries:
        """The rows of an index, a mask or a slice."""
        return replace(self, open_time=self.open_time[rows], columns=self.columns[:, rows])

    def to_bars(self, origin: str = "") -> Bars:
        """Bars; MarketDataError names the first row that breaks a rule."""
        matrix = np.vstack([self.columns, self.open_time.astype(np.float64)])
        matrix.flags.writeable = False
        return Bars.from_matrix(self.symbol, self.timeframe, self.calendar, matrix, origin)
