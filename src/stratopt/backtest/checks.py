"""Checks of numbers that users set."""

from __future__ import annotations

import math
from typing import Any

from stratopt.errors import BacktestError


def check_number(owner: Any, name: str, low: float, high: float, unit: str, *, above_low: bool = False) -> None:
    """Refuse ``owner.name`` unless it is a finite number in [low, high], or in (low, high] with ``above_low``."""
    value = getattr(owner, name)
    kind = type(owner).__name__
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not low <= value <= high or (above_low and value == low):
        bounds = f"greater than {low:g} and at most {high:g}" if above_low else f"from {low:g} to {high:g}"
        raise BacktestError(
            f"{kind}: {name} must be a number {bounds} ({unit}), not {value!r}",
            field=name,
            value=str(value),
            low=low,
            high=high,
        )


def check_choice(owner: Any, name: str, choices: tuple[str, ...]) -> None:
    """Refuse ``owner.name`` unless it is one of ``choices``."""
    value = getattr(owner, name)
    if value not in choices:
        raise BacktestError(
            f"{type(owner).__name__}: {name} must be one of {', '.join(choices)}, not {value!r}",
            field=name,
            value=str(value),
            choices=list(choices),
        )
