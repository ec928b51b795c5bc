"""Numbers for people."""

from __future__ import annotations

from datetime import UTC, datetime

VERDICTS = {"likely_real": "likely real", "unproven": "unproven", "likely_luck": "likely luck"}


def ratio(value: float | None) -> str:
    """A ratio with two digits, or n/a."""
    return "n/a" if value is None else f"{value:.2f}"


def percent(value: float | None) -> str:
    """A fraction as per cent with its sign, or n/a."""
    return "n/a" if value is None else f"{value:+.1%}"


def share(value: float | None) -> str:
    """A fraction as per cent without a sign, or n/a."""
    return "n/a" if value is None else f"{value:.0%}"


def probability(value: float | None) -> str:
    """A probability with three digits, or n/a."""
    return "n/a" if value is None else f"{value:.3f}"


def count(value: float | None) -> str:
    """A whole number, or n/a."""
    return "n/a" if value is None else f"{value:,.0f}"


def seconds(value: float | None) -> str:
    """A duration, or n/a."""
    if value is None:
        return "n/a"
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def megabytes(value: float | None) -> str:
    """Memory, or n/a."""
    return "n/a" if value is None else f"{value / 2**20:,.0f} MB"


def moment(value: float | None) -> str:
    """A UTC minute, or n/a."""
    return "n/a" if value is None else datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M UTC")
