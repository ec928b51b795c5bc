"""Sessions, holidays and gaps against public rules and slow twins."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratopt import load_bars
from stratopt.market.gaps import find_gaps
from stratopt.market.sessions import is_trading_time, next_trading_ms, session_days
from stratopt.market.timeframe import Calendar, Timeframe

DAY_MS = 86_400_000


@pytest.mark.parametrize("symbol", ["SPX", "AAPL-1980", "AAPL"])
def test_new_york_sessions_equal_the_days_of_real_series(symbol):
    """From 1972 to 2026 the rules give exactly the days on which the index and Apple traded."""
    days = load_bars(symbol, "1d", "1972-01-01").open_time // DAY_MS
    assert np.array_equal(session_days(int(days[0]), int(days[-1]), Calendar.XNYS), days)


def naive_gaps(open_time, step, calendar):
    """Walk the grid stamp by stamp."""
    have = set(open_time.tolist())
    grid = np.arange(open_time[0], open_time[-1], step)
    return sum(1 for stamp in grid[is_trading_time(grid, calendar)].tolist() if stamp not in have)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), calendar=st.sampled_from([Calendar.ALWAYS, Calendar.FX_24_5]))
def test_missing_hours_equal_a_walk_over_the_grid(seed, calendar):
    """The vectorised count equals the walk, over weekends and changes of the clock."""
    rng = np.random.default_rng(seed)
    start = int(rng.integers(400_000, 480_000)) * 3_600_000
    grid = start + 3_600_000 * np.arange(600, dtype=np.int64)
    grid = grid[is_trading_time(grid, calendar)]
    kept = grid[np.sort(rng.choice(grid.size, grid.size - 30, replace=False))]
    gaps = find_gaps(kept, Timeframe.parse("1h"), calendar)
    assert sum(gap.bars for gap in gaps) == naive_gaps(kept, 3_600_000, calendar)
    assert all(gap.bars > 0 and gap.after < gap.before for gap in gaps)


def test_early_closes_and_lunch_breaks_are_no_gaps():
    """An exchange day may end early, and Tokyo rests at noon; an hour missing in between is a gap."""
    short = pd.date_range("2024-11-29 14:30", "2024-11-29 17:55", freq="5min")
    following = pd.date_range("2024-12-02 14:30", "2024-12-02 20:55", freq="5min")
    stamps = np.asarray(short.append(following).as_unit("ms").asi8)
    assert find_gaps(stamps, Timeframe.parse("5m"), Calendar.XNYS) == []
    gaps = find_gaps(np.delete(stamps, slice(10, 22)), Timeframe.parse("5m"), Calendar.XNYS)
    assert [gap.bars for gap in gaps] == [12]
    tokyo = pd.date_range("2024-12-02 09:00", "2024-12-02 14:55", freq="5min", tz="Asia/Tokyo")
    minute = tokyo.hour * 60 + tokyo.minute
    tokyo = tokyo[(minute < 690) | (minute >= 750)]
    assert find_gaps(np.asarray(tokyo.as_unit("ms").asi8), Timeframe.parse("5m"), Calendar.XTKS) == []


@pytest.mark.parametrize(
    ("calendar", "timeframe", "last", "following"),
    [
        ("24/7", "1h", "2024-03-09 23:00", "2024-03-10 00:00"),
        ("24/5", "1h", "2024-03-08 20:00", "2024-03-08 21:00"),
        ("24/5", "1h", "2024-03-08 21:00", "2024-03-10 21:00"),  # the clock changes on that Sunday
        ("24/5", "1d", "2024-03-08", "2024-03-11"),
        ("XNYS", "1d", "2024-03-07", "2024-03-08"),
        ("XNYS", "1d", "2024-03-08", "2024-03-11"),
        ("XNYS", "1h", "2024-03-08 19:30", "2024-03-08 20:30"),
        ("XNYS", "30m", "2024-03-08 20:30", "2024-03-11 13:30"),
        ("XLON", "30m", "2024-03-07 16:00", "2024-03-08 08:00"),
        ("XTKS", "30m", "2024-03-07 06:00", "2024-03-08 00:00"),
        ("XNYS", "1w", "2024-03-04", "2024-03-11"),
    ],
)
def test_the_next_bar_cannot_open_before(calendar, timeframe, last, following):
    """The earliest possible next stamp skips nights, weekends and changes of the clock."""
    moment = int(pd.Timestamp(last, tz="UTC").value // 10**6)
    answer = next_trading_ms(moment, Timeframe.parse(timeframe), Calendar(calendar))
    assert pd.Timestamp(answer, unit="ms") == pd.Timestamp(following)


@pytest.mark.parametrize(("symbol", "timeframe"), [("EURUSD", "1h"), ("BTC", "1h"), ("SPX", "1d"), ("AAPL", "1d")])
def test_no_real_bar_opens_before_the_next_trading_moment(symbol, timeframe):
    """The claim of completeness holds for every bar of real series on three calendars."""
    bars = load_bars(symbol, timeframe)
    at = np.unique(np.linspace(0, len(bars) - 2, 2000).astype(int))
    earliest = [next_trading_ms(int(bars.open_time[i]), bars.timeframe, bars.calendar) for i in at]
    assert np.all(bars.open_time[at + 1] >= np.array(earliest))
