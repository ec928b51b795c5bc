"""The multivariate Parzen estimator: one mixture over whole points, so that parameters that work together are drawn together.

A component is one trial: a product of normals around its model values (of option shares for categorical parameters), all with one
deviation for each parameter; parameters that were not active follow the prior. The prior itself is one more component.
Rules are those of ``kernels.parzen``. ``points`` float64 (d, capacity) holds model values by trial, NaN where inactive.
"""

from __future__ import annotations

import math

import numpy as np

from stratopt.kernels.arrays import AnyArray, Float64Array1D, Float64Array2D, Int64Array1D
from stratopt.kernels.jit import jit
from stratopt.kernels.parzen import (
    CATEGORICAL,
    FIRST,
    HIGH,
    LOG,
    LOW,
    OPTIONS,
    PRIOR_MU,
    PRIOR_SIGMA,
    QUANTUM,
    ROOT_TWO,
    ROOT_TWO_PI,
    cumulative,
    faded_weight,
    model_value,
    ordered_sum,
    power_of_64,
    quantised,
)

LARGEST_EXPONENT = 40.0
FAR_ENOUGH = 6.0
"""A bound that is further from a component, in deviations, cuts off less than 1e-9 of it: nothing."""


@jit
def put_point(point: Float64Array1D, rules: Float64Array2D, trial: int, points: Float64Array2D) -> None:
    """Write the model values of ``point``, float64 (d,) in value space with NaN where inactive, into column ``trial``."""
    for p in range(point.size):
        keeps = rules[p, CATEGORICAL] > 0.0 or np.isnan(point[p])
        points[p, trial] = point[p] if keeps else model_value(point[p], rules[p])


@jit
def deviations(rules: Float64Array2D, count: int, scale: float, floor: float, out: Float64Array1D) -> None:
    """Deviation of every parameter for a mixture of ``count`` trials (Scott's rule on the width of the prior)."""
    parameters = out.size
    shrink = scale * (count + 1.0) ** (-1.0 / (parameters + 4.0))
    for p in range(parameters):
        out[p] = rules[p, PRIOR_SIGMA] * max(shrink, floor)
        if rules[p, QUANTUM] > 0.0 and not rules[p, LOG]:
            out[p] = max(out[p], 0.5 * rules[p, QUANTUM])


@jit
def _inside(mean: float, sigma: float, rule: Float64Array1D) -> float:
    """Share of a component between the truncation bounds."""
    if rule[LOW] + FAR_ENOUGH * sigma < mean < rule[HIGH] - FAR_ENOUGH * sigma:
        return 1.0
    return cumulative(rule[HIGH], mean, sigma) - cumulative(rule[LOW], mean, sigma)


@jit
def _prior_density(x: float, rule: Float64Array1D) -> float:
    """Density of the prior in model space: even between bounds, else normal."""
    if rule[LOW] > -np.inf:
        return 1.0 / (rule[HIGH] - rule[LOW])
    z = (x - rule[PRIOR_MU]) / rule[PRIOR_SIGMA]
    return math.exp(-0.5 * z * z) / (rule[PRIOR_SIGMA] * ROOT_TWO_PI)


@jit
def mixture_densities(
    candidates: Float64Array2D,
    members: Int64Array1D,
    shares: Float64Array1D,
    points: Float64Array2D,
    rules: Float64Array2D,
    option_prior: Float64Array1D,
    deviation: Float64Array1D,
    prior_share: float,
    out: Float64Array1D,
) -> None:
    """Log density of the mixture of ``members`` (m,) with ``shares`` at ``candidates`` (k, d) in model space, into ``out`` (k,)."""
    count, parameters = members.size, candidates.shape[1]
    scaled = np.empty((parameters, count))
    has_gaps = np.zeros(parameters, dtype=np.bool_)
    height = shares.copy()
    for p in range(parameters):
        is_option = rules[p, CATEGORICAL] > 0.0
        inverse = 1.0 if is_option else 1.0 / (deviation[p] * ROOT_TWO)
        peak = 1.0 if is_option else 1.0 / (deviation[p] * ROOT_TWO_PI)
        for i in range(count):
            mean = points[p, members[i]]
            scaled[p, i] = mean * inverse
            if np.isnan(mean):
                has_gaps[p] = True
            elif not is_option:
                share = _inside(mean, deviation[p], rules[p])
                height[i] *= peak if share == 1.0 else peak / share
    exponent = np.empty(count)
    for k in range(candidates.shape[0]):
        prior = prior_share
        exponent[:] = 0.0
        for p in range(parameters):
            x = candidates[k, p]
            if rules[p, CATEGORICAL]:
                even = option_prior[int(rules[p, FIRST]) + int(x)] / rules[p, OPTIONS]
                miss = even / (1.0 + count)
                _add_options(
                    x, scaled[p], -math.log(miss + count / (1.0 + count)), -math.log(miss), -math.log(even), exponent
                )
            else:
                even = _prior_density(x, rules[p])
                at = x / (deviation[p] * ROOT_TWO)
                if has_gaps[p]:
                    _add_squares_or(at, scaled[p], -math.log(even), exponent)
                else:
                    _add_squares(at, scaled[p], exponent)
            prior *= even
        for i in range(count):
            e = exponent[i]
            exponent[i] = height[i] * power_of_64(e * (-1.0 / 64.0)) if e < LARGEST_EXPONENT else 0.0
        out[k] = math.log(prior + ordered_sum(exponent, 0, count))


