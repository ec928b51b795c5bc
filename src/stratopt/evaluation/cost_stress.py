"""How much dearer trading may become before the result is gone."""

from __future__ import annotations

from collections.abc import Callable

HIGHEST_MULTIPLE = 64.0
STEPS = 24


def break_even_multiple(sharpe_at: Callable[[float], float | None]) -> float | None:
    """Multiple of the costs at which the ratio falls to 0, by bisection.

    ``sharpe_at(multiple)`` is the annual ratio at that multiple, None where it is undefined. None if it is not positive without costs;
    infinite if it still is positive at 64 times the costs.
    """
    free = sharpe_at(0.0)
    if free is None or free <= 0.0:
        return None
    dear = sharpe_at(HIGHEST_MULTIPLE)
    if dear is not None and dear > 0.0:
        return float("inf")
    low, high = 0.0, HIGHEST_MULTIPLE
    for _ in range(STEPS):
        middle = (low + high) / 2.0
        found = sharpe_at(middle)
        low, high = (middle, high) if found is not None and found > 0.0 else (low, middle)
    return (low + high) / 2.0
