"""The exchange and Yahoo loaders page, cut and check what an injected source returns."""

import sys

import numpy as np
import pandas as pd
import pytest

from stratopt.errors import MarketDataError
from stratopt.market.sources.ccxt import load_ccxt
from stratopt.market.sources.yfinance import load_yahoo

HOUR = 3_600_000
START = 1_704_067_200_000  # 2024-01-01
FIRST_DAYS = "2024-01-01"


class Exchange:
    """Answers like an exchange: at most ``page`` candles from ``since`` on, the last one still open."""

    def __init__(self, count, page=100, overlap=False):
        self.candles = [
            [START + i * HOUR, 100.0 + i, 101.0 + i, 99.0 + i, 100.5 + i, 5.0 + i % 7] for i in range(count)
        ]
        self.page, self.overlap, self.calls = page, overlap, []
        self.now_ms = START + (count - 1) * HOUR + HOUR // 2

    def __call__(self, symbol, timeframe, since, limit):
        self.calls.append((symbol, timeframe, since))
        earliest = since - HOUR if self.overlap else since
        return [candle for candle in self.candles if candle[0] >= earliest][: min(self.page, limit)]


@pytest.mark.parametrize("overlap", [False, True])
def test_pages_are_joined_without_loss_or_repetition(overlap):
    """Five pages give every closed candle once, also from an exchange that repeats the last candle of a page."""
    exchange = Exchange(450, overlap=overlap)
    done = load_ccxt("BTC/USDT", "1h", FIRST_DAYS, fetch=exchange, now_ms=exchange.now_ms)
    assert done.bars.open_time.tolist() == [START + i * HOUR for i in range(449)]
    assert done.bars.symbol == "BTCUSDT"
    assert exchange.calls[0] == ("BTC/USDT", "1h", START)
    assert done.report.ok
    assert done.provenance["exchange"] == "binance"


def test_the_open_candle_is_left_out_until_it_closes():
    """One millisecond decides."""
    exchange = Exchange(50)
    closes = START + 50 * HOUR
    early = load_ccxt("BTC/USDT", "1h", FIRST_DAYS, fetch=exchange, now_ms=closes - 1)
    late = load_ccxt("BTC/USDT", "1h", FIRST_DAYS, fetch=exchange, now_ms=closes)
    assert (len(early.bars), len(late.bars)) == (49, 50)


def test_the_end_is_excluded_and_stops_the_paging():
    """No page after the one that reaches the end is asked for."""
    exchange = Exchange(1000)
    done = load_ccxt("BTC/USDT", "1h", FIRST_DAYS, "2024-01-03", fetch=exchange, now_ms=exchange.now_ms)
    assert len(done.bars) == 48
    assert len(exchange.calls) == 1


def test_an_exchange_that_repeats_itself_forever_ends():
    """A source that ignores ``since`` cannot keep the loader busy."""
    page = Exchange(10).candles
    calls = []

    def stuck(*arguments):
        calls.append(arguments)
        return page

    assert len(load_ccxt("BTC/USDT", "1h", FIRST_DAYS, fetch=stuck, now_ms=START + 1000 * HOUR).bars) == 10
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("candles", "code"),
    [
        ([], "empty_range"),
        ([[START, 1.0, 0.5, 1.0, 1.0, 1.0]], "invalid_bars"),
        ([[START, None, 1.0, 1.0, 1.0, 1.0]], "invalid_bars"),
    ],
)
def test_unusable_answers_are_errors(candles, code):
    """Nothing, impossible prices and missing prices are refused."""
    pages = iter([candles])
    with pytest.raises(MarketDataError) as caught:
        load_ccxt("BTC/USDT", "1h", FIRST_DAYS, fetch=lambda *_: next(pages, []), now_ms=START + 99 * HOUR)
    assert caught.value.code == code


def test_an_end_before_the_start_is_refused():
    """The range is checked before the source is asked."""
    exchange = Exchange(10)
    with pytest.raises(MarketDataError) as caught:
        load_ccxt("BTC/USDT", "1h", "2024-01-02", "2024-01-01", fetch=exchange)
    assert (caught.value.code, exchange.calls) == ("invalid_range", [])


