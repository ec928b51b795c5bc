"""The validation report finds the defects that real sources have."""

import json

import numpy as np
import pandas as pd
import pytest

from stratopt import load_bars
from stratopt.errors import MarketDataError
from stratopt.market.frames import columns_of
from stratopt.market.raw_series import RawSeries
from stratopt.market.repair import REPAIRS, repair
from stratopt.market.synthetic import synthetic_bars
from stratopt.market.validation import validate

DAY_MS = 86_400_000


def clean(count=400, timeframe="1d", calendar="XNYS", seed=1):
    """Bars without any finding."""
    bars = synthetic_bars(
        count,
        seed=seed,
        timeframe=timeframe,
        calendar=calendar,
        missing_share=0,
        zero_volume_share=0,
        start="2019-01-01",
    )
    return RawSeries.from_bars(bars)


def changed(raw, row, at, value):
    columns = raw.columns.copy()
    columns[row, at] = value
    return RawSeries(
        symbol=raw.symbol, timeframe=raw.timeframe, calendar=raw.calendar, open_time=raw.open_time, columns=columns
    )


def only(series, **options):
    """The one finding of a series that has one kind of defect."""
    report = validate(series, **options)
    assert len(report.findings) == 1, report.to_text()
    return report.findings[0]


@pytest.mark.parametrize(("timeframe", "calendar"), [("1d", "XNYS"), ("1h", "24/7"), ("5m", "24/5"), ("15m", "XNYS")])
def test_clean_bars_have_no_finding(timeframe, calendar):
    """Nothing is reported about bars that are all right, on three calendars."""
    report = validate(clean(timeframe=timeframe, calendar=calendar), jump_sigma=30)
    assert report.findings == (), report.to_text()
    assert report.ok
    assert report.to_text().endswith("nothing found")


@pytest.mark.parametrize(
    "symbol", ["AAPL", "AMZN", "META", "NFLX", "NVDA", "GOOG", "SPX", "MSFT", "BTC", "EURUSD", "AAPL-1980"]
)
def test_no_bundled_series_has_an_error_or_a_suspected_split(symbol):
    """Crashes and earnings gaps of thirteen real series are not taken for splits."""
    report = validate(load_bars(symbol, "1h" if symbol == "EURUSD" else "1d"))
    assert report.ok
    assert "suspected_splits" not in report.by_code()


def test_missing_sessions_of_a_real_series_are_found():
    """The two sessions that the Microsoft file misses, and no holiday, are gaps."""
    found = validate(load_bars("MSFT")).by_code()["gaps"]
    assert (found.count, found.examples) == (2, ("1 after 1998-10-28", "1 after 1999-11-15"))


def test_flat_bars_of_a_real_series_are_found():
    """The index has closes only before 1962."""
    found = validate(load_bars("SPX")).by_code()["flat_bars"]
    assert found.count == 3051
    assert "3013 bars in a row" in found.message


def test_repeated_hours_of_a_real_series_are_found():
    """Five hours of the Bitcoin file occur twice; they are reported at their second place."""
    found = validate(load_bars("BTC", "1h")).by_code()["repeated_bars"]
    assert found.count == 5
    assert found.examples[0] == "2017-11-12T04:00:00Z"


def test_an_unadjusted_split_is_suspected():
    """A series that falls to a quarter overnight opens at a simple fraction of the close before."""
    bars = synthetic_bars(
        600,
        seed=2,
        timeframe="1d",
        calendar="XNYS",
        split_at=300,
        missing_share=0,
        zero_volume_share=0,
        start="2019-01-01",
    )
    found = validate(bars).by_code()["suspected_splits"]
    assert (found.count, found.examples) == (1, (str(bars.stamps[300])[:10],))


