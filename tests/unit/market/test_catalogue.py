"""The catalogue finds, cuts, resamples and stores series."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from stratopt import load_bars
from stratopt.errors import MarketDataError
from stratopt.market.bars import Bars
from stratopt.market.catalogue import Catalogue
from stratopt.market.mapped_file import open_mapped
from stratopt.market.symbols import ALIASES
from stratopt.market.timeframe import Timeframe


def minutes(symbol="MINE", n=200_000, timeframe="1m"):
    step = {"1m": 60_000, "1h": 3_600_000, "1d": 86_400_000}[timeframe]
    close = 100 + np.sin(np.arange(n) / 50)
    stamps = 1_500_000_000_000 // step * step + step * np.arange(n)
    return Bars.from_arrays(
        symbol=symbol, timeframe=timeframe, open_time=stamps, open=close, high=close + 1, low=close - 1, close=close
    )


@pytest.mark.parametrize("name", ["BTC", "btc", "BTCUSD", "BTC-USD", "BTC/USDT", "BTCUSDT", " btc "])
def test_names_of_existing_clients_mean_the_bitcoin_series(name):
    """However clients write Bitcoin, they get the stored daily series."""
    assert load_bars(name).content_hash == load_bars("BTCUSD", "1d").content_hash


def test_every_alias_leads_to_a_stored_series():
    """The alias table has no dead ends."""
    assert set(ALIASES.values()) <= set(Catalogue().symbols())


def test_the_range_includes_its_start_and_excludes_its_end():
    """Dates, texts and zoned moments cut alike; a moment without a zone is UTC."""
    expected = load_bars("BTC", "1h", "2019-01-01T00:00", "2019-01-02")
    assert len(expected) == 24
    assert str(expected.stamps[0]) == "2019-01-01T00:00:00.000"
    tokyo = dt.timezone(dt.timedelta(hours=9))
    for start, end in [
        (dt.date(2019, 1, 1), dt.date(2019, 1, 2)),
        (pd.Timestamp("2019-01-01").to_pydatetime(), pd.Timestamp("2019-01-02").to_pydatetime()),
        (dt.datetime(2019, 1, 1, 9, tzinfo=tokyo), "2019-01-02T09:00:00+09:00"),
        (pd.Timestamp("2019-01-01"), np.datetime64("2019-01-02")),
        (1_546_300_800, 1_546_387_200_000),
        ("2018-12-31T23:00:00.001Z", "2019-01-01T23:00:00.001Z"),
    ]:
        assert load_bars("BTC", "1h", start, end).content_hash == expected.content_hash


def test_a_timeframe_that_is_not_stored_is_resampled_and_says_so():
    """Four-hour bars come out of hourly ones, days of currencies are weekdays, and a cut range equals the whole cut."""
    whole = load_bars("BTC", "4h")
    part = load_bars("BTC", "4h", "2018-03-01", "2018-04-01")
    assert "resampled from 1h" in part.origin
    assert len(part) == 31 * 6
    at = int(np.searchsorted(whole.open_time, part.open_time[0]))
    assert part.content_hash == whole[at : at + len(part)].content_hash
    days = pd.DatetimeIndex(load_bars("EURUSD", "1d").stamps)
    assert set(days.day_of_week) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("BTCC",), "unknown_symbol", r"Did you mean BTC\?.*Known: AAPL, "),
        (("../../etc/passwd",), "unknown_symbol", "Known: AAPL"),
        (("..",), "unknown_symbol", "Known: AAPL"),
        (("A" * 10_000,), "unknown_symbol", "unknown symbol 'A{40}'"),
        (("",), "unknown_symbol", "Known"),
        ((None,), "unknown_symbol", "Known"),
        (("BTC", "5m"), "unknown_timeframe", "stored: 1h, 1d; made of them: 2h, 4h"),
        (("SPX", "1h"), "unknown_timeframe", "stored: 1d; made of them: 1w, 1M"),
        (("BTC", "fast"), "unknown_timeframe", "for example 1m"),
        (("SPX", "1d", "2016-01-01"), "empty_range", "covers 1950-01-03 to 2015-12-31"),
        (("SPX", "1d", "2015-12-26", "2015-12-28"), "empty_range", "from 2015-12-26 to 2015-12-28"),
        (("SPX", "1d", "2015-01-01", "2015-01-01"), "invalid_range", "not after start"),
        (("SPX", "1d", "2015-01-02", "2015-01-01"), "invalid_range", "not after start"),
        (("SPX", "1d", "last year"), "invalid_stamps", "start: 'last year'"),
        (("SPX", "1d", None, "2015-13-01"), "invalid_stamps", "end: '2015-13-01'"),
        (("SPX", "1d", 1.5), "invalid_stamps", "start: '1.5'"),
        (("SPX", "1d", True), "invalid_stamps", "start: 'True'"),
        (("SPX", "1d", 10**30), "invalid_stamps", "start: '1000"),
        (("SPX", "1d", pd.NaT), "invalid_stamps", "start: 'NaT'"),
        (("SPX", "1d", ["2015"]), "invalid_stamps", "is not a moment"),
        (("SPX", "1d", "9999-12-31"), "empty_range", "from 9999-12-31 to the end"),
    ],
)
def test_requests_that_cannot_be_served_name_the_way_out(arguments, code, message):
    """Each error has a stable code and says what would work."""
    with pytest.raises(MarketDataError, match=message) as caught:
        load_bars(*arguments)
    assert caught.value.code == code
    assert len(caught.value.message) < 500


def test_a_stored_series_reads_back_the_same(tmp_path):
    """Content, calendar and provenance survive; meta.json and the listing agree with the file."""
    bars = minutes()
    catalogue = Catalogue(tmp_path)
    stored = catalogue.add(bars, {"source": "made up"})
    assert (tmp_path / "catalogue" / "MINE" / "1m.parquet") == stored.path
    assert Catalogue(tmp_path).bars("mine", "1m").content_hash == bars.content_hash
    meta = json.loads((tmp_path / "catalogue" / "MINE" / "meta.json").read_text())
    assert meta["1m"]["content_hash"] == bars.content_hash == stored.content_hash
    listed = [s for s in Catalogue(tmp_path).series() if s.source == "user"]
    assert [s.to_dict() for s in listed] == [stored.to_dict()]
    assert listed[0].provenance == {"source": "made up"}


def test_the_file_holds_integer_millisecond_stamps_in_row_groups(tmp_path):
    """The physical layout is the documented one, so that a range read touches few row groups."""
    path = Catalogue(tmp_path).add(minutes(), {}).path
    layout = pq.ParquetFile(path)
    assert layout.schema.column(0).physical_type == "INT64"
    assert [layout.schema.column(i).physical_type for i in range(1, 6)] == ["DOUBLE"] * 5
    assert layout.num_row_groups == 4


def test_a_range_read_equals_the_cut_of_the_whole(tmp_path):
    """Ranges over the borders of row groups lose and repeat nothing."""
    bars = minutes()
    catalogue = Catalogue(tmp_path)
    catalogue.add(bars, {})
    for first, stop in [(0, 5), (65_530, 65_545), (70_000, 140_000), (199_990, 200_000)]:
        end = int(bars.open_time[stop - 1]) + 1
        part = catalogue.bars("MINE", "1m", int(bars.open_time[first]), end)
        assert part.content_hash == bars[first:stop].content_hash


def test_series_of_the_user_hide_bundled_ones_of_the_same_timeframe_only(tmp_path):
    """An own BTCUSD 1d wins over the bundled one, the bundled hours stay, and an own BTC wins over the alias."""
    catalogue = Catalogue(tmp_path)
    own = minutes("BTCUSD", 50, "1d")
    catalogue.add(own, {})
    assert catalogue.bars("BTC", "1d").content_hash == own.content_hash
    assert catalogue.bars("BTC", "1h").content_hash == load_bars("BTC", "1h").content_hash
    coin = minutes("BTC", 60, "1d")
    catalogue.add(coin, {})
    assert catalogue.bars("BTC", "1d").content_hash == coin.content_hash
    assert [str(t) for t in catalogue.timeframes("BTCUSD")] == ["1h", "1d"]


def test_removing_uncovers_what_was_hidden(tmp_path):
    """One timeframe or all of a name; what is left is told, and the other names stay."""
    catalogue = Catalogue(tmp_path)
    hour, day = Timeframe.parse("1h"), Timeframe.parse("1d")
    assert [str(s.timeframe) for s in catalogue.hidden_by("BTCUSD", day)] == ["1d"]
    assert {(s.symbol, str(s.timeframe)) for s in catalogue.hidden_by("BTC", day)} == {
        ("BTCUSD", "1h"),
        ("BTCUSD", "1d"),
    }
    assert catalogue.hidden_by("AAPL", hour) == catalogue.hidden_by("MINE", day) == []
    for bars in (minutes("BTC", 50, "1d"), minutes("BTC", 60, "1h"), minutes("MINE", 70, "1d")):
        catalogue.add(bars, {})
    assert catalogue.hidden_by("BTC", Timeframe.parse("1m")) == [], "the name hides them already"
    assert catalogue.remove("btc", "24h") == {day: 50}
    assert json.loads((tmp_path / "catalogue" / "BTC" / "meta.json").read_text()).keys() == {"1h"}
    assert catalogue.bars("BTC", "1h").symbol == "BTC"
    assert catalogue.remove("BTC") == {hour: 60}
    assert catalogue.bars("BTC", "1h").symbol == "BTCUSD"
    assert [s.symbol for s in catalogue.series() if s.source == "user"] == ["MINE"]
    with pytest.raises(MarketDataError, match="STRATOPT_DATA_DIR"):
        Catalogue().remove("BTC")


def test_a_broken_file_is_in_the_way_of_no_other(tmp_path):
    """Beside it a series can be stored and removed; ``meta.json`` tells those that can be read."""
    catalogue, day, minute = Catalogue(tmp_path), Timeframe.parse("1d"), Timeframe.parse("1m")
    catalogue.add(minutes("MINE", 60, "1h"), {})
    folder = tmp_path / "catalogue" / "MINE"
    (folder / "1h.parquet").write_bytes(b"broken")
    catalogue.add(minutes("MINE", 50, "1d"), {})
    catalogue.add(minutes("MINE", 40, "1m"), {})
    assert json.loads((folder / "meta.json").read_text()).keys() == {"1d", "1m"}
    assert catalogue.imported_rows("MINE") == {minute: 40, Timeframe.parse("1h"): None, day: 50}
    assert catalogue.remove("MINE", "1d") == {day: 50}
    assert json.loads((folder / "meta.json").read_text()).keys() == {"1m"}
    assert catalogue.remove("MINE", "1h") == {Timeframe.parse("1h"): None}
    assert catalogue.remove("MINE") == {minute: 40}
    assert not folder.exists()


def test_adding_again_replaces(tmp_path):
    """The newer series of a symbol and timeframe is the only one."""
    catalogue = Catalogue(tmp_path)
    catalogue.add(minutes(n=10), {})
    catalogue.add(minutes(n=20), {})
    assert len(catalogue.bars("MINE", "1m")) == 20
    assert not list((tmp_path / "catalogue").rglob(".new-*"))


@pytest.mark.parametrize("symbol", ["..", "../X", "A/B", ".hidden", "", "a b", "A" * 33, "A\x00", "mine"])
def test_symbols_that_could_leave_the_folder_are_refused(tmp_path, symbol):
    """A symbol outside the pattern is never written, and nothing appears outside the catalogue's folder."""
    with pytest.raises(MarketDataError) as caught:
        Catalogue(tmp_path / "data").add(minutes(symbol, 10), {})
    assert caught.value.code == "invalid_symbol"
    assert [p for p in tmp_path.rglob("*") if p.is_file() and p.name != ".lock"] == []


