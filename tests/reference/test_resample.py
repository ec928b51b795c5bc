"""Resampling equals a slow pandas twin and drops what is not certainly complete."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratopt import load_bars
from stratopt.errors import MarketDataError
from stratopt.market.bars import Bars
from stratopt.market.resample import resample

RULES = {"1w": "W-MON", "1M": "MS", "3M": "QS", "1d": "D", "4h": "4h", "2h": "2h", "15m": "15min", "3d": "3D"}


def twin(bars, timeframe):
    """pandas' own resampling with the documented labels, the last bin kept."""
    frame = bars.to_frame().tz_localize(None)
    daily = timeframe[-1] in "dwM"
    if bars.calendar == "24/5" and daily:
        days = frame.index.floor("D")
        frame.index = frame.index.where(frame.index.day_of_week != 6, days + pd.Timedelta(days=1))
    options = {"closed": "left", "label": "left"}
    if daily and timeframe not in ("1w", "1M", "3M"):
        options["origin"] = "epoch"
    grouped = frame.resample(RULES[timeframe], **options)
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return grouped.agg(rules).dropna().tz_localize("UTC")


def random_bars(seed, n, timeframe, start, calendar="24/7", keep=0.8):
    """A random walk on a grid of stamps with holes."""
    rng = np.random.default_rng(seed)
    step = {"1m": 60_000, "5m": 300_000, "1h": 3_600_000, "1d": 86_400_000}[timeframe]
    stamps = start // step * step + step * np.flatnonzero(rng.random(n) < keep)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, stamps.size)))
    open_ = close * np.exp(rng.normal(0, 0.005, stamps.size))
    high, low = np.maximum(open_, close) * 1.001, np.minimum(open_, close) * 0.999
    return Bars.from_arrays(
        symbol="R",
        timeframe=timeframe,
        open_time=stamps,
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=rng.integers(0, 100, stamps.size),
        calendar=calendar,
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(20, 400),
    start=st.integers(0, 2_000_000_000_000),
    case=st.sampled_from(
        [
            ("1m", "15m"),
            ("5m", "2h"),
            ("1h", "4h"),
            ("1h", "1d"),
            ("1h", "1w"),
            ("1d", "1w"),
            ("1d", "1M"),
            ("1d", "3M"),
            ("1d", "3d"),
        ]
    ),
)
def test_equals_pandas_on_random_bars_with_holes(seed, n, start, case):
    """Labels, prices and volumes are those of the twin; the last bin is the twin's or dropped."""
    source, target = case
    bars = random_bars(seed, n, source, start)
    expected = twin(bars, target)
    whole = resample(bars, target, drop_partial_last=False)
    pd.testing.assert_frame_equal(whole.to_frame(), expected, check_freq=False, check_index_type=False)
    kept = resample(bars, target)
    assert len(whole) - len(kept) in (0, 1)
    assert kept.content_hash == whole[: len(kept)].content_hash


@pytest.mark.parametrize(("symbol", "source"), [("EURUSD", "1h"), ("BTCUSD", "1h"), ("SPX", "1d"), ("AAPL", "1d")])
@pytest.mark.parametrize("target", ["4h", "1d", "1w", "1M"])
def test_equals_pandas_on_the_bundled_series(symbol, source, target):
    """The same on real series of three calendars."""
    if source == "1d" and target in ("4h", "1d"):
        target = "3M"
    bars = load_bars(symbol, source)
    whole = resample(bars, target, drop_partial_last=False)
    pd.testing.assert_frame_equal(whole.to_frame(), twin(bars, target), check_freq=False, check_index_type=False)


def cut(symbol, timeframe, end):
    return load_bars(symbol, timeframe, None, end)


@pytest.mark.parametrize(
    ("bars", "target", "last"),
    [
        (cut("BTC", "1h", "2019-01-02"), "1d", "2019-01-01"),
        (cut("BTC", "1h", "2019-01-01T23:00"), "1d", "2018-12-31"),
        (cut("SPX", "1d", "2015-12-19"), "1w", "2015-12-14"),  # Friday is the last session of its week
        (cut("SPX", "1d", "2015-12-18"), "1w", "2015-12-07"),  # Thursday is not
        (cut("SPX", "1d", "2015-10-31"), "1M", "2015-10-01"),  # the month ends on a weekend
        (cut("SPX", "1d", "2015-12-31"), "1M", "2015-11-01"),
        (cut("EURUSD", "1h", "2017-06-16T21:00"), "1w", "2017-06-12"),  # Friday 17:00 in New York's summer
        (cut("EURUSD", "1h", "2017-06-16T20:00"), "1w", "2017-06-05"),
        (cut("EURUSD", "1h", "2017-12-15T21:00"), "1w", "2017-12-04"),  # the same hour in winter is one too early
        (cut("EURUSD", "1h", "2017-12-15T22:00"), "1w", "2017-12-11"),
        (cut("EURUSD", "1h", "2017-06-18T23:00"), "1d", "2017-06-16"),  # Sunday evening opens Monday's bar
    ],
)
def test_the_last_bin_is_kept_only_when_nothing_can_follow_in_it(bars, target, last):
    """Weekends and closing hours complete a bin, a bar still to come does not."""
    assert str(resample(bars, target).stamps[-1])[:10] == last


@pytest.mark.parametrize(("last_minute", "kept"), [("20:59", 1), ("20:58", 0)])
def test_an_exchange_day_is_complete_at_its_closing_bell(last_minute, kept):
    """New York closes at 16:00, which is 21:00 UTC in winter."""
    stamps = pd.date_range("2024-01-10 14:30", f"2024-01-10 {last_minute}", freq="min")
    ones = np.ones(len(stamps))
    bars = Bars.from_arrays(
        symbol="X",
        timeframe="1m",
        open_time=stamps.to_numpy(),
        open=ones,
        high=ones,
        low=ones,
        close=ones,
        calendar="XNYS",
    )
    assert len(resample(bars, "1d")) == kept


def test_months_of_months_close_with_their_last_month():
    """A quarter out of monthly bars is complete with its third month, whatever the lengths of the months."""
    stamps = pd.date_range("2024-01-01", periods=6, freq="MS").to_numpy()
    ones = np.ones(6)
    bars = Bars.from_arrays(symbol="X", timeframe="1M", open_time=stamps, open=ones, high=ones, low=ones, close=ones)
    assert [str(s)[:7] for s in resample(bars, "3M").stamps] == ["2024-01", "2024-04"]
    assert [str(s)[:7] for s in resample(bars[:5], "3M").stamps] == ["2024-01"]


@pytest.mark.parametrize("target", ["30m", "90m", "1m"])
def test_no_multiple_no_bars(target):
    """A timeframe that is shorter or no multiple is refused by name."""
    with pytest.raises(MarketDataError, match=f"{target} bars cannot be made of 1h bars"):
        resample(random_bars(1, 100, "1h", 0), target)


def test_nothing_resamples_to_nothing():
    """The empty series stays empty in the new timeframe."""
    empty = resample(random_bars(1, 100, "1h", 0)[:0], "5h")
    assert (len(empty), str(empty.timeframe)) == (0, "5h")


def test_the_same_timeframe_is_the_same_series():
    """One hour in minutes is not a new series."""
    bars = random_bars(1, 100, "1h", 0)
    assert resample(bars, "60m") is bars
