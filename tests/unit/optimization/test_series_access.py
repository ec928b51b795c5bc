"""What workers map is what the catalogue holds at that moment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stratopt.market.bars import Bars
from stratopt.market.catalogue import Catalogue
from stratopt.market.mapped_file import open_mapped
from stratopt.optimization.series_access import SeriesAccess


def days(symbol: str, count: int, level: float = 100.0) -> Bars:
    close = level + np.sin(np.arange(count) / 9)
    stamps = 86_400_000 * (17_000 + np.arange(count))
    return Bars.from_arrays(
        symbol=symbol, timeframe="1d", open_time=stamps, open=close, high=close, low=close, close=close
    )


def opened(located: Mapping[str, Any]) -> Bars:
    return open_mapped(Path(located["file"]), located["symbol"], located["timeframe"], located["calendar"])


@pytest.mark.parametrize("timeframe", ["1d", "1w"])
def test_a_series_that_is_imported_again_is_located_anew(tmp_path: Path, timeframe: str) -> None:
    """Stored and resampled alike; the map that a running job holds stays as it was."""
    catalogue = Catalogue(tmp_path)
    access = SeriesAccess(catalogue)
    catalogue.add(days("ZZ", 70), {})
    held = opened(access.locate("zz", timeframe))
    before = held.content_hash
    catalogue.add(days("ZZ", 70, level=50.0), {})
    located = opened(access.locate("zz", timeframe))
    assert located.content_hash == catalogue.bars("ZZ", timeframe).content_hash != before
    assert Bars.trusted(held.symbol, held.timeframe, held.calendar, held.matrix).content_hash == before


def test_a_name_that_gets_a_series_of_its_own_is_no_alias_any_more(tmp_path: Path) -> None:
    """Also a timeframe that was resampled and is now stored."""
    catalogue = Catalogue(tmp_path)
    access = SeriesAccess(catalogue)
    assert access.locate("BTC", "1d")["symbol"] == "BTCUSD"
    catalogue.add(days("BTCUSD", 40), {})
    assert len(opened(access.locate("BTC", "1d"))) == 40
    catalogue.add(days("BTC", 30), {})
    assert (access.locate("BTC", "1d")["symbol"], len(opened(access.locate("BTC", "1d")))) == ("BTC", 30)


def test_a_map_that_was_deleted_is_written_again(tmp_path: Path) -> None:
    access = SeriesAccess(Catalogue(tmp_path))
    Path(access.locate("BTC", "1d")["file"]).unlink()
    assert opened(access.locate("BTC", "1d")).symbol == "BTCUSD"


def test_an_unchanged_series_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a look at another series nor its import makes the price of a read and a hash due again."""
    catalogue = Catalogue(tmp_path)
    access = SeriesAccess(catalogue)
    catalogue.add(days("ZZ", 70), {})
    located = access.locate("ZZ", "1d")
    catalogue.add(days("OTHER", 70), {})
    monkeypatch.setattr(catalogue, "bars", None)
    assert access.locate("ZZ", "1d") == located