def test_a_folder_that_is_a_link_to_elsewhere_is_refused(tmp_path):
    """A planted link cannot make the catalogue write outside of its folder."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "MINE").symlink_to(tmp_path / "outside")
    with pytest.raises(MarketDataError, match="leaves the catalogue"):
        Catalogue(tmp_path).add(minutes(n=10), {})
    assert list((tmp_path / "outside").iterdir()) == []


def test_broken_series_files_are_errors_not_gaps(tmp_path):
    """A cut-off file and a file whose content no longer has its hash are both refused."""
    catalogue = Catalogue(tmp_path)
    path = catalogue.add(minutes(n=1000), {}).path
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MarketDataError) as caught:
        catalogue.bars("MINE", "1m")
    assert caught.value.code == "corrupt_series"
    assert len(catalogue.bars("SPX", "1d")) == 16_607, "other series are not affected"
    path.write_bytes(whole.replace(minutes(n=1000).content_hash.encode(), b"0" * 64))
    with pytest.raises(MarketDataError, match="content hash"):
        catalogue.bars("MINE", "1m")


def test_files_that_are_no_series_of_the_catalogue_are_not_listed(tmp_path):
    """Folders whose name is no symbol are ignored."""
    stray = tmp_path / "catalogue" / "not a symbol"
    stray.mkdir(parents=True)
    (stray / "1d.parquet").write_bytes(b"")
    assert Catalogue(tmp_path).symbols() == Catalogue().symbols()


def test_without_a_directory_nothing_can_be_stored():
    """The refusal names the setting that helps."""
    for act in (lambda: Catalogue().add(minutes(n=5), {}), lambda: Catalogue().map_file(minutes(n=5))):
        with pytest.raises(MarketDataError, match="STRATOPT_DATA_DIR") as caught:
            act()
        assert caught.value.code == "no_data_directory"


def test_memory_maps_share_pages_and_are_read_only(tmp_path):
    """A mapped series has the same content, cannot be written to and copies nothing."""
    bars = minutes()
    path = Catalogue(tmp_path).map_file(bars)
    assert path == tmp_path / "cache" / f"{bars.content_hash}.npy"
    mapped = open_mapped(path, "MINE", "1m", "24/7")
    assert mapped.content_hash == bars.content_hash
    assert isinstance(mapped.matrix.base, np.memmap)
    assert not mapped.matrix.flags.writeable
    before = path.stat().st_mtime_ns
    assert Catalogue(tmp_path).map_file(bars) == path
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("content", [b"", b"nonsense", None, np.zeros((5, 9)), np.zeros((6, 9), dtype=np.float32)])
def test_broken_memory_maps_are_refused_and_rewritten(tmp_path, content):
    """A missing, cut-off or foreign file is an error for the reader; the writer replaces it."""
    bars = minutes(n=500)
    path = Catalogue(tmp_path).map_file(bars)
    if isinstance(content, np.ndarray):
        np.save(path, content)
    else:
        path.write_bytes(path.read_bytes()[:1000] if content is None else content)
    with pytest.raises(MarketDataError) as caught:
        open_mapped(path, "MINE", "1m", "24/7")
    assert caught.value.code == "corrupt_map"
    assert open_mapped(Catalogue(tmp_path).map_file(bars), "MINE", "1m", "24/7").content_hash == bars.content_hash
