"""Stamps in every form that users write them, as UTC milliseconds since 1970."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from stratopt.errors import MarketDataError
from stratopt.kernels.arrays import Int64Array1D

if TYPE_CHECKING:
    import pandas as pd

# Upper limits of a count since 1970 read as s, ms, us; above them ns. A count of seconds reaches 1e11 in the year 5138,
# a count of milliseconds passed it in 1973: millisecond stamps before March 1973 must come as dates.
_LEAST_EPOCH_SECONDS = 10**8  # below it stand 2015 and 20150101, which are meant as dates
_UNIT_LIMITS = np.array([1e11, 1e14, 1e17])
_FACTORS, _DIVISORS = np.array([1000, 1, 1, 1]), np.array([1, 1, 1_000, 1_000_000])

Stamp: TypeAlias = "str | int | dt.date | dt.datetime | pd.Timestamp | np.datetime64"


def epoch_to_ms(counts: Any, *, each: bool = False) -> Int64Array1D:
    """Whole seconds, milli-, micro- or nanoseconds since 1970 as milliseconds.

    The unit is told by the size of the largest count, or of each count for itself.
    """
    values = np.asarray(counts)
    if not values.size:
        return values.astype(np.int64)
    sizes = np.abs(values.astype(np.float64))
    if not np.isfinite(sizes).all():
        raise ValueError("a stamp is missing")
    sizes = sizes if each else np.full(sizes.shape, sizes.max())
    unit = np.searchsorted(_UNIT_LIMITS, sizes, side="right")
    if np.issubdtype(values.dtype, np.floating):
        return np.floor(values * _FACTORS[unit] / _DIVISORS[unit]).astype(np.int64)
    return values.astype(np.int64) * _FACTORS[unit] // _DIVISORS[unit]


def stamps_to_ms(stamps: Any, *, what: str = "stamps") -> Int64Array1D:
    """A pandas or polars column, an index or an array of stamps; without a zone they are UTC.

    Raises
    ------
    MarketDataError
        If a stamp is missing or cannot be read; the message starts with ``what``.
    """
    import pandas as pd

    try:
        if hasattr(stamps, "cast"):  # polars, whose naive and zoned stamps count in UTC alike
            stamps = _polars_values(stamps)
        values = stamps if isinstance(stamps, pd.Series | pd.Index) else pd.Series(np.asarray(stamps))
        if pd.api.types.is_numeric_dtype(values.dtype):
            return epoch_to_ms(values.to_numpy())
        index = pd.DatetimeIndex(pd.to_datetime(values, utc=True, **_text_format(values)))
        if index.hasnans:
            raise ValueError("a stamp is missing")
        return np.asarray(index.tz_localize(None).to_numpy().astype("datetime64[ms]").astype(np.int64))
    except (TypeError, ValueError, OverflowError) as error:
        raise MarketDataError(
            f"{what}: stamps cannot be read ({error}); write dates, ISO 8601 texts or whole numbers since 1970",
            code="invalid_stamps",
        ) from error


def _polars_values(column: Any) -> Any:
    import polars as pl

    if column.null_count():
        raise ValueError("a stamp is missing")
    if column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime):
        return (
            column.cast(pl.Datetime("ms", getattr(column.dtype, "time_zone", None)))
            .dt.epoch("ms")
            .to_numpy()
            .view("M8[ms]")
        )
    return column.to_numpy()


def _text_format(values: Any) -> dict[str, Any]:
    import pandas as pd

    return {"format": "ISO8601"} if values.dtype == object or pd.api.types.is_string_dtype(values.dtype) else {}


def moment_to_ms(moment: Stamp | None, *, field: str) -> int | None:
    """One moment given by a user (ISO text, date, datetime, epoch number) as UTC milliseconds; None stays None."""
    if moment is None:
        return None
    try:
        if isinstance(moment, str):
            return _text_to_ms(moment)
        stamp = _timestamp(moment)
    except (TypeError, ValueError, OverflowError) as error:
        raise MarketDataError(
            f"{field}: {str(moment)[:40]!r} is not a moment; write ISO 8601, for example 2019-01-31 or 2019-01-31T12:00:00Z",
            code="invalid_stamps",
            field=field,
        ) from error
    utc = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    return int(utc.as_unit("ms").asm8.astype(np.int64))


def _text_to_ms(moment: str) -> int:
    stamp = dt.datetime.fromisoformat(moment.strip())
    utc = stamp.replace(tzinfo=dt.UTC) if stamp.tzinfo is None else stamp
    return (utc - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)


def _timestamp(moment: Stamp) -> pd.Timestamp:
    import pandas as pd

    if isinstance(moment, bool | float):
        raise TypeError("neither a truth value nor a fraction is a moment")
    if isinstance(moment, int | np.integer):
        if 0 < moment < _LEAST_EPOCH_SECONDS:
            raise ValueError("a year or a day written as a number")
        return pd.Timestamp(int(epoch_to_ms([int(moment)])[0]), unit="ms")
    stamp = pd.Timestamp(moment)
    if pd.isna(stamp):
        raise ValueError("the moment is missing")
    return stamp


def iso(ms: int) -> str:
    """A UTC millisecond stamp as ISO text: the date alone at midnight."""
    date, _, time = str(np.datetime64(ms, "ms")).partition("T")
    return date if time == "00:00:00.000" else f"{date}T{time.removesuffix('.000')}Z"
