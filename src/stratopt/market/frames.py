"""Columns of a pandas or polars frame (a lazy one too) as arrays, whatever the letter case and the kind of stamp."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from stratopt.errors import MarketDataError
from stratopt.kernels.arrays import AnyArray, Int64Array1D
from stratopt.market.stamps import stamps_to_ms

PRICES = ("open", "high", "low", "close")
STAMP_COLUMNS = ("open_time", "timestamp", "datetime", "date", "time")


def columns_of(frame: Any, symbol: str) -> Mapping[str, AnyArray]:
    """``open_time`` (int64 ms UTC), the four prices and, if there is one, ``volume`` of ``frame``."""
    if type(frame).__module__.startswith("polars") and hasattr(frame, "collect"):
        frame = frame.collect()  # a lazy frame
    if not hasattr(frame, "columns") or not hasattr(frame, "__getitem__"):
        raise MarketDataError(
            f"{symbol}: bars are read from a pandas or polars frame, not from {type(frame).__name__}",
            code="invalid_bars",
        )
    names = _names(frame, symbol)
    missing = [price for price in PRICES if price not in names]
    if missing:
        raise MarketDataError(
            f"{symbol}: column {missing[0]!r} is missing; found {list(map(str, frame.columns))}. "
            "Needed: open, high, low, close (any letter case), volume is optional.",
            code="invalid_bars",
            missing=missing,
        )
    columns: dict[str, AnyArray] = {"open_time": _open_time(frame, names, symbol)}
    for name in (*PRICES, "volume"):
        if name in names:
            columns[name] = _numbers(frame[names[name]], name, symbol)
    return columns


def _names(frame: Any, symbol: str) -> dict[str, Any]:
    """Column by lower-case name."""
    names: dict[str, Any] = {}
    for column in frame.columns:
        if isinstance(column, tuple):
            raise MarketDataError(
                f"{symbol}: columns are nested ({column!r}); pass the frame of one symbol, for example frame.xs(symbol, axis=1, level=1)",
                code="invalid_bars",
            )
        name = str(column).strip().lower()
        if name in names and name in {*PRICES, *STAMP_COLUMNS, "volume"}:
            raise MarketDataError(f"{symbol}: two columns are called {name!r}", code="invalid_bars", column=name)
        names[name] = column
    return names


def _open_time(frame: Any, names: Mapping[str, Any], symbol: str) -> Int64Array1D:
    import pandas as pd

    for name in STAMP_COLUMNS:
        if name in names:
            return stamps_to_ms(frame[names[name]], what=f"{symbol}: column {name!r}")
    if isinstance(getattr(frame, "index", None), pd.DatetimeIndex):
        return stamps_to_ms(frame.index, what=f"{symbol}: the index")
    raise MarketDataError(
        f"{symbol}: no stamps found; use a DatetimeIndex or a column named {', '.join(STAMP_COLUMNS)}",
        code="invalid_bars",
    )


def _numbers(column: Any, name: str, symbol: str) -> AnyArray:
    import pandas as pd

    try:
        if hasattr(column, "cast"):  # polars: a null becomes NaN, which Bars refuses by bar
            return np.asarray(column.to_numpy(), dtype=np.float64)
        return np.asarray(pd.to_numeric(column), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise MarketDataError(
            f"{symbol}: column {name!r} holds something that is not a number ({error})",
            code="invalid_bars",
            column=name,
        ) from error
