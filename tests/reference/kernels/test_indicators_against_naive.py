"""Indicators that TA-Lib does not have equal a slow and obvious twin."""

from __future__ import annotations

import datetime as dt
import itertools
import math

import numpy as np
import pandas as pd
import pytest

from stratopt.kernels import averages, bands, rolling, swings, volume


def prices(n: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0, 0.02, n)))
    high = close * (1 + np.abs(rng.normal(0, 0.01, n)))
    low = close * (1 - np.abs(rng.normal(0, 0.01, n)))
    return high, low, close, rng.integers(0, 5, n).astype(float)


@pytest.mark.parametrize("period", [2, 6, 100])
def test_historical_volatility(period: int) -> None:
    """It is the sample deviation of the last log returns."""
    _, _, close, _ = prices(500)
    expected = np.log(pd.Series(close)).diff().rolling(period).std(ddof=1)
    np.testing.assert_allclose(bands.historical_volatility(close, period), expected, rtol=1e-9, equal_nan=True)


@pytest.mark.parametrize("period", [1, 3, 10])
def test_rolling_vwap(period: int) -> None:
    """Mean and deviation are those of the window weighted by volume, NaN without volume."""
    high, low, close, traded = prices(300)
    mean, deviation = volume.rolling_vwap(high, low, close, traded, period)
    for i in range(300):
        window = slice(max(i - period + 1, 0), i + 1)
        weights = traded[window]
        if i < period - 1 or weights.sum() == 0:
            assert math.isnan(mean[i])
            assert math.isnan(deviation[i])
            continue
        typical = ((high + low + close) / 3)[window]
        expected = np.average(typical, weights=weights)
        assert mean[i] == pytest.approx(expected, rel=1e-12)
        variance = np.average((typical - expected) ** 2, weights=weights)
        assert deviation[i] == pytest.approx(math.sqrt(variance), abs=1e-7)


def test_anchored_vwap_starts_again_with_each_session() -> None:
    """Mean and deviation are those of the session's bars so far."""
    high, low, close, traded = prices(300)
    session = np.arange(300) // 7
    mean, deviation = volume.anchored_vwap(high, low, close, traded, session)
    for i in range(300):
        window = slice(i - i % 7, i + 1)
        weights = traded[window]
        if weights.sum() == 0:
            assert math.isnan(mean[i])
            continue
        typical = ((high + low + close) / 3)[window]
        expected = np.average(typical, weights=weights)
        assert mean[i] == pytest.approx(expected, rel=1e-12)
        variance = np.average((typical - expected) ** 2, weights=weights)
        assert deviation[i] == pytest.approx(math.sqrt(variance), abs=1e-7)


@pytest.mark.parametrize("wing", [1, 2, 5])
def test_swings(wing: int) -> None:
    """A swing is above the bars before it and not below those after it, and shows only when the last of them closed."""
    rng = np.random.default_rng(2)
    high = rng.integers(0, 6, 400).astype(float)
    expected = np.full(400, np.nan)
    for i in range(2 * wing, 400):
        middle = i - wing
        before, after = high[middle - wing : middle], high[middle + 1 : i + 1]
        if (high[middle] > before).all() and (high[middle] >= after).all():
            expected[i] = high[middle]
    np.testing.assert_array_equal(swings.swing_highs(high, wing), expected)
    np.testing.assert_array_equal(swings.swing_lows(-high, wing), -expected)
    assert np.isfinite(expected).any()


@pytest.mark.parametrize("period", [1, 2, 7])
def test_bars_since_extremes(period: int) -> None:
    """The latest of equal extremes counts."""
    values = np.random.default_rng(3).integers(0, 4, 300).astype(float)
    since_max, since_min = rolling.bars_since_max(values, period), rolling.bars_since_min(values, period)
    for i in range(period - 1, 300):
        newest_first = values[i - period + 1 : i + 1][::-1]
        assert since_max[i] == np.argmax(newest_first)
        assert since_min[i] == np.argmin(newest_first)
    assert (since_max[: period - 1] == -1).all()


@pytest.mark.parametrize("period", [1, 2, 3, 50, 301])
def test_rolling_extremes_of_any_data(period: int) -> None:
    """Highest and lowest of a window on rising, falling and random data, also for windows longer than the data."""
    rng = np.random.default_rng(4)
    for values in (np.arange(300.0), -np.arange(300.0), rng.normal(size=300)):
        series = pd.Series(values).rolling(period)
        np.testing.assert_array_equal(rolling.rolling_max(values, period), series.max())
        np.testing.assert_array_equal(rolling.rolling_min(values, period), series.min())


@pytest.mark.parametrize(
    ("spacing_hours", "label"),
    [(1, lambda t: t.date().toordinal()), (24, lambda t: (t.year, t.month)), (24 * 7, lambda t: t.year)],
)
def test_sessions(spacing_hours: int, label: object) -> None:
    """Intraday bars change session with the UTC day, daily bars with the month, weekly bars with the year."""
    start = dt.datetime(1969, 11, 3, 5, tzinfo=dt.UTC)
    stamps = [start + dt.timedelta(hours=spacing_hours * k) for k in range(3000)]
    milliseconds = np.array([t.timestamp() * 1000 for t in stamps])
    numbers = swings.session_numbers(milliseconds)
    labels = [label(t) for t in stamps]  # type: ignore[operator]
    expected_changes = [a != b for a, b in itertools.pairwise(labels)]
    assert list(np.diff(numbers) != 0) == expected_changes
    assert (np.diff(numbers) >= 0).all()


def test_previous_session_range() -> None:
    """Each bar sees high, low and close of the session before its own."""
    high, low, close, _ = prices(100)
    session = np.arange(100) // 9
    top, bottom, final = swings.previous_session_range(high, low, close, session)
    assert np.isnan(top[:9]).all()
    for i in range(9, 100):
        before = session == session[i] - 1
        assert (top[i], bottom[i], final[i]) == (high[before].max(), low[before].min(), close[before][-1])


@pytest.mark.parametrize("factor", [1, 2, 5])
def test_higher_timeframe_values_are_those_of_completed_bars(factor: int) -> None:
    """A base bar sees a higher bar's close from that bar's last base bar on."""
    close = np.arange(23.0)
    seen = swings.last_completed(swings.higher_timeframe_closes(close, factor), factor, close.size)
    expected = [math.nan if i + 1 < factor else close[(i + 1) // factor * factor - 1] for i in range(23)]
    np.testing.assert_array_equal(seen, expected)


def test_moving_average_kinds_start_where_they_say() -> None:
    """``moving_average_first`` is the position of the first value of each kind."""
    values = np.random.default_rng(1).normal(size=200) + 100
    for kind in (averages.SMA, averages.EMA, averages.WMA, averages.HMA):
        for period in (2, 3, 10, 99):
            line = averages.moving_average(values, period, kind)
            assert int(np.argmax(~np.isnan(line))) == averages.moving_average_first(period, kind)