@jit
def _add_squares(at: float, scaled: Float64Array1D, exponent: Float64Array1D) -> None:
    """Squared distances: a loop without branches, so that it runs in vector lanes."""
    for i in range(scaled.size):
        d = at - scaled[i]
        exponent[i] += d * d


@jit
def _add_squares_or(at: float, scaled: Float64Array1D, gap: float, exponent: Float64Array1D) -> None:
    """Squared distances, or ``gap`` where a trial has no value."""
    for i in range(scaled.size):
        d = at - scaled[i]
        exponent[i] += gap if np.isnan(d) else d * d


@jit
def _add_options(
    x: float, scaled: Float64Array1D, same: float, other: float, gap: float, exponent: Float64Array1D
) -> None:
    """``same`` where a trial took option ``x``, ``other`` where it took another, ``gap`` where it took none."""
    for i in range(scaled.size):
        option = scaled[i]
        exponent[i] += same if option == x else (gap if np.isnan(option) else other)


@jit
def _draw_value(generator: np.random.Generator, mean: float, sigma: float, rule: Float64Array1D) -> float:
    while True:
        x = mean + sigma * generator.standard_normal()
        if rule[LOW] <= x < rule[HIGH]:
            return x


@jit
def _draw_prior(generator: np.random.Generator, rule: Float64Array1D, option_prior: Float64Array1D) -> float:
    if rule[CATEGORICAL]:
        first, options = int(rule[FIRST]), int(rule[OPTIONS])
        left = generator.random() * option_prior[first : first + options].sum()
        for option in range(options - 1):
            left -= option_prior[first + option]
            if left < 0.0:
                return float(option)
        return options - 1.0
    if rule[LOW] > -np.inf:
        return rule[LOW] + generator.random() * (rule[HIGH] - rule[LOW])
    return rule[PRIOR_MU] + rule[PRIOR_SIGMA] * generator.standard_normal()


@jit
def suggest_joint(
    generator: np.random.Generator,
    good: Int64Array1D,
    trials: int,
    rules: Float64Array2D,
    option_prior: Float64Array1D,
    points: Float64Array2D,
    prior_weight: float,
    scale: float,
    floor: float,
    candidates: AnyArray,
    scores: Float64Array2D,
) -> None:
    """Draw candidates from l and score them, for q points at one fit.

    ``candidates`` float64 (q, c, d) in value space and ``scores`` (q, c) are filled, in order of drawing.
    """
    asked, each, parameters = candidates.shape
    is_good = np.zeros(trials, dtype=np.bool_)
    for g in good:
        is_good[g] = True
    inside = np.sort(good)
    outside = np.empty(trials - good.size, dtype=np.int64)
    inside_share, outside_share = np.empty(inside.size), np.empty(outside.size)
    k = 0
    for i in range(trials):
        if not is_good[i]:
            outside[k] = i
            outside_share[k] = faded_weight(k, outside.size)
            k += 1
    for i in range(inside.size):
        inside_share[i] = faded_weight(i, inside.size)
    inside_total, outside_total = inside_share.sum() + prior_weight, outside_share.sum() + prior_weight
    inside_share /= inside_total
    outside_share /= outside_total
    below, above = np.empty(parameters), np.empty(parameters)
    deviations(rules, inside.size, scale, floor, below)
    deviations(rules, outside.size, scale, floor, above)
    running = np.cumsum(inside_share)
    drawn = np.empty((asked * each, parameters))
    for k in range(asked * each):
        at = np.searchsorted(running, generator.random(), side="right")
        for p in range(parameters):
            mean = points[p, inside[at]] if at < inside.size else np.nan
            if np.isnan(mean):
                drawn[k, p] = _draw_prior(generator, rules[p], option_prior)
            elif rules[p, CATEGORICAL]:
                stay = generator.random() < inside.size / (1.0 + inside.size)
                drawn[k, p] = mean if stay else _draw_prior(generator, rules[p], option_prior)
            else:
                drawn[k, p] = _draw_value(generator, mean, below[p], rules[p])
            if not rules[p, CATEGORICAL]:
                value = quantised(math.exp(drawn[k, p]) if rules[p, LOG] else drawn[k, p], rules[p])
                candidates[k // each, k % each, p] = value
                if rules[p, QUANTUM] > 0.0:
                    drawn[k, p] = model_value(value, rules[p])
            else:
                candidates[k // each, k % each, p] = drawn[k, p]
    ratio, against = np.empty(asked * each), np.empty(asked * each)
    mixture_densities(
        drawn, inside, inside_share, points, rules, option_prior, below, prior_weight / inside_total, ratio
    )
    mixture_densities(
        drawn, outside, outside_share, points, rules, option_prior, above, prior_weight / outside_total, against
    )
    for k in range(asked * each):
        scores[k // each, k % each] = ratio[k] - against[k]