@pytest.mark.parametrize(("module", "load"), [("ccxt", load_ccxt), ("yfinance", load_yahoo)])
def test_a_missing_extra_says_how_to_install_it(monkeypatch, module, load):
    """Without the optional package the error names the extra."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MarketDataError, match=r"pip install 'stratopt\[") as caught:
        load("BTC/USDT" if module == "ccxt" else "AAPL", "1d", FIRST_DAYS)
    assert caught.value.code == "missing_extra"


def recorded(stamps, nested=False):
    """A frame as ``yfinance.Ticker.history`` returned it: zoned index, adjusted close, capital letters."""
    n = len(stamps)
    close = 180 + np.arange(n) / 10
    columns = {
        "Open": close - 0.2,
        "High": close + 1,
        "Low": close - 1,
        "Close": close,
        "Adj Close": close - 2,
        "Volume": 10**6 + np.arange(n),
    }
    frame = pd.DataFrame(columns, index=pd.DatetimeIndex(stamps, name="Date"))
    return pd.concat({"AAPL": frame}, axis=1).swaplevel(axis=1) if nested else frame


def source(frame):
    asked = []

    def fetch(*arguments):
        asked.append(arguments)
        return frame

    fetch.asked = asked
    return fetch


@pytest.mark.parametrize("nested", [False, True])
def test_daily_bars_are_stamped_with_the_session_date(nested):
    """New York's midnight becomes midnight UTC of the same date, in winter and in summer."""
    days = pd.bdate_range("2024-03-04", "2024-03-15", tz="America/New_York")
    fetch = source(recorded(days, nested))
    done = load_yahoo("AAPL", "1d", "2024-03-04", "2024-03-16", fetch=fetch, now_ms=1_720_000_000_000)
    assert [str(s)[:10] for s in done.bars.stamps] == [str(d.date()) for d in days]
    assert set(done.bars.open_time % 86_400_000) == {0}
    assert done.bars.close[0] == 180.0, "not the close adjusted for dividends"
    assert fetch.asked == [("AAPL", "1d", "2024-03-04", "2024-03-16")]


def test_the_running_session_is_left_out():
    """The last daily bar counts from the end of its date in UTC on."""
    days = pd.bdate_range("2024-03-04", "2024-03-08", tz="America/New_York")
    end_of_friday = int(pd.Timestamp("2024-03-09", tz="UTC").value // 10**6)
    frame = recorded(days)
    assert len(load_yahoo("AAPL", fetch=source(frame), now_ms=end_of_friday - 1).bars) == 4
    assert len(load_yahoo("AAPL", fetch=source(frame), now_ms=end_of_friday).bars) == 5


def test_hours_are_converted_to_utc_and_weeks_have_yahoos_names():
    """Intraday stamps keep their moment; the timeframe is translated for the source."""
    hours = pd.date_range("2024-03-04 09:30", periods=7, freq="h", tz="America/New_York")
    done = load_yahoo("AAPL", "1h", fetch=source(recorded(hours)), now_ms=1_720_000_000_000)
    assert str(done.bars.stamps[0])[:16] == "2024-03-04T14:30"
    assert done.bars.calendar == "XNYS"
    weeks = source(recorded(pd.date_range("2024-01-01", periods=8, freq="W-MON", tz="America/New_York")))
    assert len(load_yahoo("^GSPC", "1w", stored_as="SPX", fetch=weeks, now_ms=1_720_000_000_000).bars) == 8
    assert weeks.asked[0][1] == "1wk"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (recorded(pd.DatetimeIndex([], tz="UTC")), "empty_range"),
        (recorded(pd.bdate_range("2030-01-01", periods=1)), "empty_range"),
        (None, "source_failed"),
        (recorded(pd.bdate_range("2024-01-01", periods=9)).drop(columns="Open"), "invalid_bars"),
        (recorded(pd.bdate_range("2024-01-01", periods=9)).assign(Low=np.nan), "invalid_bars"),
    ],
)
def test_unusable_tables_are_errors(frame, code):
    """Nothing, only an open bar, no table, missing columns and missing prices are refused."""
    with pytest.raises(MarketDataError) as caught:
        load_yahoo("AAPL", "1d", fetch=source(frame), now_ms=1_720_000_000_000)
    assert caught.value.code == code
