"""Suggestions of a tree-structured Parzen estimator from a history of trials that is kept in order.

A history of up to ``capacity`` trials over d parameters is

values   float64 (d, capacity)     values by trial, NaN where the parameter was not active
ascending float64 (d, capacity)    model values of the active trials, ascending
trials   int32 (2, d, capacity)    [0] trial numbers in the order of ``ascending``, [1] active trial numbers in order of age
used     int64 (d,)                active trials of each parameter

``good`` holds the numbers of the best trials. Inserting keeps the order, so that no suggestion has to sort.
"""

from __future__ import annotations

import math

import numpy as np

from stratopt.kernels.arrays import AnyArray, Float64Array1D, Float64Array2D, Int64Array1D
from stratopt.kernels.jit import jit
from stratopt.kernels.parzen import CATEGORICAL, FIRST, OPTIONS, draw, faded_weight, fit, log_densities, model_value

GOOD, OTHERS = 1, 0


@jit
def insert(
    trial: int,
    point: Float64Array1D,
    rules: Float64Array2D,
    values: Float64Array2D,
    ascending: Float64Array2D,
    trials: AnyArray,
    used: Int64Array1D,
) -> None:
    """Put trial number ``trial`` with values ``point`` (d,), NaN where inactive, into the history; equal values stay in order of age.

    Trial numbers must arrive ascending.
    """
    for p in range(point.size):
        values[p, trial] = point[p]
        if np.isnan(point[p]):
            continue
        count = used[p]
        trials[1, p, count] = trial
        if not rules[p, CATEGORICAL]:
            x = model_value(point[p], rules[p])
            at = np.searchsorted(ascending[p, :count], x, side="right")
            for i in range(count, at, -1):
                ascending[p, i] = ascending[p, i - 1]
                trials[0, p, i] = trials[0, p, i - 1]
            ascending[p, at] = x
            trials[0, p, at] = trial
        used[p] = count + 1


@jit
def _weights_of_trials(aged: AnyArray, good: Int64Array1D, side: int, weight: Float64Array1D) -> int:
    """Faded weights of the wanted trials into ``weight`` by trial number, -1 for the others; their number is returned."""
    for i in range(aged.size):
        weight[aged[i]] = 0.0
    inside = 0
    for g in good:
        if weight[g] == 0.0:
            inside += 1
        weight[g] = -1.0
    count = inside if side == GOOD else aged.size - inside
    age = 0
    for i in range(aged.size):
        if (weight[aged[i]] == -1.0) == (side == GOOD):
            weight[aged[i]] = faded_weight(age, count)
            age += 1
        else:
            weight[aged[i]] = -1.0
    return count


@jit
def _mixture(
    parameter: int,
    good: Int64Array1D,
    side: int,
    rules: Float64Array2D,
    ascending: Float64Array2D,
    trials: AnyArray,
    used: Int64Array1D,
    prior_weight: float,
    weight: Float64Array1D,
) -> tuple[AnyArray, int, float]:
    """Mixture of the good trials, or of the others, for a numeric parameter."""
    count = used[parameter]
    for g in good:
        weight[g] = 1.0
    wanted = _weights_of_trials(trials[1, parameter, :count], good, side, weight)
    observed, shares = np.empty(wanted), np.empty(wanted)
    k = 0
    for i in range(count):
        w = weight[trials[0, parameter, i]]
        if w >= 0.0:
            observed[k], shares[k] = ascending[parameter, i], w
            k += 1
    mixture = np.empty((3, wanted + 1))
    components, narrowest = fit(observed, shares, rules[parameter], prior_weight, mixture)
    return mixture, components, narrowest


@jit
def _option_shares(
    parameter: int,
    good: Int64Array1D,
    side: int,
    rules: Float64Array2D,
    option_prior: Float64Array1D,
    values: Float64Array2D,
    trials: AnyArray,
    used: Int64Array1D,
    weight: Float64Array1D,
) -> Float64Array1D:
    """Probability of every option among the good trials, or among the others."""
    first, options = int(rules[parameter, FIRST]), int(rules[parameter, OPTIONS])
    shares = option_prior[first : first + options].copy()
    aged = trials[1, parameter, : used[parameter]]
    for g in good:
        weight[g] = 1.0
    _weights_of_trials(aged, good, side, weight)
    for i in range(aged.size):
        if weight[aged[i]] >= 0.0:
            shares[int(values[parameter, aged[i]])] += weight[aged[i]]
    return shares / shares.sum()


