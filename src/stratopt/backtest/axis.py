"""Where the labels of an axis stand and what they say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def round_ticks(low: float, high: float, count: int) -> list[float]:
    """About ``count`` round numbers in [low, high]: multiples of 1, 2, 2.5 or 5 times a power of ten.

    >>> round_ticks(0.0, 9.0, 5)
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [multiple * step for multiple in range(first, last + 1)]


def short_number(value: float) -> str:
    """A number in at most a few characters.

    >>> short_number(1_250_000.0), short_number(-30_000.0), short_number(12.5)
    ('1.25M', '-30k', '12.5')
    """
    for limit, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.4g}{suffix}"
    return f"{value:.4g}"


def date_ticks(index: pd.DatetimeIndex, count: int) -> list[tuple[int, str]]:
    """Positions in ``index`` and labels of at most ``count`` evenly spaced dates, with times where the range is short."""
    last = len(index) - 1
    positions = sorted({round(last * tick / max(count - 1, 1)) for tick in range(count)})
    short = (index[last] - index[0]).days < count
    pattern = "%Y-%m-%d %H:%M" if short and any(stamp.hour or stamp.minute for stamp in index) else "%Y-%m-%d"
    return [(position, index[position].strftime(pattern)) for position in positions]
