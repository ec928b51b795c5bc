"""Seeded synthetic bars with the traits of real ones, for size tests and fixtures.

Log returns are normal with drift and volatility of a regime that switches at random; volatility and volume are U-shaped
over the session; some bars are missing, some have no volume and no movement; one split can be left unadjusted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratopt.errors import MarketDataError
from stratopt.kernels.arrays import AnyArray, Float64Array1D, Int64Array1D
from stratopt.market.bars import Bars
from stratopt.market.resample import bin_open_times
from stratopt.market.sessions import is_trading_time, session_days
from stratopt.market.stamps import moment_to_ms
from stratopt.market.timeframe import DAY, Calendar, Timeframe

_DAY_MS = DAY * 1000


@dataclass(frozen=True, kw_only=True)
class Regime:
    """Drift and volatility a year, as fractions, and how many bars it lasts on average."""

    annual_drift: float
    annual_volatility: float
    mean_bars: int


CALM_AND_STORMY = (
    Regime(annual_drift=0.12, annual_volatility=0.15, mean_bars=4000),
    Regime(annual_drift=0.02, annual_volatility=0.30, mean_bars=2000),
    Regime(annual_drift=-0.25, annual_volatility=0.60, mean_bars=700),
)


def synthetic_bars(
    bar_count: int,
    *,
    seed: int,
    symbol: str = "SYNTHETIC",
    timeframe: str | Timeframe = "1m",
    calendar: str | Calendar = Calendar.ALWAYS,
    start: str = "2010-01-04",
    first_price: float = 100.0,
    regimes: tuple[Regime, ...] = CALM_AND_STORMY,
    missing_share: float = 0.002,
    zero_volume_share: float = 0.01,
    split_at: int | None = None,
    split_ratio: float = 4.0,
) -> Bars:
    """``bar_count`` bars; the same arguments give the same bars.

    Parameters
    ----------
    missing_share, zero_volume_share : float
        Shares of the bars in [0, 0.5]. Missing bars come in runs of five on average; bars without volume repeat the close.
    split_at : int, optional
        From this bar on prices are divided and volumes multiplied by ``split_ratio``.
    """
    length, market = Timeframe.parse(timeframe), Calendar.parse(calendar)
    _check_arguments(bar_count, length, missing_share, zero_volume_share, split_at)
    rng = np.random.Generator(np.random.PCG64(seed))
    stamps = _stamps(rng, bar_count, length, market, moment_to_ms(start, field="start") or 0, missing_share)
    shape = _u_shape(stamps, length, market)
    drift, volatility = _regime_path(rng, bar_count, regimes, market.periods_per_year(length))
    silent = rng.random(bar_count) < zero_volume_share
    scale = np.where(silent, 0.0, volatility * shape)
    shock = rng.standard_normal(bar_count)
    returns = np.where(silent, 0.0, drift - 0.5 * scale**2) + scale * shock
    close = first_price * np.exp(np.cumsum(returns))
    previous = np.concatenate([[first_price], close[:-1]])
    open_ = np.where(silent, previous, previous * np.exp(0.1 * scale * rng.standard_normal(bar_count)))
    close = np.where(silent, open_, close)
    high = np.maximum(open_, close) * np.exp(0.5 * scale * np.abs(rng.standard_normal(bar_count)))
    low = np.minimum(open_, close) * np.exp(-0.5 * scale * np.abs(rng.standard_normal(bar_count)))
    volume = np.where(silent, 0.0, np.ceil(1000 * shape**2 * (1 + np.abs(shock)) * rng.lognormal(0.0, 0.5, bar_count)))
    matrix = np.vstack([open_, high, low, close, volume, stamps.astype(np.float64)])
    if split_at is not None:
        matrix[:4, split_at:] /= split_ratio
        matrix[4, split_at:] *= split_ratio
    matrix.flags.writeable = False
    return Bars.from_matrix(symbol, length, market, matrix, f"synthetic, seed {seed}")


def _check_arguments(
    bar_count: int, timeframe: Timeframe, missing_share: float, zero_volume_share: float, split_at: int | None
) -> None:
    if bar_count < 1 or not 0 <= missing_share <= 0.5 or not 0 <= zero_volume_share <= 0.5:
        raise MarketDataError(
            f"bar_count must be >= 1 and the shares within 0 and 0.5, not {bar_count}, {missing_share}, {zero_volume_share}",
            code="invalid_synthetic",
        )
    if split_at is not None and not 0 < split_at < bar_count:
        raise MarketDataError(
            f"split_at must be within 1 and {bar_count - 1}, not {split_at}", code="invalid_synthetic"
        )
    if timeframe.is_calendar_month or (timeframe.seconds < DAY and DAY % timeframe.seconds):
        raise MarketDataError(
            f"synthetic bars last a divisor or a multiple of a day, not {timeframe}", code="invalid_synthetic"
        )


def _stamps(
    rng: np.random.Generator,
    bar_count: int,
    timeframe: Timeframe,
    calendar: Calendar,
    start_ms: int,
    missing_share: float,
) -> Int64Array1D:
    """Open stamps of ``bar_count`` bars in trading time after ``start_ms``, runs of them left out."""
    wanted = int(bar_count * (1 + 1.5 * missing_share)) + 50
    grid = _trading_grid(wanted, timeframe, calendar, start_ms)
    gaps = rng.poisson(bar_count * missing_share / 5)
    begins, lengths = rng.integers(1, grid.size, gaps), rng.geometric(1 / 5, gaps)
    edges = np.zeros(grid.size + 1, dtype=np.int64)
    np.add.at(edges, begins, 1)
    np.add.at(edges, np.minimum(begins + lengths, grid.size), -1)
    kept = grid[np.cumsum(edges[:-1]) == 0]
    while kept.size < bar_count:  # more left out than expected: go on after the grid
        more = _trading_grid(bar_count - kept.size, timeframe, calendar, int(kept[-1]) + timeframe.seconds * 1000)
        kept = np.concatenate([kept, more])
    return kept[:bar_count]


def _trading_grid(count: int, timeframe: Timeframe, calendar: Calendar, start_ms: int) -> Int64Array1D:
    step = timeframe.seconds * 1000
    first = int(bin_open_times(np.array([start_ms + step - 1], dtype=np.int64), timeframe, Calendar.ALWAYS)[0])
    if calendar is Calendar.ALWAYS or timeframe.seconds > DAY:
        return first + step * np.arange(count, dtype=np.int64)
    if timeframe.seconds == DAY:
        days = session_days(first // _DAY_MS, first // _DAY_MS + 2 * count + 20, calendar)
        return days[:count] * _DAY_MS
    share = calendar.periods_per_year(timeframe) * timeframe.seconds / (365 * DAY)
    grid = first + step * np.arange(int(count / share * 1.1) + 10 * _DAY_MS // step, dtype=np.int64)
    days = grid // _DAY_MS
    trading = is_trading_time(grid, calendar)
    if calendar is not Calendar.FX_24_5:
        trading &= np.isin(days, session_days(int(days[0]), int(days[-1]), calendar))
    return grid[trading][:count]


def _u_shape(stamps: Int64Array1D, timeframe: Timeframe, calendar: Calendar) -> Float64Array1D:
    """A factor on volatility: high at both ends of the session, 1 in the root mean square; 1 for bars of a day or longer."""
    if timeframe.seconds >= DAY:
        return np.ones(stamps.size)
    days, first_of_day, bars = np.unique(stamps // _DAY_MS, return_index=True, return_counts=True)
    if calendar in (Calendar.ALWAYS, Calendar.FX_24_5):
        position = stamps % _DAY_MS / _DAY_MS
    else:
        index = np.searchsorted(days, stamps // _DAY_MS)
        position = (np.arange(stamps.size) - first_of_day[index]) / np.maximum(bars[index] - 1, 1)
    shape = 0.6 + 1.6 * (2 * position - 1) ** 2
    return shape / np.sqrt(np.mean(shape**2))


def _regime_path(
    rng: np.random.Generator, bar_count: int, regimes: tuple[Regime, ...], periods_per_year: float
) -> tuple[AnyArray, AnyArray]:
    """Drift and volatility of each bar; a regime lasts geometrically long and is followed by another one."""
    path = np.empty(bar_count, dtype=np.int64)
    at, state = 0, int(rng.integers(len(regimes)))
    while at < bar_count:
        stop = min(at + int(rng.geometric(1 / regimes[state].mean_bars)), bar_count)
        path[at:stop] = state
        at = stop
        if len(regimes) > 1:
            state = (state + 1 + int(rng.integers(len(regimes) - 1))) % len(regimes)
    drift = np.array([regime.annual_drift for regime in regimes]) / periods_per_year
    volatility = np.array([regime.annual_volatility for regime in regimes]) / np.sqrt(periods_per_year)
    return drift[path], volatility[path]
