"""Ranges that many strategies share: periods in bars and levels of bounded oscillators."""

from __future__ import annotations

from typing import Any

from stratopt.search.parameters import FloatRange, IntRange

LONGEST_PERIOD = 10_000
"""No indicator of the catalogue takes a longer window."""


def bars(low: float, high: float, default: int, *, minimum: int = 2, **rest: Any) -> IntRange:
    """A period in bars, searched between ``low`` and ``high``; by hand from ``minimum`` to 10,000."""
    return IntRange(low, high, default=default, minimum=minimum, maximum=LONGEST_PERIOD, **rest)


def level(
    low: float, high: float, default: float, *, minimum: float = 0.0, maximum: float = 100.0, **rest: Any
) -> FloatRange:
    """A level of an oscillator bounded by ``minimum`` and ``maximum``."""
    return FloatRange(low, high, default=default, minimum=minimum, maximum=maximum, **rest)


def positive(low: float, high: float, default: float, *, maximum: float = 100.0, **rest: Any) -> FloatRange:
    """A number that must not be negative: a multiple, a share, a width."""
    return FloatRange(low, high, default=default, minimum=0.0, maximum=maximum, **rest)
