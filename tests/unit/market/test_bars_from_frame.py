"""Bars are read from pandas and polars frames alike."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest

from stratopt.errors import MarketDataError
from stratopt.market.bars import Bars
from stratopt.market.timeframe import Calendar, Timeframe


def frame(stamps, volume=True):
    n = len(stamps)
    close = 100 + np.arange(n, dtype=float)
    data = {"Open": close - 0.5, "High": close + 1, "Low": close - 1, "Close": close}
    if volume:
        data["Volume"] = np.full(n, 10)
    return pd.DataFrame(data, index=stamps)


def hours(n=48, start="2024-01-05", zone=None):
    return pd.date_range(start, periods=n, freq="h", tz=zone)


def test_pandas_and_polars_frames_give_the_same_bars():
    """An index, a column of any accepted name, text, epoch counts and polars give identical content."""
    table = frame(hours())
    expected = Bars.from_frame(table, symbol="X").content_hash
    named = table.reset_index(names="Date")
    variants = [
        named,
        named.rename(columns={"Date": "OPEN_TIME"}),
        named.assign(Date=named.Date.dt.strftime("%Y-%m-%d %H:%M:%S")),
        named.assign(Date=named.Date.astype("int64") // (10**9 if named.Date.dt.unit == "ns" else 10**6)),
        named.assign(Date=named.Date.dt.as_unit("ms").astype("int64")),
        named.assign(Date=named.Date.dt.as_unit("us").astype("int64")),
        named.assign(Date=named.Date.dt.as_unit("ns").astype("int64")),
        pl.from_pandas(named),
        pl.from_pandas(named).with_columns(pl.col("Date").dt.replace_time_zone("UTC")),
        pl.from_pandas(named).with_columns(pl.col("Date").dt.to_string("%Y-%m-%dT%H:%M:%S")),
    ]
    assert [Bars.from_frame(v, symbol="X").content_hash for v in variants] == [expected] * len(variants)


def test_zoned_stamps_are_converted_and_naive_stamps_are_utc():
    """Midnight in New York is 05:00 UTC in winter; a stamp without a zone is taken as UTC."""
    zoned = Bars.from_frame(frame(hours(zone="America/New_York")), symbol="X")
    naive = Bars.from_frame(frame(hours()), symbol="X")
    assert zoned.open_time[0] - naive.open_time[0] == 5 * 3_600_000


def test_polars_dates_are_midnight_utc():
    """A polars Date column gives the same stamps as a pandas index of days."""
    days = frame(pd.date_range("2024-01-01", periods=30, freq="D"))
    table = pl.from_pandas(days.reset_index(names="date")).with_columns(pl.col("date").cast(pl.Date))
    assert Bars.from_frame(table, symbol="X").content_hash == Bars.from_frame(days, symbol="X").content_hash


@pytest.mark.parametrize(
    ("freq", "periods", "timeframe"),
    [("min", 9, "1m"), ("15min", 9, "15m"), ("4h", 9, "4h"), ("D", 9, "1d"), ("W-MON", 9, "1w"), ("MS", 40, "1M")],
)
def test_timeframe_is_the_most_frequent_distance(freq, periods, timeframe):
    """The inferred timeframe has its canonical spelling, months included."""
    stamps = pd.date_range("2024-01-01", periods=periods, freq=freq)
    assert str(Bars.from_frame(frame(stamps), symbol="X").timeframe) == timeframe


@pytest.mark.parametrize(
    ("stamps", "calendar"),
    [
        (hours(24 * 14), Calendar.ALWAYS),
        (hours(24 * 14)[hours(24 * 14).day_of_week < 5], Calendar.FX_24_5),
        (pd.bdate_range("2022-01-03", "2023-12-29"), Calendar.FX_24_5),
        (pd.bdate_range("2022-01-03", "2023-12-29").delete(slice(0, 500, 24)), Calendar.XNYS),
        (pd.date_range("2024-01-01", periods=30, freq="D"), Calendar.ALWAYS),
    ],
)
def test_calendar_is_told_from_weekends_nights_and_sessions_a_year(stamps, calendar):
    """Saturdays mean 24/7, nights or more than 256 sessions a year 24/5, the rest is an exchange."""
    assert Bars.from_frame(frame(stamps), symbol="X").calendar is calendar


def test_volume_is_optional():
    """Without a volume column the volume is 0 everywhere."""
    assert not Bars.from_frame(frame(hours(), volume=False), symbol="X").volume.any()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (frame(hours()).drop(columns="High"), "'high' is missing"),
        (frame(hours()).reset_index(drop=True), "no stamps found"),
        (frame(hours()).assign(close=1.0), "two columns are called 'close'"),
        (frame(hours()).assign(Close="many"), "not a number"),
        (frame(hours()[::-1]), "strictly increase"),
        (frame(hours(1)), "pass timeframe="),
        (frame(hours()).assign(date="yesterday"), "stamps cannot be read"),
        (frame(hours()).assign(date=pd.NaT), "stamps cannot be read"),
        (pd.concat({"A": frame(hours())}, axis=1), "columns are nested"),
        ([1, 2, 3], "not from list"),
    ],
)
def test_unusable_frames_are_refused_by_name(broken, message):
    """Each refusal names the symbol and what is wrong."""
    with pytest.raises(MarketDataError, match=message) as caught:
        Bars.from_frame(broken, symbol="X")
    assert "X" in caught.value.message


def test_a_missing_price_is_refused_by_bar():
    """A NaN or null price names its bar; nothing is filled in."""
    table = frame(hours()).reset_index(names="time")
    table.loc[7, "Low"] = None
    for variant in (table, pl.from_pandas(table)):
        with pytest.raises(MarketDataError, match="bar 7"):
            Bars.from_frame(variant, symbol="X")


def test_bars_stay_read_only_through_slices_and_pickles():
    """Neither a slice nor a copy from another process can be written to, and both keep origin and content."""
    bars = Bars.from_frame(frame(hours()), symbol="X", origin="made up")
    copy = pickle.loads(pickle.dumps(bars))
    assert (copy.content_hash, copy.origin, bars[3:9].origin) == (bars.content_hash, "made up", "made up")
    for each in (bars, bars[3:9], copy):
        assert not each.matrix.flags.writeable
        assert each.matrix.flags.c_contiguous


def test_trusted_bars_share_memory_and_refuse_what_kernels_cannot_take():
    """The trusted way neither copies nor scans, but insists on layout and on read-only memory."""
    bars = Bars.from_frame(frame(hours()), symbol="X")
    again = Bars.trusted("X", bars.timeframe, bars.calendar, bars.matrix)
    assert again.matrix is bars.matrix
    with pytest.raises(MarketDataError, match="read-only"):
        Bars.trusted("X", bars.timeframe, bars.calendar, bars.matrix.copy())
    with pytest.raises(MarketDataError, match="C-ordered"):
        Bars.trusted("X", bars.timeframe, bars.calendar, np.asfortranarray(bars.matrix))


def test_timeframes_of_equal_length_have_one_canonical_spelling():
    """60 minutes are an hour and 7 days a week; 0 seconds are refused."""
    spellings = [(3600, "1h"), (604_800, "1w"), (86_400 * 2, "2d"), (86_400 * 30, "1M"), (90, "90s"), (5400, "90m")]
    assert [str(Timeframe.of_seconds(s)) for s, _ in spellings] == [text for _, text in spellings]
    with pytest.raises(MarketDataError, match="cannot last 0 s"):
        Timeframe.of_seconds(0)


def test_an_unknown_calendar_names_the_known_ones():
    """The way out is in the message."""
    with pytest.raises(MarketDataError, match="known: XNYS"):
        Bars.from_frame(frame(hours()), symbol="X", calendar="NYSE")


def test_a_lazy_polars_frame_is_collected():
    """Polars users often hold a query; it gives the bars of its result."""
    table = pl.from_pandas(frame(hours()).reset_index(names="date"))
    lazy = table.lazy().filter(pl.col("Close") > 110)
    assert Bars.from_frame(lazy, symbol="X").content_hash == Bars.from_frame(lazy.collect(), symbol="X").content_hash


@pytest.mark.parametrize(("freq", "said"), [("D", "1w"), ("h", "4h"), ("min", "5m"), ("W-MON", "1M")])
def test_bars_closer_than_their_timeframe_are_refused(freq, said):
    """Daily bars called weekly would be annualised wrongly by a factor of more than two."""
    with pytest.raises(MarketDataError, match="s apart") as caught:
        Bars.from_frame(frame(pd.date_range("2024-01-01", periods=60, freq=freq)), symbol="X", timeframe=said)
    assert caught.value.code == "unknown_timeframe"


def test_months_holidays_and_changes_of_the_clock_are_no_reason_to_refuse():
    """Short months, days of 23 hours, gaps and half-hour sessions keep the timeframe that they were given."""
    days = pd.date_range("2024-03-07", periods=9, freq="D", tz="America/New_York")
    sessions = [f"2024-01-0{d}T{t}" for d in (2, 3, 4, 5) for t in ("09:30", "10:00", "11:00", "12:00", "13:00")]
    for stamps, said in (
        (pd.date_range("2024-02-01", periods=2, freq="MS"), "1M"),
        (days, "1d"),
        (pd.DatetimeIndex(sessions), "1h"),
        (hours(1), "1h"),
    ):
        assert str(Bars.from_frame(frame(stamps), symbol="X", timeframe=said).timeframe) == said
