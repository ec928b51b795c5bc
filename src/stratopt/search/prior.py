"""Prior draws: from uniform numbers to latent values, so that random, low-discrepancy and start-up points share one rule."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence
from statistics import NormalDist

from stratopt.search.latent import Latent

STANDARD_NORMAL = NormalDist()
SMALLEST_UNIT = 1e-12


def from_unit(latent: Latent, unit: float) -> float:
    """The latent value at quantile ``unit`` in [0, 1) of its prior."""
    if latent.kind == "categorical":
        return float(_option(latent, unit))
    if latent.kind == "normal":
        standard = STANDARD_NORMAL.inv_cdf(min(max(unit, SMALLEST_UNIT), 1 - SMALLEST_UNIT))
        value = latent.mu + latent.sigma * standard
        return _rounded(math.exp(value) if latent.log else value, latent)
    if latent.step and not latent.log:
        steps = int((latent.high - latent.low) / latent.step + 1e-9) + 1
        return float(latent.low + latent.step * int(unit * steps))
    low, high = latent.low, latent.high
    if latent.step:
        low, high = max(low - latent.step / 2, low / 2), high + latent.step / 2
    if latent.log:
        value = math.exp(math.log(low) + unit * (math.log(high) - math.log(low)))
    else:
        value = low + unit * (high - low)
    return to_step(value, latent) if latent.step else _rounded(value, latent)


def to_unit(latent: Latent, value: float) -> float:
    """The quantile of a value of a normal prior."""
    return STANDARD_NORMAL.cdf(((math.log(value) if latent.log else value) - latent.mu) / latent.sigma)


def to_step(value: float, latent: Latent) -> float:
    """The nearest value on the latent's steps, which begin at its low end."""
    step = latent.step or 1.0
    steps = round((value - latent.low) / step)
    return float(latent.low + step * min(max(steps, 0), int((latent.high - latent.low) / step + 1e-9)))


def _rounded(value: float, latent: Latent) -> float:
    return value if not latent.quantum else float(round(value / latent.quantum) * latent.quantum)


def _option(latent: Latent, unit: float) -> int:
    if latent.weights is None:
        return int(unit * latent.count)
    running = list(itertools.accumulate(latent.weights))
    return min(bisect.bisect_right(running, unit * running[-1]), latent.count - 1)


def low_discrepancy(dimensions: int) -> Sequence[float]:
    """Steps of the additive recurrence that spreads points evenly in ``dimensions`` (Roberts' generalised golden ratio)."""
    root = 2.0
    for _ in range(40):
        root = (1 + root) ** (1 / (dimensions + 1))
    return [(1 / root) ** (k + 1) % 1.0 for k in range(dimensions)]
