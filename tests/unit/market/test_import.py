"""Price files of known sources are read, checked, and refused when broken."""

import gzip
import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from stratopt.errors import MarketDataError
from stratopt.market.catalogue import Catalogue
from stratopt.market.formats import PRESETS, detect
from stratopt.market.sources.csv_parquet import import_file, read_file

YAHOO = """Date,Open,High,Low,Close,Adj Close,Volume
2024-01-02,187.149994,188.440002,183.889999,185.639999,184.938217,82488700
2024-01-03,184.220001,185.880005,183.429993,184.250000,183.553467,58414500
2024-01-04,182.149994,183.089996,180.880005,181.910004,181.222321,71983600
2024-01-05,181.990005,182.759995,180.169998,181.179993,180.495071,62303300
"""
KLINES = "".join(
    f"{1704067200000 + i * 3600000},42{i}83.58,42{i}99.00,42{i}00.10,42{i}75.48,1271.68,{1704067200000 + i * 3600000 + 3599999},"
    f"54000000.1,4713{i},682.5,29000000.2,0\n"
    for i in range(6)
)
CDD_NEW = """https://www.CryptoDataDownload.com
unix,date,symbol,open,high,low,close,Volume BTC,Volume USD
1646092800,2022-03-01 00:00:00,BTC/USD,43221.71,43626.49,43185.48,43312.27,52.05,2254690.31
1646089200000,2022-02-28 23:00:00,BTC/USD,43085.30,43364.81,42892.37,43178.98,106.81,4612210.68
1646085600,2022-02-28 22:00:00,BTC/USD,42600.54,43197.50,42545.16,43085.30,150.73,6470000.11
"""
CDD_OLD = """Timestamps are UTC timezone,https://www.CryptoDataDownload.com
date,symbol,open,high,low,close,volume_btc,volume
2019-10-17 01-PM,BTCUSD,8051,8056.83,8021.23,8035.88,61.25,492394.56
2019-10-17 12-PM,BTCUSD,7975.89,8070,7975.89,8051,370.45,2971610.86
2019-10-17 11-AM,BTCUSD,7964.62,7987.82,7964.61,7975.89,121.68,970521.83
"""
HISTDATA = """20170103 000000;1.046610;1.046630;1.046600;1.046620;0
20170103 000100;1.046620;1.046720;1.046610;1.046700;0
20170103 000200;1.046700;1.046720;1.046690;1.046690;0
"""
DUKASCOPY = """Time;Open;High;Low;Close;Volume
01.01.2017 22:00:00.000;1.05236;1.05253;1.05221;1.05227;143539993.3
01.01.2017 23:00:00.000;1.05227;1.05426;1.05226;1.05282;253139999.4
"""


def written(tmp_path, text, name="prices.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "name", "first", "timeframe", "calendar", "volume"),
    [
        (YAHOO, "yahoo", "2024-01-02T00:00", "1d", "XNYS", 82488700),
        (KLINES, "binance", "2024-01-01T00:00", "1h", "24/7", 1271.68),
        (
            "open_time,open,high,low,close,volume,close_time,quote_volume,count,a,b,c\n" + KLINES,
            "binance",
            "2024-01-01T00:00",
            "1h",
            "24/7",
            1271.68,
        ),
        (KLINES.replace("00000,", "00000000,"), "binance", "2024-01-01T00:00", "1h", "24/7", 1271.68),
        (CDD_NEW, "cryptodatadownload", "2022-02-28T22:00", "1h", "24/7", 150.73),
        (CDD_OLD, "cryptodatadownload", "2019-10-17T11:00", "1h", "24/7", 121.68),
        (HISTDATA, "histdata", "2017-01-03T05:00", "1m", "24/5", 0),
        (DUKASCOPY, "generic", "2017-01-01T22:00", "1h", None, 143539993.3),
        ("made by me\n\n" + YAHOO.replace("Adj Close", "Note"), "generic", "2024-01-02T00:00", "1d", "XNYS", 82488700),
        (YAHOO.replace(",", "\t").upper(), "generic", "2024-01-02T00:00", "1d", "XNYS", 82488700),
    ],
)
def test_presets_are_recognised_and_read(tmp_path, text, name, first, timeframe, calendar, volume):
    """Each source's separators, header lines, stamps, order and volume column are understood without being told."""
    path = written(tmp_path, text)
    done = import_file(path, symbol="x")
    assert done.provenance["format"] == name
    bars = done.bars
    assert str(bars.stamps[0])[:16] == first
    assert str(bars.timeframe) == timeframe
    assert calendar is None or bars.calendar == calendar
    assert bars.volume[0] == volume
    assert import_file(path, symbol="X", format=name).bars.content_hash == bars.content_hash


