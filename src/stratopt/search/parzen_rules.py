"""From latents to the rules that the Parzen kernels follow."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from stratopt.kernels import parzen as k
from stratopt.kernels.arrays import Float64Array1D, Float64Array2D
from stratopt.search.latent import Latent


def parzen_rules(latents: Sequence[Latent]) -> Float64Array2D:
    """One row a latent, see ``kernels.parzen``."""
    rules = np.zeros((len(latents), k.RULES))
    first = 0
    for rule, latent in zip(rules, latents, strict=True):
        rule[[k.CLIP_LOW, k.CLIP_HIGH]] = -math.inf, math.inf
        if latent.kind == "categorical":
            rule[[k.CATEGORICAL, k.OPTIONS, k.FIRST]] = 1.0, latent.count, first
            first += latent.count
        elif latent.kind == "normal":
            _normal(rule, latent)
        else:
            _bounded(rule, latent)
    return rules


def option_priors(latents: Sequence[Latent], prior_weight: float) -> Float64Array1D:
    """Pseudo-counts of all options of all categorical latents, in order."""
    counts: list[float] = []
    for latent in latents:
        if latent.kind == "categorical":
            weights = latent.weights or (1.0,) * latent.count
            counts.extend(latent.count * prior_weight * weight / sum(weights) for weight in weights)
    return np.array(counts, dtype=float)


def _normal(rule: Float64Array1D, latent: Latent) -> None:
    rule[k.LOG], rule[k.FLOOR], rule[k.QUANTUM] = latent.log, k.SMALLEST, latent.quantum or 0.0
    rule[[k.LOW, k.HIGH, k.PRIOR_MU, k.PRIOR_SIGMA]] = -math.inf, math.inf, latent.mu, latent.sigma
    rule[[k.CELL_LOW, k.CELL_HIGH]] = 0.0 if latent.log else -math.inf, math.inf


def _bounded(rule: Float64Array1D, latent: Latent) -> None:
    """A stepped range is quantised with whole cells at both ends, so that every value is equally likely a priori."""
    low, high = latent.low, latent.high
    if latent.step:
        last = low + latent.step * int((high - low) / latent.step + 1e-9)
        rule[[k.QUANTUM, k.OFFSET, k.CLIP_LOW, k.CLIP_HIGH]] = latent.step, low, low, last
        low, high = (
            (max(low - latent.step / 2, low / 2) if latent.log else low - latent.step / 2),
            last + latent.step / 2,
        )
    elif latent.quantum:
        rule[k.QUANTUM] = latent.quantum
    else:
        rule[[k.CLIP_LOW, k.CLIP_HIGH]] = low, high
    rule[k.LOG], rule[k.FLOOR] = latent.log, max(k.SMALLEST, low)
    rule[[k.CELL_LOW, k.CELL_HIGH]] = low, high
    if latent.log:
        low, high = math.log(low), math.log(high)
    if high <= low:  # one value only: the density needs some width, the clip gives the value
        low, high = low - 0.5, high + 0.5
    rule[[k.LOW, k.HIGH, k.PRIOR_MU, k.PRIOR_SIGMA]] = low, high, 0.5 * (low + high), high - low
