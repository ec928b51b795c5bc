"""What an engine draws for one parameter."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Latent:
    """A real, a whole number, or the index of an option; bounds are values, not logarithms.

    kind         "float" or "int" in [low, high], "normal" around ``mu``, or "categorical" with values 0..count-1
    log          uniform (or normal: ``mu`` and ``sigma`` are) in the logarithm
    step         values are low + k·step, all equally likely
    quantum      drawn values are rounded to multiples of this, so that a bounded range has half a share at its ends
    """

    kind: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    step: float | None = None
    count: int = 0
    weights: tuple[float, ...] | None = None
    quantum: float | None = None
    mu: float = 0.0
    sigma: float = 1.0
