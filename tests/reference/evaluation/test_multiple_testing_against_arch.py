"""Bootstrap tests against arch, the package of the field, and against slow twins.

arch 8 compares means that are not studentised, whatever its flag says, so it is an oracle for that form only.
"""

import numpy as np
import pytest
from arch.bootstrap import SPA, RealityCheck, StepM, optimal_block_length

from stratopt.evaluation import bootstrap
from stratopt.evaluation.multiple_testing import reality_check, step_down_p_values, superior_predictive_ability

from .test_published_numbers import ORACLES, deterministic_matrix


def test_the_deterministic_matrix_has_the_p_values_of_arch():
    """Lower, consistent and upper within 0.03 of the mean of five runs of arch."""
    given, expected = ORACLES["arch_spa_det_noise"]["inputs"], ORACLES["arch_spa_det_noise"]["expected"]
    matrix = deterministic_matrix(given["T"], given["N"])
    found = superior_predictive_ability(
        matrix, mean_block=given["block_size"], draws=given["reps"], seed=1, studentised=False
    )
    for name in ("lower", "consistent", "upper"):
        assert getattr(found, name) == pytest.approx(expected[f"p_{name}"], abs=0.03)
    adjusted = step_down_p_values(matrix, mean_block=given["block_size"], draws=1000)
    assert [k for k, p in enumerate(adjusted) if p <= 0.05] == expected["stepm"]


@pytest.mark.parametrize("edge", [0.0, 0.0006, 0.0012])
def test_tests_agree_with_arch_on_dependent_returns(edge):
    """SPA, Reality Check and the set that StepM passes on correlated columns with and without skill."""
    rng = np.random.default_rng(11)
    noise = rng.standard_t(5, (600, 12)) * 0.01 + rng.standard_normal((600, 1)) * 0.005
    noise[:, 0] += edge
    losses, zeros = -noise, np.zeros(600)
    spa = SPA(zeros, losses, block_size=8, reps=2000, bootstrap="stationary", seed=3)
    spa.compute()
    found = superior_predictive_ability(noise, mean_block=8, draws=2000, seed=3, studentised=False)
    for name in ("lower", "consistent", "upper"):
        assert getattr(found, name) == pytest.approx(spa.pvalues[name], abs=0.03)
    check = RealityCheck(zeros, losses, block_size=8, reps=2000, bootstrap="stationary", seed=3)
    check.compute()
    assert reality_check(noise, mean_block=8, draws=2000, seed=3) == pytest.approx(check.pvalues["upper"], abs=0.03)
    steps = StepM(zeros, losses, size=0.05, block_size=8, reps=2000, bootstrap="stationary", seed=3)
    steps.compute()
    adjusted = step_down_p_values(noise, mean_block=8, draws=2000, seed=3, studentised=False)
    clear = [k for k, p in enumerate(adjusted) if p <= 0.03]
    possible = [k for k, p in enumerate(adjusted) if p <= 0.07]
    assert set(clear) <= set(steps.superior_models) <= set(possible)