def test_every_preset_has_a_recognised_example():
    """No preset exists without a text above."""
    texts = (YAHOO, KLINES, CDD_NEW, HISTDATA, DUKASCOPY)
    assert {detect(text.splitlines()) for text in texts} == set(PRESETS)


@pytest.mark.parametrize("wrap", ["gzip", "zip", "bom"])
def test_packed_files_are_read(tmp_path, wrap):
    """Archives as sources ship them, and a byte order mark, change nothing."""
    content = YAHOO.encode()
    if wrap == "gzip":
        content = gzip.compress(content)
    elif wrap == "bom":
        content = b"\xef\xbb\xbf" + content
    else:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("DATA.csv", content)
            archive.writestr("readme.txt", "terms")
        content = buffer.getvalue()
    path = tmp_path / "packed"
    path.write_bytes(content)
    plain = import_file(written(tmp_path, YAHOO), symbol="A").bars
    assert import_file(path, symbol="A").bars.content_hash == plain.content_hash


def test_parquet_files_are_read(tmp_path):
    """A frame written by pandas, index or column, gives the same bars as the text."""
    plain = import_file(written(tmp_path, YAHOO), symbol="A").bars
    frame = plain.to_frame()
    frame.to_parquet(tmp_path / "index.parquet")
    frame.reset_index().rename(columns=str.upper).to_parquet(tmp_path / "column.parquet")
    for name in ("index.parquet", "column.parquet"):
        assert import_file(tmp_path / name, symbol="A").bars.content_hash == plain.content_hash


def test_an_imported_file_can_be_stored_and_names_its_origin(tmp_path):
    """The provenance has the file's hash, format, repairs and warnings, and comes back from the catalogue."""
    done = import_file(written(tmp_path, YAHOO), symbol="mine")
    stored = Catalogue(tmp_path / "data").add(done.bars, done.provenance)
    assert stored.provenance == done.provenance
    assert set(done.provenance) == {"description", "file", "file_sha256", "format", "repaired", "warnings"}
    assert json.loads(json.dumps(done.to_dict()))["report"]["ok"] is True


def test_errors_refuse_the_file_until_a_repair_is_chosen(tmp_path):
    """Rows out of order and doubled are refused with the report; the chosen repairs are named in the provenance."""
    lines = YAHOO.splitlines()
    path = written(tmp_path, "\n".join([lines[0], lines[3], lines[2], lines[1], lines[1], lines[4]]))
    with pytest.raises(MarketDataError, match="and 1 further") as caught:
        import_file(path, symbol="A")
    assert caught.value.code == "invalid_bars"
    assert {f["code"] for f in caught.value.context["report"]["findings"]} >= {"order", "duplicates"}
    done = import_file(path, symbol="A", repairs=["sort", "drop_duplicates"])
    assert done.bars.content_hash == import_file(written(tmp_path, YAHOO, "ok.csv"), symbol="A").bars.content_hash
    assert done.provenance["repaired"] == ["sort: 4 rows", "drop_duplicates: 1 rows"]


