"""``stratopt.load_bars`` sees what everything else sees: the data directory of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

import stratopt
from stratopt.errors import StratoptError
from stratopt.market.catalogue import Catalogue
from stratopt.market.synthetic import synthetic_bars


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("STRATOPT_DATA_DIR", str(folder))
    return folder


def stored(folder: Path, symbol: str, seed: int) -> str:
    bars = synthetic_bars(60, symbol=symbol, timeframe="1d", seed=seed)
    return Catalogue(folder).add(bars, {}).content_hash


def test_imported_series_are_loaded(data_dir: Path) -> None:
    """A new symbol, and one that hides a bundled series as it does for optimize_batch."""
    for seed, symbol in enumerate(("ACME", "BTCUSD")):
        assert stored(data_dir, symbol, seed) == stratopt.load_bars(symbol).content_hash


def test_a_directory_that_is_named_wins_over_the_settings(data_dir: Path, tmp_path: Path) -> None:
    """Also as text; the settings' series are not seen then."""
    stored(data_dir, "ACME", 1)
    other = stored(tmp_path / "other", "ACME", 2)
    for directory in (tmp_path / "other", str(tmp_path / "other")):
        assert stratopt.load_bars("acme", "1d", directory=directory).content_hash == other
    with pytest.raises(StratoptError, match="unknown symbol 'ACME'"):
        stratopt.load_bars("ACME", directory=tmp_path / "none")


def test_a_data_directory_that_does_not_exist_is_no_obstacle(data_dir: Path) -> None:
    """The bundled series are there, and nothing is made."""
    assert len(stratopt.load_bars("BTC", start="2019-01-01", end="2019-01-11")) == 10
    assert not data_dir.exists()
