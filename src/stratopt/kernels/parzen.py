"""Adaptive Parzen densities of one parameter: what a tree-structured Parzen estimator (TPE) compares.

Good trials give a density l(x), the others g(x); a candidate is worth log l(x) - log g(x). Densities are mixtures of normals, one
for each observation plus the prior, in *model space* (the logarithm for log parameters). Widths come from the neighbours, old
observations fade linearly. Numbers follow hyperopt 0.3, so that both engines rank the same candidates alike.

A parameter is one row of ``rules``, float64 (RULES,):

CATEGORICAL, LOG      1 where it applies, else 0
LOW, HIGH             truncation in model space, ±inf where unbounded
PRIOR_MU, PRIOR_SIGMA the prior's normal in model space
QUANTUM, OFFSET       values are ``OFFSET + k * QUANTUM``; QUANTUM 0 means continuous
CELL_LOW, CELL_HIGH   truncation in value space, for the cells of quantised parameters
CLIP_LOW, CLIP_HIGH   drawn values are clipped to this
FLOOR                 smallest value before a logarithm is taken
OPTIONS, FIRST        number of options, and where their pseudo-counts begin in ``option_prior``

References: Bergstra, Bardenet, Bengio, Kégl (2011), *Algorithms for hyper-parameter optimization*; Bergstra, Yamins, Cox (2013).
"""

from __future__ import annotations

import math

import numpy as np

from stratopt.kernels.arrays import AnyArray, Float64Array1D
from stratopt.kernels.jit import jit

(
    CATEGORICAL, LOG, LOW, HIGH, PRIOR_MU, PRIOR_SIGMA, QUANTUM, OFFSET,
    CELL_LOW, CELL_HIGH, CLIP_LOW, CLIP_HIGH, FLOOR, OPTIONS, FIRST,
) = range(15)  # fmt: skip
RULES = 15

FULL_WEIGHT = 25
"""The newest observations of this number do not fade."""
SMALLEST = 1e-12
FAR = 8.7
"""Beyond this many deviations a normal density is below 1e-16 of its peak."""
ROOT_TWO = math.sqrt(2.0)
ROOT_TWO_PI = math.sqrt(2.0 * math.pi)


@jit
def faded_weight(age: int, count: int) -> float:
    """Weight of observation number ``age`` (0 is the oldest) of ``count``."""
    ramp = count - FULL_WEIGHT
    if age >= ramp:
        return 1.0
    if ramp == 1:
        return 1.0 / count
    return 1.0 / count + age * ((1.0 - 1.0 / count) / (ramp - 1))


@jit
def model_value(value: float, rule: Float64Array1D) -> float:
    """A value in model space."""
    return math.log(max(value, rule[FLOOR])) if rule[LOG] else value


@jit
def fit(
    observed: Float64Array1D, weight: Float64Array1D, rule: Float64Array1D, prior_weight: float, mixture: AnyArray
) -> tuple[int, float]:
    """Mixture of ascending observations.

    Parameters
    ----------
    observed, weight : float64 (n,)
        Observations in model space, ascending, and their weights.
    mixture : float64 (3, >= n + 1)
        Filled with means, deviations and weights (sum 1); equal neighbours are merged.

    Returns
    -------
    components : int
        Columns of ``mixture`` in use.
    narrowest : float
        The smallest deviation that a component may have.
    """
    count = observed.size
    widest = rule[PRIOR_SIGMA]
    narrowest = widest / min(100.0, 2.0 + count)
    total = prior_weight
    for i in range(count):
        total += weight[i]
    prior_at = np.searchsorted(observed, rule[PRIOR_MU])
    used = 0
    before = 0.0
    for position in range(count + 1):
        i = position if position < prior_at else position - 1
        is_prior = position == prior_at
        mean = rule[PRIOR_MU] if is_prior else observed[i]
        share = (prior_weight if is_prior else weight[i]) / total
        after = mean
        if position < count:
            after = (
                rule[PRIOR_MU]
                if position + 1 == prior_at
                else observed[position + 1 if position + 1 < prior_at else position]
            )
        if is_prior:
            sigma = widest
        elif count == 1:
            sigma = 0.5 * widest
        else:
            sigma = max(mean - before if position else 0.0, after - mean)
        sigma = widest if is_prior else min(max(sigma, narrowest), widest)
        before = mean
        if used and mixture[0, used - 1] == mean and mixture[1, used - 1] == sigma:
            mixture[2, used - 1] += share
            continue
        mixture[0, used], mixture[1, used], mixture[2, used] = mean, sigma, share
        used += 1
    return used, narrowest


@jit
def cumulative(x: float, mean: float, sigma: float) -> float:
    """The normal distribution function."""
    z = (x - mean) / max(ROOT_TWO * sigma, SMALLEST)
    if z > 6.2:
        return 1.0
    if z < -6.2:
        return 0.0
    return 0.5 * (1.0 + math.erf(z))


@jit
def accepted(mixture: AnyArray, components: int, low: float, high: float) -> float:
    """Share of the mixture between its truncation bounds."""
    share = 0.0
    for i in range(components):
        share += mixture[2, i] * (
            cumulative(high, mixture[0, i], mixture[1, i]) - cumulative(low, mixture[0, i], mixture[1, i])
        )
    return share


