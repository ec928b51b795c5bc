"""The series that come with the package are what their provenance says."""

import hashlib

import numpy as np
import pytest

from stratopt import load_bars
from stratopt.market.bars import Bars
from stratopt.market.catalogue import Catalogue
from stratopt.market.parquet_file import read_facts
from stratopt.market.resample import resample
from stratopt.market.sources import bundled

ENTRIES = bundled.entries()


def test_fourteen_series_fit_into_two_megabytes():
    """The wheel carries 14 series in at most 2 MB, each in exactly one file."""
    files = sorted(bundled.DIRECTORY.glob("*.parquet"))
    assert len(ENTRIES) == len(files) == 14
    assert sum(f.stat().st_size for f in files) <= 2_000_000


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: f"{e['symbol']}-{e['timeframe']}")
def test_content_equals_provenance(entry):
    """Rows, range, calendar and content hash of the file are those of PROVENANCE.json, the hash computed anew."""
    bars = load_bars(entry["symbol"], entry["timeframe"])
    digest = hashlib.sha256(bars.matrix[5].astype("<i8").tobytes() + bars.matrix[:5].astype("<f8").tobytes())
    assert digest.hexdigest() == entry["content_hash"]
    assert (len(bars), bars.calendar, str(bars.timeframe)) == (entry["rows"], entry["calendar"], entry["timeframe"])
    facts = read_facts(bundled.DIRECTORY / bundled.file_name(entry["symbol"], entry["timeframe"]))
    assert {**facts, "provenance": entry["provenance"]} == entry
    first, last = (np.datetime64(entry[end].removesuffix("Z"), "ms") for end in ("first", "last"))
    assert (bars.stamps[0], bars.stamps[-1]) == (first, last)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: f"{e['symbol']}-{e['timeframe']}")
def test_provenance_is_complete(entry):
    """Each series names package, version, file, its hash, licence, upstream and what was done to it."""
    provenance = entry["provenance"]
    for fact in ("description", "package", "version", "file", "licence", "upstream", "transformation"):
        assert provenance[fact], fact
    assert len(provenance["file_sha256"]) == 64


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: f"{e['symbol']}-{e['timeframe']}")
def test_bundled_series_keep_every_rule_of_bars(entry):
    """Building the bars again with all checks gives the same content."""
    bars = load_bars(entry["symbol"], entry["timeframe"])
    again = Bars.from_matrix(bars.symbol, bars.timeframe, bars.calendar, bars.matrix.copy())
    assert again.content_hash == bars.content_hash


def test_known_prices_survive_the_journey():
    """Two well-known closes: the index at the end of 2015 and on Black Monday."""
    closes = [
        load_bars("SPX", "1d", day, end).close for day, end in [("2015-12-31", None), ("1987-10-19", "1987-10-20")]
    ]
    assert [[round(float(c), 2) for c in close] for close in closes] == [[2043.94], [224.84]]


@pytest.mark.parametrize(
    ("one", "other"),
    [(("BTCUSD", "1d"), ("BTCUSD", "1h")), (("AAPL", "1d"), ("AAPL-1980", "1d"))],
    ids=["bitcoin", "apple"],
)
def test_independent_sources_agree_on_the_day(one, other):
    """Daily returns of the same thing from two packages move together, so no series is shifted by a day or a zone."""
    returns = [resample(load_bars(*key), "1d").to_frame()["close"].pct_change() for key in (one, other)]
    both = np.column_stack([r.loc["2018-01-05":"2019-03-15"] for r in returns])
    assert len(both) > 290
    assert np.corrcoef(both.T)[0, 1] > 0.99
    assert abs(np.corrcoef(both[1:, 0], both[:-1, 1])[0, 1]) < 0.2


def test_listing_is_ready_for_tables_and_json():
    """Every series describes itself and names what can be resampled from it."""
    listed = [series.to_dict() for series in Catalogue().series()]
    assert [(e["symbol"], e["timeframe"]) for e in listed][3:5] == [("BTCUSD", "1h"), ("BTCUSD", "1d")]
    assert all(e["source"] == "bundled" and e["description"] for e in listed)
    assert listed[3]["resamples_to"] == ["2h", "4h", "6h", "8h", "12h", "1d", "1w", "1M"]
