"""The joint Parzen density against a slow twin, and whether its draws follow it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from stratopt.kernels import parzen as k
from stratopt.kernels.parzen_joint import deviations, mixture_densities
from stratopt.search.latent import Latent
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, FloatRange
from stratopt.search.parzen_rules import option_priors, parzen_rules
from stratopt.search.tpe import TpeSampler

LATENTS = [
    Latent("float", -2, 3),
    Latent("float", 0.01, 10, log=True),
    Latent("int", 1, 9, step=1),
    Latent("categorical", count=3, weights=(1.0, 2.0, 3.0)),
    Latent("normal", mu=1.0, sigma=2.0),
]


def twin(x, members, shares, points, rules, option_prior, deviation, prior_share):
    """The mixture density as written on paper: one product for each member, one for the prior."""

    def prior(p):
        rule = rules[p]
        if rule[k.CATEGORICAL]:
            return option_prior[int(rule[k.FIRST]) + int(x[p])] / rule[k.OPTIONS]
        if math.isfinite(rule[k.LOW]):
            return 1 / (rule[k.HIGH] - rule[k.LOW])
        return stats.norm.pdf(x[p], rule[k.PRIOR_MU], rule[k.PRIOR_SIGMA])

    total = prior_share * math.prod(prior(p) for p in range(len(x)))
    n = len(members)
    for member, share in zip(members, shares, strict=True):
        product = share
        for p in range(len(x)):
            mean, rule = points[p, member], rules[p]
            if math.isnan(mean):
                product *= prior(p)
            elif rule[k.CATEGORICAL]:
                product *= prior(p) / (1 + n) + (n / (1 + n) if mean == x[p] else 0.0)
            else:
                normal = stats.norm(mean, deviation[p])
                product *= normal.pdf(x[p]) / (normal.cdf(rule[k.HIGH]) - normal.cdf(rule[k.LOW]))
        total += product
    return math.log(total)


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_the_density_equals_its_twin(count):
    """Real, log, whole, categorical and normal parameters, some inactive: equal to 1e-7."""
    generator = np.random.default_rng(count)
    rules, option_prior = parzen_rules(LATENTS), option_priors(LATENTS, 1.0)

    def draw(size):
        return np.array(
            [
                generator.uniform(-2, 3, size),
                np.log(10 ** generator.uniform(-2, 1, size)),
                generator.integers(1, 10, size),
                generator.integers(0, 3, size),
                generator.normal(1, 2, size),
            ]
        )

    points = draw(count)
    points[generator.random(points.shape) < 0.2] = np.nan
    shares = generator.random(count)
    prior_share = 1.0 / (shares.sum() + 1.0)
    shares /= shares.sum() + 1.0
    deviation = np.empty(5)
    deviations(rules, count, 0.1, 0.0005, deviation)
    candidates = np.ascontiguousarray(draw(30).T)
    out = np.empty(30)
    mixture_densities(candidates, np.arange(count), shares, points, rules, option_prior, deviation, prior_share, out)
    expected = [twin(x, range(count), shares, points, rules, option_prior, deviation, prior_share) for x in candidates]
    np.testing.assert_allclose(out, expected, rtol=1e-7, atol=1e-7)


def test_power_of_64_is_the_exponential():
    """The polynomial is within 1e-8 of exp everywhere it is used, within 1e-12 where terms matter."""
    for exponent in np.linspace(0, 40, 401):
        tolerance = 1e-12 if exponent < 12 else 1e-8
        assert k.power_of_64(-exponent / 64) == pytest.approx(math.exp(-exponent), rel=tolerance)


@pytest.mark.parametrize("multivariate", [True, False])
def test_both_models_find_the_optimum_of_a_smooth_function(multivariate):
    """After 150 points the best is far closer to the optimum than random points of that number are."""
    space = ParameterSpace({"x": FloatRange(0, 1), "y": FloatRange(0.01, 100, log=True), "c": Choice(["a", "b", "c"])})

    def loss(p):
        return (p["x"] - 0.7) ** 2 + math.log10(p["y"] / 3) ** 2 + (p["c"] != "b") * 0.5

    found = []
    for seed in range(5):
        sampler = TpeSampler(space, seed, multivariate=multivariate)
        losses = []
        for _ in range(150):
            (point,) = sampler.ask(1)
            losses.append(loss(point.params))
            sampler.tell(point.number, losses[-1:])
        found.append(min(losses))
    assert np.median(found) < 0.004
