"""The bars that a backtest is scored on, and the periods that its ratios are computed on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratopt.errors import BacktestError
from stratopt.kernels.arrays import Int64Array1D
from stratopt.market.bars import Bars
from stratopt.market.timeframe import DAY

_DAY_MILLISECONDS = DAY * 1000
_YEAR_MILLISECONDS = 365.25 * _DAY_MILLISECONDS


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """Bars [start, stop) of a series.

    ``period_ends`` are positions in the window, int64 (m,): every bar, or for bars shorter than a day the last bar of each UTC
    day, because the autocorrelation inside a day would inflate ratios. ``periods_per_year`` of such periods make a year;
    ``years`` is the calendar length from the first bar's open to the last bar's end.
    """

    start: int
    stop: int
    period_ends: Int64Array1D
    periods_per_year: float
    years: float

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def is_daily_aggregate(self) -> bool:
        """Whether ratios are computed on daily equity of shorter bars."""
        return self.period_ends.size < len(self)


def require_bars(bars: object) -> None:
    """BacktestError for a frame or anything else that is not Bars."""
    if not isinstance(bars, Bars):
        raise BacktestError(
            f"bars must be Bars, not {type(bars).__name__}; make them with load_bars(...) or Bars.from_frame(frame, symbol=...)"
        )


def evaluation_window(bars: Bars, start: int | None = None, stop: int | None = None) -> Window:
    """Bars [start, stop) as a window, all of them by default; BacktestError if there is none."""
    require_bars(bars)
    first = 0 if start is None else int(start)
    last = len(bars) if stop is None else int(stop)
    if not 0 <= first < last <= len(bars):
        raise BacktestError(
            f"{bars.symbol}: the window [{first}, {last}) needs 0 <= start < stop <= {len(bars)}, the number of bars",
            start=first,
            stop=last,
            bars=len(bars),
        )
    stamps = bars.open_time[first:last]
    if bars.timeframe.seconds < DAY:
        days = stamps // _DAY_MILLISECONDS
        ends = np.flatnonzero(np.append(days[1:] != days[:-1], True))
        per_year = bars.calendar.sessions_per_year
    else:
        ends = np.arange(last - first)
        per_year = bars.periods_per_year
    years = (stamps[-1] + bars.timeframe.seconds * 1000 - stamps[0]) / _YEAR_MILLISECONDS
    return Window(
        start=first,
        stop=last,
        period_ends=ends.astype(np.int64),
        periods_per_year=float(per_year),
        years=float(years),
    )
