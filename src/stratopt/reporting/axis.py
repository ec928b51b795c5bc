"""Round numbers and dates for axes."""

from __future__ import annotations

import math
from collections.abc import Sequence


def round_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About ``count`` round numbers in [low, high].

    >>> round_ticks(-0.4, 2.1)
    [0.0, 0.5, 1.0, 1.5, 2.0]
    """
    span = max(high - low, 1e-12)
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(power * f for f in (1.0, 2.0, 2.5, 5.0, 10.0) if power * f >= span / count * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) + 0.0 for k in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Numbers of 1, 2 and 5 times powers of ten in [low, high]; at least a few."""
    found = [
        m * 10.0**power
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for m in (1.0, 2.0, 5.0)
        if low * 0.999 <= m * 10.0**power <= high * 1.001
    ]
    while len(found) > 7:
        found = found[::2]
    return found if len(found) >= 3 else round_ticks(low, high, 4)


def year_starts(days: Sequence[str], most: int = 10) -> list[tuple[int, str]]:
    """Positions and labels of the first of each year among ISO dates; months where there are fewer than three years."""
    for length in (4, 7):
        found = [(k, days[k][:length]) for k in range(1, len(days)) if days[k][:length] != days[k - 1][:length]]
        if len(found) >= 2:
            break
    skip = -(-len(found) // most)
    return found[::skip] if skip else found


def short(value: float) -> str:
    """A number in a few characters.

    >>> short(0.25), short(12.0), short(1500000.0)
    ('0.25', '12', '1.5M')
    """
    for limit, suffix in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if suffix == 'k' else limit):.3g}{suffix}"
    return f"{value:.4g}"
