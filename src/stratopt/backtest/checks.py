"""Checks of numbers that users set."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from stratopt.errors import BacktestError

Made = TypeVar("Made")


def made_of(kind: type[Made], given: Any, name: str) -> Made:
    """``given`` as a ``kind``: itself, its fields by name, or None for the defaults. BacktestError for anything else."""
    if isinstance(given, kind):
        return given
    if given is None:
        return kind()
    if not isinstance(given, Mapping):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise BacktestError(
            f"{name} must be {article} {kind.__name__}, its fields by name, or None, not {type(given).__name__}",
            field=name,
        )
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise BacktestError(f"{kind.__name__} has no field {key!r}; {hint}", field=str(key))
    return kind(**given)


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