@jit
def log_ratios(
    parameter: int,
    candidates: Float64Array1D,
    good: Int64Array1D,
    rules: Float64Array2D,
    option_prior: Float64Array1D,
    values: Float64Array2D,
    ascending: Float64Array2D,
    trials: AnyArray,
    used: Int64Array1D,
    prior_weight: float,
    weight: Float64Array1D,
    out: Float64Array1D,
) -> None:
    """Log l(x) - log g(x) of one parameter at ``candidates`` (k,), into ``out`` (k,). ``weight`` (capacity,) is work space."""
    if rules[parameter, CATEGORICAL]:
        inside = _option_shares(parameter, good, GOOD, rules, option_prior, values, trials, used, weight)
        outside = _option_shares(parameter, good, OTHERS, rules, option_prior, values, trials, used, weight)
        for k in range(candidates.size):
            option = int(candidates[k])
            out[k] = math.log(inside[option]) - math.log(outside[option])
        return
    below, n_below, narrow_below = _mixture(parameter, good, GOOD, rules, ascending, trials, used, prior_weight, weight)
    above, n_above, narrow_above = _mixture(
        parameter, good, OTHERS, rules, ascending, trials, used, prior_weight, weight
    )
    against = np.empty(candidates.size)
    log_densities(candidates, rules[parameter], below, n_below, narrow_below, out)
    log_densities(candidates, rules[parameter], above, n_above, narrow_above, against)
    for k in range(candidates.size):
        out[k] -= against[k]


@jit
def suggest(
    generator: np.random.Generator,
    good: Int64Array1D,
    rules: Float64Array2D,
    option_prior: Float64Array1D,
    values: Float64Array2D,
    ascending: Float64Array2D,
    trials: AnyArray,
    used: Int64Array1D,
    prior_weight: float,
    weight: Float64Array1D,
    candidates: AnyArray,
    scores: AnyArray,
) -> None:
    """Draw candidates from l and score them, for q points at one fit.

    ``candidates`` and ``scores`` float64 (q, d, c) are filled, the best candidate of each parameter first, then in order of
    drawing. Every parameter is drawn, active or not: the caller knows which branch a point is in.
    """
    points, parameters, each = candidates.shape
    drawn, ratio = np.empty(points * each), np.empty(points * each)
    for p in range(parameters):
        if rules[p, CATEGORICAL]:
            shares = _option_shares(p, good, GOOD, rules, option_prior, values, trials, used, weight)
            running = np.cumsum(shares)
            for k in range(drawn.size):
                option = np.searchsorted(running, generator.random() * running[-1], side="right")
                drawn[k] = min(option, shares.size - 1)
            against = _option_shares(p, good, OTHERS, rules, option_prior, values, trials, used, weight)
            for k in range(drawn.size):
                ratio[k] = math.log(shares[int(drawn[k])]) - math.log(against[int(drawn[k])])
        else:
            below, n_below, narrowest = _mixture(p, good, GOOD, rules, ascending, trials, used, prior_weight, weight)
            draw(generator, rules[p], below, n_below, drawn)
            log_densities(drawn, rules[p], below, n_below, narrowest, ratio)
            above, n_above, narrowest = _mixture(p, good, OTHERS, rules, ascending, trials, used, prior_weight, weight)
            against = np.empty(drawn.size)
            log_densities(drawn, rules[p], above, n_above, narrowest, against)
            for k in range(drawn.size):
                ratio[k] -= against[k]
        for q in range(points):
            best = q * each
            for k in range(q * each, (q + 1) * each):
                candidates[q, p, k - q * each], scores[q, p, k - q * each] = drawn[k], ratio[k]
                if ratio[k] > ratio[best]:
                    best = k
            at = best - q * each
            candidates[q, p, 0], candidates[q, p, at] = candidates[q, p, at], candidates[q, p, 0]
            scores[q, p, 0], scores[q, p, at] = scores[q, p, at], scores[q, p, 0]
