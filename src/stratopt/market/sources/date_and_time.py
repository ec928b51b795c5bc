"""Dates in one column and times of day in another, as one column of texts."""

from __future__ import annotations

from typing import Any

_DIGITS_OF_HOUR_AND_MINUTE = 2359


def date_and_time(dates: Any, times: Any) -> Any:
    """A pandas column ``<date> <time>``, missing where one of the two is; ``dates`` if these tell the time already."""
    import pandas as pd

    texts = dates.astype(str).str.strip()
    if times.isna().all() or texts.str.contains(":").any():
        return dates
    clock = _clock(times) if pd.api.types.is_integer_dtype(times) else times.astype(str).str.strip()
    padded = clock.str.replace(r"^(\d):", r"0\1:", regex=True)
    return (texts + " " + padded).where(dates.notna() & times.notna())


def _clock(numbers: Any) -> Any:
    """``93000`` and ``930`` as ``09:30:00``: seconds are in it when any number has more than four digits."""
    whole = numbers if numbers.max() > _DIGITS_OF_HOUR_AND_MINUTE else numbers * 100
    digits = whole.astype(str).str.zfill(6)
    return digits.str[:-4] + ":" + digits.str[-4:-2] + ":" + digits.str[-2:]