def test_a_missing_price_is_an_error_not_a_guess(tmp_path):
    """Yahoo's null rows are refused until dropping them is chosen."""
    path = written(tmp_path, YAHOO + "2024-01-08,null,null,null,null,null,null\n2024-01-09,1,1,1,1,1,1\n")
    with pytest.raises(MarketDataError, match="missing_values"):
        import_file(path, symbol="A")
    assert len(import_file(path, symbol="A", repairs=["drop_missing"]).bars) == 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("\n \n", "empty"),
        ("1,2,3\n4,5,6\n", "no line with open, high, low and close"),
        ("Open,High,Low,Close\n1,1,1,1\n", "no stamp column"),
        ("Date,Open,High,Low,Close\n2024-01-02,1,1,1,1\n,1,1,1,1\n", "line 3: the stamp is missing"),
        ("Date,Open,High,Low,Close\n2024-01-02,1,1,1,1\nsoon,1,1,1,1\n", "stamps cannot be read"),
        ("Date,Open,High,Low,Close\n2024-01-02,1,1,1,1\n2024-01-03,1,one,1,1\n", "line 3, column high: 'one'"),
        ("Date,Open,High,Low,Close\n2024-01-02,1,1,1,1\n", "pass timeframe="),
        (b"\xff\xfe\x00bad", "cannot be read"),
        (b"PAR1 not really", "cannot be read"),
        (b"PK\x03\x04 not really", "cannot be read"),
        (b"\x1f\x8b not really", "cannot be read"),
    ],
)
def test_unreadable_files_say_where(tmp_path, content, message):
    """Each refusal names the file or the line."""
    path = tmp_path / "prices.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(MarketDataError, match=message):
        import_file(path, symbol="A")


def test_bad_arguments_are_refused_by_name(tmp_path):
    """Unknown formats and repairs, missing files and impossible symbols are named."""
    path = written(tmp_path, YAHOO)
    for arguments, code in [
        ({"symbol": "A", "format": "excel"}, "unknown_format"),
        ({"symbol": "A", "repairs": ["invent"]}, "unknown_repair"),
        ({"symbol": "../A"}, "invalid_symbol"),
        ({"symbol": "A", "timeframe": "1x"}, "unknown_timeframe"),
        ({"symbol": "A", "calendar": "MARS"}, "unknown_calendar"),
    ]:
        with pytest.raises(MarketDataError) as caught:
            import_file(path, **arguments)
        assert caught.value.code == code
    with pytest.raises(MarketDataError, match="cannot be read"):
        import_file(tmp_path / "nothing.csv", symbol="A")


def test_whole_number_dates_are_dates(tmp_path):
    """20240131 is a day, not a count of seconds."""
    text = YAHOO.replace("Adj Close", "Note").replace("2024-01-0", "2024010")
    assert str(import_file(written(tmp_path, text), symbol="A").bars.stamps[0])[:10] == "2024-01-02"


def test_large_files_are_read_quickly_and_exactly(tmp_path):
    """Prices survive text to the last bit."""
    rng = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, 20_000)))
    frame = pd.DataFrame({"open": close, "high": close, "low": close, "close": close, "volume": 1.5})
    frame.insert(0, "timestamp", 1_600_000_020_000 + 60_000 * np.arange(20_000))
    frame.to_csv(tmp_path / "large.csv", index=False)
    raw, _ = read_file(tmp_path / "large.csv", symbol="A")
    assert np.array_equal(raw.columns[3], close)


HOURS = """date,time,open,high,low,close,volume
2018-01-01,22:00:00,100,101,99,100.5,1
2018-01-01,23:00:00,100.5,101,99,100.7,2
2018-01-02,00:00:00,100.7,101,99,100.9,3
2018-01-02,01:00:00,100.9,101,99,100.2,4
"""


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("{:%Y-%m-%d}", "{:%H:%M:%S}"),
        ("{:%Y-%m-%d}", "{:%H:%M}"),
        ("{:%Y-%m-%d}", "{:%H:%M:%S}.000"),
        ("{:%Y-%m-%d}", "{0.hour}:{0:%M}"),
        ("{:%Y.%m.%d}", "{:%H:%M:%S}"),
        ("{:%Y.%m.%d}", "{:%H:%M}"),
        ("{:%d.%m.%Y}", "{:%H:%M}"),
        ("{:%d.%m.%Y}", "{:%H:%M:%S}"),
        ("{:%Y%m%d}", "{:%H%M%S}"),
        ("{:%Y%m%d}", "{:%H%M}"),
        ("{:%Y%m%d}", "{:%H:%M:%S}"),
        ("{:%Y-%m-%d}", "{:%H%M}"),
    ],
)
def test_date_and_time_in_two_columns_are_one_stamp(tmp_path, date, time):
    """However both are written: the bars are hours, not the last hour of each day."""
    moments = pd.date_range("2018-01-30 22:00", periods=30, freq="h")
    rows = [f"{date.format(m)},{time.format(m)},100,101,99,{100 + i / 100},{i}" for i, m in enumerate(moments)]
    done = import_file(written(tmp_path, "\n".join(["Date, Time,open,high,low,close,volume", *rows])), symbol="A")
    assert (str(done.bars.timeframe), len(done.bars)) == ("1h", 30)
    assert str(done.bars.stamps[0]) == "2018-01-30T22:00:00.000"
    assert str(done.bars.stamps[-1]) == "2018-02-01T03:00:00.000"