@pytest.mark.parametrize("ratio", [1.5, 2, 5, 7, 20, 0.1])
def test_splits_and_reverse_splits_of_usual_ratios_are_suspected(ratio):
    """From three for two to one for ten."""
    bars = synthetic_bars(
        600,
        seed=3,
        timeframe="1d",
        calendar="XNYS",
        split_at=200,
        split_ratio=ratio,
        missing_share=0,
        zero_volume_share=0,
        start="2019-01-01",
    )
    assert validate(bars).by_code()["suspected_splits"].count == 1


def test_reversed_rows_are_one_error_that_sorting_repairs():
    """Newest first is an error until the repair sort is chosen, which gives back the same series."""
    raw = clean()
    backwards = raw.take(slice(None, None, -1))
    found = only(backwards)
    assert (found.code, found.severity) == ("order", "error")
    assert "reverse order" in found.message
    mended, done = repair(backwards, ["sort"])
    assert done == ["sort: 400 rows"]
    assert mended.to_bars().content_hash == raw.to_bars().content_hash


def test_doubled_stamps_say_how_many_disagree():
    """Two rows of one stamp are an error; the last one stays when dropping is chosen."""
    raw = clean()
    doubled = changed(raw.take([0, 1, 1, 2, 2, 3, *range(4, 400)]), 4, 2, 7.0)
    found = only(doubled)
    assert (found.code, found.count) == ("duplicates", 2)
    assert "1 of them with other values" in found.message
    mended, done = repair(doubled, ["drop_duplicates"])
    assert done == ["drop_duplicates: 2 rows"]
    assert mended.columns[4, 1] == 7.0


@pytest.mark.parametrize(
    ("row", "value", "code"),
    [
        (0, np.nan, "missing_values"),
        (4, np.inf, "missing_values"),
        (4, -1.0, "negative_volume"),
        (2, 0.0, "nonpositive_prices"),
        (1, 1.0, "ohlc_bounds"),
        (2, 1e6, "ohlc_bounds"),
    ],
)
def test_broken_values_are_errors(row, value, code):
    """Each kind of broken value has its own error with the stamp of the bar, and keeps the series from being used."""
    broken = changed(clean(), row, 123, value)
    report = validate(broken)
    assert [f.code for f in report.errors] == [code]
    assert report.errors[0].examples == (str(broken.open_time[123].astype("M8[ms]"))[:10],)
    with pytest.raises(MarketDataError, match="bar 123"):
        broken.to_bars()


def test_missing_values_can_be_dropped():
    """The row goes, which leaves a gap."""
    mended, done = repair(changed(clean(), 3, 123, np.nan), ["drop_missing"])
    assert done == ["drop_missing: 1 rows"]
    assert only(mended).code == "gaps"


def test_rounding_may_be_repaired_and_real_violations_may_not():
    """A bound that is off by one rounding moves when chosen; one that is off by a cent stays an error."""
    raw = clean()
    top = raw.columns[[0, 3], 50].max()
    rounded = changed(raw, 1, 50, np.nextafter(top, 0))
    assert only(rounded).code == "ohlc_bounds"
    mended, done = repair(rounded, ["round_bounds"])
    assert done == ["round_bounds: 1 rows"]
    assert mended.columns[1, 50] == top
    wrong = changed(raw, 1, 50, top - 0.01)
    assert repair(wrong, ["round_bounds"])[1] == []


def test_unchosen_and_unknown_repairs_do_nothing():
    """No repair is made that was not asked for; an unknown one is refused with the list."""
    backwards = clean().take(slice(None, None, -1))
    assert repair(backwards, [])[0] is backwards
    with pytest.raises(MarketDataError, match="known: sort, drop_duplicates"):
        repair(backwards, ["magic"])


def test_repairs_keep_clean_series_as_they_are():
    """On a clean series every repair but drop_last is the identity."""
    raw = clean()
    mended, done = repair(raw, set(REPAIRS) - {"drop_last"})
    assert done == []
    assert mended.to_bars().content_hash == raw.to_bars().content_hash


