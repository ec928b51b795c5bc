"""Real daily bars that ship inside the AGPL package ``backtesting``: read from there, never copied."""

import warnings

import numpy as np
import pandas as pd
import pytest

from stratopt.market.bars import Bars


@pytest.fixture(scope="session")
def google_frame():
    """Daily GOOG, 2004-08-19 to 2013-03-01, 2,148 bars, columns Open High Low Close Volume."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from backtesting.test import GOOG
    return GOOG


@pytest.fixture(scope="session")
def google(google_frame):
    """The same as Bars."""
    frame = google_frame
    return Bars.from_arrays(
        symbol="GOOG",
        timeframe="1d",
        open_time=frame.index.to_numpy(),
        open=frame["Open"],
        high=frame["High"],
        low=frame["Low"],
        close=frame["Close"],
        volume=frame["Volume"],
        calendar="XNYS",
    )


@pytest.fixture(scope="session")
def crossings(google_frame):
    """Side of the last crossing of the moving averages over 10 and 30 closes: 1, -1, or 0 before the first."""
    close = google_frame["Close"]
    fast, slow = close.rolling(10).mean(), close.rolling(30).mean()
    above, below = fast > slow, fast < slow
    known = slow.shift(1).notna()
    crossing = pd.Series(0.0, close.index)
    crossing[known & above & ~above.shift(1, fill_value=False)] = 1.0
    crossing[known & below & ~below.shift(1, fill_value=False)] = -1.0
    return crossing.replace(0.0, np.nan).ffill().fillna(0.0).to_numpy().astype(np.int8)
