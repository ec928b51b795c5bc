"""Returns of any bars on a common calendar grid of bounded size.

A bucket is a whole number of days, a power of two, counted from 1970-01-01. Grids of different widths nest, so series of different
length and timeframe meet on the wider one, and the memory of every statistic is bounded whatever the number of bars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratopt.kernels.arrays import AnyArray, Int64Array1D

MOST_BUCKETS = 512
DAY_MILLISECONDS = 86_400_000


@dataclass(frozen=True, eq=False)
class CalendarGrid:
    """Buckets that hold at least one period: ``numbers`` int64 (m,), rising; bucket b holds the days [b * days, (b + 1) * days).

    ``first_periods`` int64 (m + 1,) are the positions at which the buckets' periods begin, the last one the number of periods.
    """

    days: int
    numbers: Int64Array1D
    first_periods: Int64Array1D

    @property
    def periods(self) -> Int64Array1D:
        """Periods of each bucket."""
        return np.diff(self.first_periods)

    def sums(self, returns: AnyArray) -> AnyArray:
        """Sum of the period returns of each bucket; ``returns`` (n,) -> (m,)."""
        return np.add.reduceat(np.asarray(returns, dtype=np.float64), self.first_periods[:-1])


def calendar_grid(stamps: Int64Array1D, *, most: int = MOST_BUCKETS) -> CalendarGrid:
    """The finest grid of at most ``most`` buckets over periods that end with bars opened at ``stamps`` (UTC milliseconds, rising).

    >>> grid = calendar_grid(np.arange(2000) * DAY_MILLISECONDS)
    >>> grid.days, grid.numbers.size
    (4, 500)
    """
    days = np.asarray(stamps, dtype=np.int64) // DAY_MILLISECONDS
    width = 1
    while days[-1] // width - days[0] // width + 1 > most:
        width *= 2
    return grid_of_width(stamps, width)


def grid_of_width(stamps: Int64Array1D, width: int) -> CalendarGrid:
    """The grid of buckets of ``width`` days over the same."""
    numbers = np.asarray(stamps, dtype=np.int64) // DAY_MILLISECONDS // width
    begins = np.flatnonzero(np.concatenate([[True], np.diff(numbers) != 0]))
    return CalendarGrid(width, numbers[begins], np.append(begins, numbers.size).astype(np.int64))


def widen(numbers: Int64Array1D, values: AnyArray, factor: int) -> tuple[Int64Array1D, AnyArray]:
    """Rows of ``values`` (m, ...) added up into buckets ``factor`` times as wide."""
    if factor == 1:
        return numbers, values
    wide = numbers // factor
    begins = np.flatnonzero(np.concatenate([[True], np.diff(wide) != 0]))
    return wide[begins], np.add.reduceat(values, begins, axis=0)