@pytest.mark.parametrize(
    ("timeframe", "calendar", "dropped", "missing"),
    [
        ("1d", "XNYS", slice(100, 103), 3),
        ("1h", "24/7", slice(100, 103), 3),
        ("15m", "XNYS", slice(100, 103), 3),
        ("5m", "24/5", slice(100, 103), 3),
        ("1w", "24/7", slice(100, 103), 3),
    ],
)
def test_missing_bars_are_counted(timeframe, calendar, dropped, missing):
    """Removed bars are found on each calendar, with the longest gap named."""
    raw = clean(timeframe=timeframe, calendar=calendar)
    holed = raw.take(np.delete(np.arange(400), np.r_[dropped]))
    found = validate(holed, jump_sigma=100).by_code()["gaps"]
    assert found.count == missing
    assert "the longest of 3" in found.message


def test_missing_months_are_counted():
    """Months have no fixed length, yet a missing one is found."""
    months = pd.date_range("2012-01-01", periods=156, freq="MS").delete([20, 21])
    ones = np.ones(len(months))
    raw = RawSeries.of(
        "BTCUSD", columns_of(pd.DataFrame(dict.fromkeys(["open", "high", "low", "close"], ones), index=months), "X")
    )
    assert str(raw.timeframe) == "1M"
    assert validate(raw).by_code()["gaps"].examples == ("2 after 2013-08-01",)


def test_constant_volume_is_one_warning():
    """Currencies without volume are reported once, not bar by bar."""
    raw = clean()
    for value in (0.0, 5.0):
        assert only(changed(raw, 4, slice(None), value)).code == "constant_volume"


def test_runs_without_volume_are_measured():
    """Bars without volume are counted and their longest run is named."""
    found = only(changed(clean(), 4, [10, 11, 12, 200], 0.0))
    assert (found.code, found.count) == ("zero_volume", 4)
    assert "3 bars in a row" in found.message


def test_a_thin_or_open_last_bar_is_suspected_and_can_be_dropped():
    """The last bar is suspicious with a twentieth of the volume, and certain to be open when the clock says so."""
    raw = clean()
    thin = changed(raw, 4, -1, raw.columns[4, -21:].mean() / 20)
    assert only(thin).code == "partial_last"
    assert validate(repair(thin, ["drop_last"])[0]).findings == ()
    last = int(raw.open_time[-1])
    assert "has not closed" in only(raw, now_ms=last + DAY_MS - 1).message
    assert validate(raw, now_ms=last + DAY_MS).findings == ()


def test_stamps_off_the_grid_are_found():
    """A last bar stamped with the time of the quote lies off the grid of the hours."""
    raw = clean(timeframe="1h", calendar="24/7")
    stamps = raw.open_time.copy()
    stamps[-1] += 17 * 60_000
    off = RawSeries(symbol="X", timeframe=raw.timeframe, calendar=raw.calendar, open_time=stamps, columns=raw.columns)
    assert validate(off, jump_sigma=100).by_code()["off_grid"].count == 1


def test_a_jump_is_measured_in_robust_deviations():
    """One wild close does not hide itself by inflating the deviation."""
    raw = clean()
    columns = raw.columns.copy()
    columns[:4, 200] *= 1.37
    jumped = RawSeries(
        symbol="X", timeframe=raw.timeframe, calendar=raw.calendar, open_time=raw.open_time, columns=columns
    )
    assert validate(jumped).by_code()["jumps"].count == 2, "up and down again"


def test_the_report_is_text_and_json():
    """Both forms carry every finding, errors first."""
    report = validate(changed(changed(clean(), 4, [10, 11], 0.0), 0, 5, np.nan))
    assert [f["severity"] for f in report.to_dict()["findings"]] == ["error", "warning"]
    assert json.loads(json.dumps(report.to_dict()))["ok"] is False
    text = report.to_text()
    assert "missing_values" in text
    assert "zero_volume" in text
    assert text.splitlines()[-1] == "1 kinds of error, 1 of warning"


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_tiny_series_are_reported_without_a_crash(rows):
    """Too few bars for statistics are no error."""
    assert validate(clean().take(slice(0, rows))).rows == rows
