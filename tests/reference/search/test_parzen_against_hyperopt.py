"""The Parzen model against hyperopt 0.3's own functions, on random histories."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hyperopt import tpe
from hyperopt.pyll import rec_eval, scope
from hyperopt.pyll.base import Literal

from stratopt.kernels import parzen as k
from stratopt.kernels.parzen_suggest import insert, log_ratios

INF = math.inf
NUMERIC = {
    "uniform": ((-2.0, 5.0), None),
    "quniform": ((-3.0, 40.0), 1.5),
    "loguniform": ((-4.0, 3.0), None),
    "qloguniform": ((0.0, 5.0), 1.0),
    "normal": ((1.0, 3.0), None),
    "qnormal": ((1.0, 30.0), 2.0),
    "lognormal": ((0.5, 1.2), None),
    "qlognormal": ((1.0, 1.5), 0.5),
}
SIZES = (1, 2, 3, 7, 24, 25, 26, 27, 60, 333, 1200)


def rule_of(name: str, arguments: tuple[float, float], q: float | None) -> np.ndarray:
    rule = np.zeros(k.RULES)
    bounded, log = "uniform" in name, "log" in name
    low, high = arguments if bounded else (-INF, INF)
    rule[[k.LOW, k.HIGH]] = low, high
    rule[[k.PRIOR_MU, k.PRIOR_SIGMA]] = (0.5 * (low + high), high - low) if bounded else arguments
    rule[k.LOG], rule[k.QUANTUM] = log, q or 0.0
    cells = (math.exp(low) if log else low, math.exp(high) if log else high) if bounded else (0.0 if log else -INF, INF)
    rule[[k.CELL_LOW, k.CELL_HIGH]] = cells
    rule[[k.CLIP_LOW, k.CLIP_HIGH]] = -INF, INF
    rule[k.FLOOR] = max(1e-12, math.exp(low)) if log and bounded and q else 1e-12
    return rule


def prior_draws(name, arguments, q, size, generator):
    kwargs = {"q": q} if q else {}
    return np.asarray(rec_eval(getattr(scope, name)(*arguments, **kwargs, rng=generator, size=(size,))))


def hyperopt_log_density(name, arguments, q, observed, at):
    """What hyperopt's TPE computes: its sampler's graph for ``observed`` with the draw replaced by the values ``at``."""
    kwargs = {"q": q} if q else {}
    graph = tpe.adaptive_parzen_samplers[name](Literal(np.asarray(observed)), 1.0, *arguments, **kwargs)
    density = getattr(scope, graph.name + "_lpdf")
    named = {n: a for n, a in graph.named_args if n not in {"rng", "size"}}
    return np.asarray(rec_eval(density(Literal(np.asarray(at)), *graph.pos_args, **named)))


def our_log_ratios(rule, option_prior, observed, good, at):
    size = len(observed)
    rules = rule[None, :]
    values, ascending = np.full((1, size), np.nan), np.empty((1, size))
    trials, used = np.empty((2, 1, size), dtype=np.int32), np.zeros(1, dtype=np.int64)
    for trial, value in enumerate(observed):
        insert(trial, np.array([value]), rules, values, ascending, trials, used)
    out = np.empty(len(at))
    log_ratios(
        0, np.asarray(at, dtype=float), good, rules, option_prior, values, ascending, trials, used, 1.0,
        np.empty(size), out,
    )  # fmt: skip
    return out


def split(losses):
    """hyperopt's split: the best ceil(0.25 * sqrt(n)) trials, at most 25."""
    n_below = min(math.ceil(0.25 * math.sqrt(len(losses))), 25)
    order = np.argsort(losses, kind="stable")
    good = np.sort(order[:n_below]).astype(np.int64)
    return good, np.setdiff1d(np.arange(len(losses)), good)


@pytest.fixture
def _ties_in_order_of_age(monkeypatch):
    """NumPy's default sort orders equal observations as its build pleases; hyperopt is made to keep the older first."""
    stable = np.argsort
    monkeypatch.setattr(tpe.np, "argsort", lambda a, kind="stable": stable(a, kind=kind))


@pytest.mark.usefixtures("_ties_in_order_of_age")
@pytest.mark.parametrize("name", NUMERIC)
def test_log_ratio_of_numeric_parameters_equals_hyperopts(name):
    """log l(x) - log g(x) equals hyperopt's to 1e-9, for short and long histories, flat and concentrated ones."""
    arguments, q = NUMERIC[name]
    generator = np.random.default_rng(5)
    for size in SIZES:
        for concentrated in (False, True):
            observed = prior_draws(name, arguments, q, size, generator)
            if concentrated and size > 3:
                near = prior_draws(name, arguments, q, 1, generator)[0]
                observed[size // 3 :] = near + (observed[size // 3 :] - near) * (1.0 if q else 0.01)
                if q:
                    observed[size // 2 :] = near
            good, bad = split(generator.normal(size=size))
            at = prior_draws(name, arguments, q, 24, generator)
            expected = hyperopt_log_density(name, arguments, q, observed[good], at) - hyperopt_log_density(
                name, arguments, q, observed[bad], at
            )
            actual = our_log_ratios(rule_of(name, arguments, q), np.empty(0), observed, good, at)
            np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9, err_msg=f"{name} {size} {concentrated}")
            assert np.isfinite(expected).all()


@pytest.mark.parametrize("weights", [None, (0.1, 0.2, 0.7), (0.25, 0.25, 0.25, 0.25)])
def test_log_ratio_of_options_equals_hyperopts(weights):
    """Categorical parameters, equally likely (randint) or weighted (categorical), equal hyperopt's to 1e-9."""
    generator = np.random.default_rng(6)
    options = len(weights) if weights else 5
    rule = np.zeros(k.RULES)
    rule[k.CATEGORICAL], rule[k.OPTIONS] = 1.0, options
    prior = np.ones(options) if weights is None else options * np.asarray(weights)
    for size in SIZES:
        observed = generator.integers(options, size=size)
        good, bad = split(generator.normal(size=size))
        expected = _option_log_density(weights, options, observed[good]) - _option_log_density(
            weights, options, observed[bad]
        )
        actual = our_log_ratios(rule, prior, observed.astype(float), good, np.arange(options))
        np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


def _option_log_density(weights, options, observed):
    name, argument = ("randint", options) if weights is None else ("categorical", np.asarray([weights]))
    graph = tpe.adaptive_parzen_samplers[name](Literal(observed), 1.0, argument, size=(1,))
    density = getattr(scope, graph.name + "_lpdf")
    return np.asarray(rec_eval(density(Literal(np.arange(options)), *graph.pos_args)))
