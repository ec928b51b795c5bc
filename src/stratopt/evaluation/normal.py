"""The standard Normal distribution from the standard library: importing scipy.special would cost every start 0.4 seconds."""

from __future__ import annotations

import math
from statistics import NormalDist

_STANDARD = NormalDist()


def ndtr(x: float) -> float:
    """Probability of a value up to ``x``."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def ndtri(probability: float) -> float:
    """The value with that probability up to it (Wichura 1988, AS 241); infinite at 0 and 1, NaN outside."""
    if 0.0 < probability < 1.0:
        return _STANDARD.inv_cdf(probability)
    if probability in {0.0, 1.0}:
        return math.inf if probability else -math.inf
    return math.nan