def test_a_time_column_that_adds_nothing_is_left_out(tmp_path):
    """It is empty, or the date has its hours already."""
    plain = import_file(written(tmp_path, YAHOO), symbol="A").bars
    empty = "\n".join(
        line.replace(",", ",Time," if line[0] == "D" else ",,", 1)
        for line in YAHOO.replace("Adj Close", "x").splitlines()
    )
    assert import_file(written(tmp_path, empty), symbol="A").bars.content_hash == plain.content_hash
    whole = HOURS.replace("01-01,", "01-01 ").replace("01-02,", "01-02 ").replace("date,time", "date")
    twice = HOURS.replace("-01,", "-01 22:00:00,", 1).replace("-01,23", "-01 23:00:00,23")
    twice = twice.replace("-02,00", "-02 00:00:00,00").replace("-02,01", "-02 01:00:00,01")
    assert (
        import_file(written(tmp_path, twice), symbol="A").bars.content_hash
        == import_file(written(tmp_path, whole, "whole.csv"), symbol="A").bars.content_hash
    )


def test_a_time_that_is_missing_or_no_time_is_told_by_its_line(tmp_path):
    """Nothing is guessed into it."""
    with pytest.raises(MarketDataError, match="line 4: the stamp is missing"):
        import_file(written(tmp_path, HOURS.replace("00:00:00", "")), symbol="A")
    with pytest.raises(MarketDataError, match="noon"):
        import_file(written(tmp_path, HOURS.replace("00:00:00", "noon")), symbol="A")


def test_stamps_that_look_cut_are_not_to_be_dropped(tmp_path):
    """Hours whose column of times has another name: dropping doubled stamps would leave one hour a day."""
    cut = HOURS.replace("date,time", "date,clock")
    with pytest.raises(MarketDataError, match=r"look cut.*column.*time") as caught:
        import_file(written(tmp_path, cut), symbol="A", timeframe="1d")
    assert "drop_duplicates" not in caught.value.message


@pytest.mark.parametrize("wrap", ["csv", "parquet"])
def test_a_timeframe_longer_than_the_distance_of_the_bars_is_refused(tmp_path, wrap):
    """As Bars.from_frame refuses it: days are not weeks, in whatever order and however often they stand there."""
    moments = pd.date_range("2024-01-01", periods=40).strftime("%Y-%m-%d")
    rows = [f"{moment},100,101,99,100,{i}" for i, moment in enumerate([*moments, *moments])]
    path = written(tmp_path, "\n".join(["date,open,high,low,close,volume", *rows]))
    if wrap == "parquet":
        path = tmp_path / "prices.parquet"
        pd.read_csv(tmp_path / "prices.csv").to_parquet(path)
    for read in (read_file, import_file):
        with pytest.raises(MarketDataError, match="usually 86400 s apart, so they are not 1w bars") as caught:
            read(path, symbol="A", timeframe="1w")
        assert caught.value.code == "unknown_timeframe"
    repairs = ["sort", "drop_duplicates"]
    assert len(import_file(path, symbol="A", timeframe="1d", repairs=repairs).bars) == 40
    assert len(import_file(path, symbol="A", timeframe="1h", repairs=repairs).bars) == 40, "with gaps"
