"""Swing points, sessions and completed higher-timeframe bars: what is known at a bar's close, and no earlier."""

from __future__ import annotations

import numpy as np

from stratopt.kernels.arrays import Float64Array1D, Int64Array1D
from stratopt.kernels.jit import jit
from stratopt.kernels.rolling import blank, scaled

DAY_MS = 86_400_000
SPACING_BARS = 10
"""The length of a bar is read from the stamps of so many leading bars."""
SHORTEST_MONTH = 28


@jit
def swing_highs(high: Float64Array1D, wing: int) -> Float64Array1D:
    """At bar i the high of bar ``i - wing`` if it is a swing high that this bar confirms, else NaN.

    A swing high is above the ``wing`` highs before it and not below the ``wing`` highs after it, so of equal highs the first counts.
    """
    n = high.size
    out = np.full(n, np.nan)
    for i in range(2 * wing, n):
        top = high[i - wing]
        found = True
        for k in range(1, wing + 1):
            if high[i - wing - k] >= top or high[i - wing + k] > top:
                found = False
                break
        if found:
            out[i] = top
    return out


@jit
def swing_lows(low: Float64Array1D, wing: int) -> Float64Array1D:
    """At bar i the low of bar ``i - wing`` if it is a swing low that this bar confirms, else NaN; mirror of ``swing_highs``."""
    return scaled(swing_highs(scaled(low, -1.0), wing), -1.0)


@jit
def session_numbers(open_time: Float64Array1D) -> Int64Array1D:
    """A number for each bar's session, never decreasing: UTC day for intraday bars, month for daily bars, year for longer ones.

    The bar length is the smallest distance between the first ten stamps (UTC milliseconds): below 20 hours is intraday, below 5
    days is daily. Shorter input decides with what it has, so a caller ignores the first ten bars.
    """
    n = open_time.size
    out = np.empty(n, np.int64)
    spacing = np.inf
    for i in range(1, min(SPACING_BARS, n)):
        spacing = min(spacing, open_time[i] - open_time[i - 1])
    if spacing < 20 * 3_600_000:
        for i in range(n):
            out[i] = int(np.floor(open_time[i] / DAY_MS))
        return out
    months_of_session = 1 if spacing < 5 * DAY_MS else 12
    month, first, known_until = 0, 0, -1
    for i in range(n):
        day = int(np.floor(open_time[i] / DAY_MS))
        if not first <= day <= known_until:
            month, first = _month_since_1970(day)
            known_until = first + SHORTEST_MONTH - 1
        out[i] = month // months_of_session
    return out


@jit
def _month_since_1970(day: int) -> tuple[int, int]:
    """The number of the month of ``day`` (a count from 1970-01-01), and its first day."""
    # Civil date from a day count (Hinnant 2013): years start in March, so that the leap day is the last of its year.
    shifted = day + 719_468
    era = shifted // 146_097
    day_of_era = shifted - era * 146_097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    march_month = (5 * day_of_year + 2) // 153
    day_of_month = day_of_year - (153 * march_month + 2) // 5
    return (era * 400 + year_of_era) * 12 + march_month + 2 - 1970 * 12, day - day_of_month


@jit
def previous_session_range(
    high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, session: Int64Array1D
) -> tuple[Float64Array1D, Float64Array1D, Float64Array1D]:
    """High, low and close of the session before each bar's own; NaN in the first session."""
    n = close.size
    out = np.full((3, n), np.nan)
    top = bottom = final = np.nan
    running_top = -np.inf
    running_bottom = np.inf
    for i in range(n):
        if i > 0 and session[i] != session[i - 1]:
            top, bottom, final = running_top, running_bottom, close[i - 1]
            running_top = -np.inf
            running_bottom = np.inf
        running_top = max(running_top, high[i])
        running_bottom = min(running_bottom, low[i])
        out[0, i] = top
        out[1, i] = bottom
        out[2, i] = final
    return out[0], out[1], out[2]


@jit
def higher_timeframe_closes(close: Float64Array1D, factor: int) -> Float64Array1D:
    """Closes of the completed bars of ``factor`` base bars, counted from bar 0; a partial last bar is left out."""
    out = np.empty(close.size // factor)
    for j in range(out.size):
        out[j] = close[(j + 1) * factor - 1]
    return out


@jit
def last_completed(values: Float64Array1D, factor: int, size: int) -> Float64Array1D:
    """``values`` of the higher timeframe seen from the base bars: that of the last bar whose last base bar has closed."""
    out = blank(size, factor - 1)
    for i in range(min(factor - 1, size), size):
        out[i] = values[(i + 1) // factor - 1]
    return out