@pytest.mark.parametrize("seed", range(6))
def test_block_lengths_equal_those_of_arch(seed):
    """Politis and White's rule on independent and on autocorrelated returns."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(150 + 200 * seed)
    for t in range(1, values.size):
        values[t] += 0.15 * seed * values[t - 1]
    expected = max(1.0, float(optimal_block_length(values)["stationary"].iloc[0]))
    assert bootstrap.optimal_block_length(values) == pytest.approx(expected, rel=1e-6)


def test_stationary_blocks_have_the_asked_mean_length_and_wrap():
    """A step other than +1 begins a block; their number is the periods over the mean length."""
    drawn = bootstrap.stationary_indices(500, 400, 10.0, seed=0)
    begins = (np.diff(drawn, axis=1) % 500) != 1
    assert 500 / (1 + begins.sum(axis=1).mean()) == pytest.approx(10.0, rel=0.05)
    counts = bootstrap.stationary_counts(500, 400, 10.0, seed=0)
    assert (counts.sum(axis=1) == 500).all()
    assert counts[3].tolist() == np.bincount(drawn[3], minlength=500).tolist()


def test_step_down_equals_a_slow_twin():
    """Romano and Wolf by the book: test, drop the rejected, test the rest."""
    rng = np.random.default_rng(5)
    returns = rng.standard_normal((400, 6)) * 0.01 + np.array([0.003, 0.0016, 0.0, 0.0013, -0.001, 0.0])
    adjusted = step_down_p_values(returns, mean_block=5, draws=999, seed=9)
    counts = bootstrap.stationary_counts(400, 999, 5, seed=9).astype(float)
    centred = returns - returns.mean(axis=0)
    deviations = counts @ centred / 400
    spread = np.sqrt(np.diag(centred.T @ bootstrap.long_run_weights(400, 5).astype(float) @ centred)) / 400
    t, z = returns.mean(axis=0) / spread, deviations / spread
    for alpha in (0.01, 0.05, 0.2):
        left = list(range(6))
        while left:
            passed = [k for k in left if (1 + np.sum(z[:, left].max(axis=1) >= t[k])) / 1000 <= alpha]
            if not passed:
                break
            left = [k for k in left if k not in passed]
        assert {k for k in range(6) if adjusted[k] <= alpha} == set(range(6)) - set(left)


def test_columns_with_gaps_and_columns_that_stand_still():
    """A flat column has no p-value and changes nothing; a column observed half of the time is tested on its half."""
    rng = np.random.default_rng(2)
    returns = rng.standard_normal((400, 3)) * 0.01
    returns[:, 1] += 0.004
    with_flat = np.column_stack([returns, np.zeros(400)])
    plain = superior_predictive_ability(returns, mean_block=5, seed=4)
    assert superior_predictive_ability(with_flat, mean_block=5, seed=4) == plain
    assert step_down_p_values(with_flat, mean_block=5, seed=4)[3] is None
    half = returns.copy()
    half[:200, 1] = np.nan
    adjusted = step_down_p_values(half, mean_block=5, seed=4)
    assert adjusted[1] < 0.05 < min(adjusted[0], adjusted[2])
    assert superior_predictive_ability(np.zeros((50, 2)), mean_block=5) is None


def test_p_values_hardly_depend_on_the_seed():
    """Within 0.02 (two standard errors at p near 0.05) between seeds of 1,000 draws."""
    rng = np.random.default_rng(8)
    returns = rng.standard_normal((500, 40)) * 0.01
    returns[:, 0] += 0.0013
    found = [superior_predictive_ability(returns, mean_block=5, seed=s).consistent for s in range(8)]
    assert max(found) - min(found) < 0.03


def test_the_exact_deviation_of_a_resampled_mean_is_what_many_draws_show():
    """Politis and Romano's formula against 20,000 draws."""
    rng = np.random.default_rng(3)
    values = rng.standard_normal(200)
    for t in range(1, 200):
        values[t] += 0.4 * values[t - 1]
    centred = values - values.mean()
    exact = np.sqrt(centred @ bootstrap.long_run_weights(200, 7.0).astype(float) @ centred) / 200
    drawn = centred[bootstrap.stationary_indices(200, 20_000, 7.0, seed=1)].mean(axis=1)
    assert drawn.std() == pytest.approx(exact, rel=0.02)


def test_studentised_test_equals_a_slow_twin():
    """Hansen's three p-values by the book, one draw at a time."""
    rng = np.random.default_rng(12)
    returns = rng.standard_normal((300, 7)) * np.array([1, 2, 0.5, 1, 3, 1, 1]) * 0.01
    returns += np.array([0.0005, 0.0, 0.0004, -0.003, 0.0, -0.0002, 0.0])
    found = superior_predictive_ability(returns, mean_block=6, draws=400, seed=2)
    mean = returns.mean(axis=0)
    kernel = bootstrap.long_run_weights(300, 6).astype(float)
    w = np.sqrt(np.array([(c - c.mean()) @ kernel @ (c - c.mean()) for c in returns.T])) / 300
    statistic = max(0.0, (mean / w).max())
    drawn = bootstrap.stationary_indices(300, 400, 6, seed=2)
    centres = {
        "lower": np.maximum(mean, 0.0),
        "consistent": np.where(mean / w >= -np.sqrt(2 * np.log(np.log(300))), mean, 0.0),
        "upper": mean,
    }
    for name, centre in centres.items():
        maxima = [max(0.0, ((returns[rows].mean(axis=0) - centre) / w).max()) for rows in drawn]
        expected = (1 + sum(m >= statistic for m in maxima)) / 401
        assert getattr(found, name) == pytest.approx(expected, abs=1e-12)