@jit
def log_densities(
    values: Float64Array1D,
    rule: Float64Array1D,
    mixture: AnyArray,
    components: int,
    narrowest: float,
    out: Float64Array1D,
) -> None:
    """Log density of the truncated mixture at each value, or log mass of each value's cell, into ``out`` (k,).

    For continuous log parameters the normalisation and the Jacobian are left out, as in hyperopt; both cancel or are kept alike
    in l and g.
    """
    if rule[QUANTUM] > 0.0:
        _log_masses(values, rule, mixture, components, out)
        return
    log_share = 0.0
    if not rule[LOG] and (rule[LOW] > -np.inf or rule[HIGH] < np.inf):
        log_share = math.log(accepted(mixture, components, rule[LOW], rule[HIGH]))
    shared_mean = np.empty(components)
    shared_weight = np.empty(components)
    shared, wide = 0, 0
    for i in range(components):
        if mixture[1, i] == narrowest:
            shared_mean[shared], shared_weight[shared] = mixture[0, i], mixture[2, i] / (narrowest * ROOT_TWO_PI)
            shared += 1
        else:
            mixture[0, wide], mixture[1, wide] = mixture[0, i], mixture[1, i]
            mixture[2, wide] = mixture[2, i] / (mixture[1, i] * ROOT_TWO_PI)
            wide += 1
    shared_mean, shared_weight = shared_mean[:shared], shared_weight[:shared]
    terms = np.empty(shared)
    for k in range(values.size):
        x = model_value(values[k], rule)
        density = _narrow_density(x, shared_mean, shared_weight, narrowest, terms)
        for i in range(wide):
            z = (x - mixture[0, i]) / mixture[1, i]
            if -FAR < z < FAR:
                density += mixture[2, i] * math.exp(-0.5 * z * z)
        out[k] = math.log(density) - log_share


@jit
def _narrow_density(
    x: float, mean: Float64Array1D, weight: Float64Array1D, sigma: float, terms: Float64Array1D
) -> float:
    """Sum of the components of one shared deviation that are near ``x``."""
    first = np.searchsorted(mean, x - FAR * sigma)
    last = np.searchsorted(mean, x + FAR * sigma)
    scale = -0.5 / (sigma * sigma) / 64.0
    for i in range(first, last):
        d = x - mean[i]
        terms[i] = weight[i] * power_of_64(d * d * scale)
    return ordered_sum(terms, int(first), int(last))


@jit
def power_of_64(t: float) -> float:
    """``exp(64 t)`` for t in [-0.63, 0]: a polynomial of e^t, squared six times.

    Unlike ``math.exp`` it can be computed in vector lanes. Relative error below 1e-13 for results above 1e-5, below 1e-8 always.
    """
    e = 1.0 / 362880.0 + t * (1.0 / 3628800.0)
    e = 1.0 / 40320.0 + e * t
    e = 1.0 / 5040.0 + e * t
    e = 1.0 / 720.0 + e * t
    e = 1.0 / 120.0 + e * t
    e = 1.0 / 24.0 + e * t
    e = 1.0 / 6.0 + e * t
    e = 1.0 / 2.0 + e * t
    e = 1.0 + e * t
    e = 1.0 + e * t
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    return e * e


@jit
def ordered_sum(terms: Float64Array1D, first: int, last: int) -> float:
    """Sum of ``terms[first:last]`` in four running sums: the order of addition is the same on every machine."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    whole = first + (last - first) // 4 * 4
    for i in range(first, whole, 4):
        a += terms[i]
        b += terms[i + 1]
        c += terms[i + 2]
        d += terms[i + 3]
    for i in range(whole, last):
        a += terms[i]
    return (a + b) + (c + d)


@jit
def _log_masses(
    values: Float64Array1D, rule: Float64Array1D, mixture: AnyArray, components: int, out: Float64Array1D
) -> None:
    log_share = 0.0
    if rule[LOW] > -np.inf or rule[HIGH] < np.inf:
        log_share = math.log(accepted(mixture, components, rule[LOW], rule[HIGH]))
    half = rule[QUANTUM] / 2.0
    for k in range(values.size):
        known = -1
        for j in range(k):
            if values[j] == values[k]:
                known = j
                break
        if known >= 0:
            out[k] = out[known]
            continue
        lower, upper = max(values[k] - half, rule[CELL_LOW]), min(values[k] + half, rule[CELL_HIGH])
        if rule[LOG]:
            lower = math.log(max(lower, SMALLEST))
            upper = math.log(max(upper, SMALLEST))
        mass = 0.0
        for i in range(components):
            mean, sigma = mixture[0, i], mixture[1, i]
            if lower - mean < FAR * sigma and mean - upper < FAR * sigma:
                mass += mixture[2, i] * (cumulative(upper, mean, sigma) - cumulative(lower, mean, sigma))
        out[k] = math.log(mass) - log_share


@jit
def quantised(value: float, rule: Float64Array1D) -> float:
    """The nearest possible value."""
    if rule[QUANTUM] > 0.0:
        value = rule[OFFSET] + np.rint((value - rule[OFFSET]) / rule[QUANTUM]) * rule[QUANTUM]
    return min(max(value, rule[CLIP_LOW]), rule[CLIP_HIGH])


@jit
def draw(
    generator: np.random.Generator, rule: Float64Array1D, mixture: AnyArray, components: int, out: Float64Array1D
) -> None:
    """Values drawn from the truncated mixture, into ``out`` (k,)."""
    running = np.cumsum(mixture[2, :components])
    for k in range(out.size):
        while True:
            i = min(np.searchsorted(running, generator.random() * running[-1], side="right"), components - 1)
            x = mixture[0, i] + mixture[1, i] * generator.standard_normal()
            if rule[LOW] <= x < rule[HIGH]:
                break
        out[k] = quantised(math.exp(x) if rule[LOG] else x, rule)
