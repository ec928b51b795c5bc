"""Every number of statistics.json: examples printed in papers, recomputed, and exact integrals."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from stratopt.backtest.metrics import compute_metrics, drawdown_series, longest_run
from stratopt.evaluation import effective_trials as effective
from stratopt.evaluation import false_discovery, overfitting, sharpe
from stratopt.evaluation.combinatorial_splits import CombinatorialPurgedSplits
from stratopt.evaluation.pbo import overfitting as cscv
from stratopt.evaluation.pbo import split_count

ORACLES = json.loads((Path(__file__).parent / "statistics.json").read_text())


def near(name):
    """The expected value of an oracle with its own tolerance."""
    return ORACLES[name]["expected"], {"abs": ORACLES[name]["tolerance"] or 1e-300, "rel": 0.0}


@pytest.mark.parametrize("name", ["dsr_paper_n100", "dsr_paper_n88_normal"])
def test_deflated_sharpe_ratio_of_the_2014_paper(name):
    """SR0 and DSR of the worked example."""
    given, (expected, tolerance) = ORACLES[name]["inputs"], near(name)
    q = given["periods_per_year"]
    moments = sharpe.SharpeMoments(
        sharpe=given["sr_annual"] / math.sqrt(q),
        periods=given["T"],
        skewness=given["skew"],
        kurtosis=given["kurtosis"],
    )
    variance = given["var_trial_sr_annual"] / q
    found = {
        "sr_period": moments.sharpe,
        "sr0_period": overfitting.luck_sharpe(given["n_trials"], variance),
        "sr0_annual": overfitting.luck_sharpe(given["n_trials"], variance) * math.sqrt(q),
        "dsr": overfitting.deflated_sharpe_ratio(moments, trials=given["n_trials"], trial_variance=variance),
    }
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, **tolerance), key


def test_the_example_with_46_trials_prints_0_9505():
    """The number of trials at which the 2014 example just passes 95 %."""
    moments = sharpe.SharpeMoments(sharpe=2.5 / math.sqrt(250), periods=1250, skewness=-3, kurtosis=10)
    assert overfitting.deflated_sharpe_ratio(moments, trials=46, trial_variance=0.5 / 250) == pytest.approx(
        0.950502, abs=1e-6
    )


def test_probabilistic_sharpe_ratio_of_the_2012_paper():
    """Normal and hedge-fund-like moments give the printed 0.982 and 0.913."""
    given, (expected, tolerance) = ORACLES["psr_sef_normal"]["inputs"], near("psr_sef_normal")
    assert sharpe.probabilistic_sharpe_ratio(given["sr_period"], given["T"]) == pytest.approx(expected, **tolerance)
    assert sharpe.probabilistic_sharpe_ratio(0.458, 24, skewness=-2.448, kurtosis=10.164) == pytest.approx(
        0.913361, abs=1e-6
    )


@pytest.mark.parametrize("name", ["mintrl_sef_daily250", "mintrl_sef_weekly52"])
def test_minimum_track_record_length(name):
    """Periods and years of the 2012 paper's table."""
    given, (expected, tolerance) = ORACLES[name]["inputs"], near(name)
    q = given["periods_per_year"]
    found = sharpe.minimum_track_record_length(
        given["sr_annual"] / math.sqrt(q), bar=given["benchmark_annual"] / math.sqrt(q), alpha=given["alpha"]
    )
    assert found == pytest.approx(expected["periods"], **tolerance)
    assert found / q == pytest.approx(expected["years"], **tolerance)


def test_minimum_track_record_length_of_hedge_funds_and_of_a_bar_that_is_not_reached():
    """59.895 months in the 2012 paper; infinite where the ratio is not above the bar."""
    found = sharpe.minimum_track_record_length(2 / 12**0.5, bar=1 / 12**0.5, skewness=-0.72, kurtosis=5.78)
    assert found == pytest.approx(59.8951, abs=1e-4)
    assert sharpe.minimum_track_record_length(0.1, bar=0.1) == math.inf


def test_expected_maximum_by_formula_and_by_integral():
    """The False Strategy Theorem's approximation and the exact order statistic."""
    expected, tolerance = near("emax_false_strategy_theorem")
    for trials, value in expected.items():
        assert overfitting.expected_maximum(int(trials)) == pytest.approx(value, **tolerance)
    expected, tolerance = near("emax_exact_integral")
    for trials, value in expected.items():
        assert overfitting.exact_expected_maximum(int(trials)) == pytest.approx(value, **tolerance)
    assert overfitting.expected_maximum(1) == 0.0


def test_expected_maximum_of_correlated_trials():
    """A common correlation rho shrinks the expected maximum by sqrt(1 - rho)."""
    expected, tolerance = near("equicorrelated_trials_emax")
    for rho, value in expected.items():
        assert overfitting.exact_expected_maximum(100, float(rho)) == pytest.approx(value, **tolerance)


def test_deviation_of_the_maximum():
    """Exhibit 4 of the 2026 paper."""
    expected, tolerance = near("sd_of_max_of_k_normals")
    for trials, value in expected.items():
        assert overfitting.deviation_of_maximum(int(trials)) == pytest.approx(value, **tolerance)


def test_minimum_backtest_length():
    """Five years allow 45 trials before a ratio of 1 is expected by luck."""
    expected, tolerance = near("minbtl_years")
    for trials, value in expected.items():
        assert overfitting.minimum_backtest_years(int(trials)) == pytest.approx(value, **tolerance)
        assert value < 2 * math.log(int(trials))


def test_worked_example_of_the_2026_paper():
    """Twelve numbers of "How to Use the Sharpe Ratio"."""
    given, (expected, tolerance) = ORACLES["llz2026_worked_example"]["inputs"], near("llz2026_worked_example")
    ratio, periods = given["mean"] / given["sd"], given["T"]
    shape = {"skewness": given["skew"], "kurtosis": given["kurtosis"], "autocorrelation": given["ar1"]}
    null = math.sqrt(sharpe.sharpe_variance_at_bar(0.0, periods, **shape))
    real = math.sqrt(sharpe.sharpe_variance_at_bar(given["sr1"], periods, **shape))
    miss = false_discovery.miss_probability(
        true_sharpe=given["sr1"], null_deviation=null, true_deviation=real, alpha=given["alpha"]
    )
    psr = sharpe.probabilistic_sharpe_ratio_at_bar(ratio, periods, **shape)
    if_real = 1 - sharpe.probabilistic_sharpe_ratio_at_bar(ratio, periods, bar=given["sr1"], **shape)
    found = {
        "sd_sr": math.sqrt(sharpe.sharpe_variance_at_bar(ratio, periods, **shape)),
        "sd_sr_iid_normal": math.sqrt(sharpe.sharpe_variance_at_bar(ratio, periods)),
        "psr_vs_0": psr,
        "psr_vs_0_1": sharpe.probabilistic_sharpe_ratio_at_bar(ratio, periods, bar=0.1, **shape),
        "mintrl_vs_0": sharpe.minimum_track_record_length_at_bar(ratio, **shape),
        "mintrl_vs_0_1": sharpe.minimum_track_record_length_at_bar(ratio, bar=0.1, **shape),
        "beta": miss,
        "pfdr": false_discovery.planned_false_discovery_rate(miss=miss, prior=given["p_h1"], alpha=given["alpha"]),
        "ofdr": false_discovery.observed_false_discovery_rate(
            p_value=1 - psr, p_value_if_real=if_real, prior=given["p_h1"]
        ),
        "sr0_k10": overfitting.luck_sharpe(given["K"], given["var_trial_sr"]),
        "sd_sr0_k10": math.sqrt(given["var_trial_sr"]) * overfitting.deviation_of_maximum(given["K"]),
        "dsr_k10": overfitting.deflated_sharpe_ratio_of_maximum(
            ratio, trials=given["K"], trial_variance=given["var_trial_sr"]
        ),
    }
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, **tolerance), key


def test_effective_trials_of_equicorrelated_ones():
    """Closed forms from eigenvalues 50.5 and 99 times 0.5."""
    expected, tolerance = near("neff_equicorrelated_n100_rho05")
    eigenvalues = np.concatenate([[50.5], np.full(99, 0.5)])
    found = {
        "avg_corr": effective.average_correlation_trials(0.5, 100),
        "participation_ratio": effective.participation_ratio(eigenvalues),
        "entropy_rank": effective.entropy_rank(eigenvalues),
        "kaiser": effective.kaiser_count(eigenvalues),
        "pca95": effective.variance_count(eigenvalues),
        "cheverud_nyholt": effective.cheverud_nyholt(eigenvalues),
    }
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, **tolerance), key


def test_annualisation_under_autocorrelation():
    """Lo's table: 2.88 instead of 3.46 for monthly returns with AR(1) 0.2."""
    expected, tolerance = near("lo2002_eta_ar1")
    for rho, value in expected.items():
        lags = [float(rho) ** k for k in range(1, 12)]
        assert sharpe.annualisation_factor(12, lags) == pytest.approx(value, **tolerance)


def test_adjusted_p_values():
    """Harvey and Liu's six tests under Bonferroni, Holm and Benjamini-Yekutieli."""
    given, (expected, tolerance) = ORACLES["harvey_liu_adjusted_p"]["inputs"]["p"], near("harvey_liu_adjusted_p")
    found = {
        "bonferroni": false_discovery.bonferroni(given),
        "holm": false_discovery.holm(given),
        "fdr_by": false_discovery.benjamini_yekutieli(given),
    }
    for key, values in expected.items():
        assert list(found[key]) == pytest.approx(values, **tolerance), key


def test_haircut_of_harvey_and_liu():
    """Ratio 0.75 over 20 years and 200 tests leaves 0.32."""
    found = false_discovery.haircut_annual_sharpe(0.75, 20.0, 200)
    assert found == pytest.approx((0.000796, 0.1473, 0.3241), abs=5e-5)


def test_counts_of_splits_and_paths():
    """C(S, S/2) of CSCV; splits and paths of combinatorial cross-validation."""
    for blocks, count in ORACLES["cscv_split_count"]["expected"].items():
        assert split_count(int(blocks)) == count
    for key, (splits, paths) in ORACLES["cpcv_counts"]["expected"].items():
        groups, tested = map(int, key.split(","))
        made = CombinatorialPurgedSplits(length=1000, groups=groups, test_groups=tested)
        assert (made.split_count, made.path_count) == (splits, paths)


def deterministic_matrix(periods, trials):
    """The matrix that the oracles describe in words."""
    t, n = np.arange(1, periods + 1)[:, None], np.arange(1, trials + 1)[None, :]
    return np.round((((t**2 * 7919 + n**2 * 104729 + t * n * 1299709) % 10007) / 10007 - 0.5) * 0.04, 6)


@pytest.mark.parametrize("name", ["pbo_det_64x5_S4", "pbo_det_240x20_S6", "pbo_det_1600x40_S16"])
def test_probability_of_backtest_overfitting(name):
    """Five numbers that four other programs agree on, and a matrix with one better column."""
    given, (expected, tolerance) = ORACLES[name]["inputs"], near(name)
    matrix = deterministic_matrix(given["T"], given["N"])
    assert matrix.sum() == pytest.approx(given["matrix_sum"], abs=1e-9)
    found = cscv(matrix, blocks=given["S"])
    better = matrix.copy()
    better[:, 3] += 0.002
    values = {
        "pbo_lambda_le_0": found.pbo,
        "pbo_lambda_lt_0": found.pbo_strict,
        "mean_logit": found.mean_logit,
        "prob_oos_loss": found.loss_probability,
        "degradation_slope": found.degradation_slope,
        "pbo_edge_variant": cscv(better, blocks=given["S"]).pbo,
    }
    for key, value in expected.items():
        assert values[key] == pytest.approx(value, **tolerance), key


def test_metrics_of_the_504_returns():
    """The project's own definitions equal empyrical's where it has them."""
    returns = np.array(ORACLES["returns_504"]["values"])
    assert returns.sum() == pytest.approx(ORACLES["returns_504"]["expected"]["sum"], abs=1e-9)
    expected, tolerance = near("metrics_504_252")
    found = compute_metrics(returns, periods_per_year=252)
    drawdown = drawdown_series(returns)
    moments = sharpe.sharpe_moments(returns)
    values = {
        "sharpe": found["sharpe_ratio"],
        "sortino": found["sortino_ratio"],
        "cagr": found["cagr_periods"],
        "volatility": found["volatility"],
        "calmar": found["calmar_ratio"],
        "total_return": found["total_return"],
        "max_drawdown": found["max_drawdown"],
        "longest_underwater_bars": longest_run(drawdown < 0),
        "omega": found["omega_ratio"],
        "win_rate_nonzero": float(np.mean(returns[returns != 0] > 0)),
        "var95_hist": found["value_at_risk_95"],
        "cvar95_empyrical": found["conditional_value_at_risk_95"],
        "tail_ratio": found["tail_ratio"],
        "ulcer_mean_n": found["ulcer_index"],
        "ulcer_n_minus_1": math.sqrt(float(np.sum(drawdown**2)) / (returns.size - 1)),
        "skew_biased": moments.skewness,
        "kurt_biased": moments.kurtosis,
        "psr0_biased_moments": sharpe.probabilistic_sharpe_ratio(
            moments.sharpe, moments.periods, skewness=moments.skewness, kurtosis=moments.kurtosis
        ),
    }
    for key, value in expected.items():
        assert values[key] == pytest.approx(value, **tolerance), key


def test_metrics_of_the_20_trades():
    """Trade statistics by their definitions; a zero-profit trade would count in the denominator."""
    pnl = ORACLES["trades_20"]["inputs"]["pnl"]
    expected, tolerance = near("trades_20")
    found = compute_metrics([0.0, 0.01], periods_per_year=252, trade_pnl=np.array(pnl))
    names = {"payoff": "payoff_ratio"}
    for key in ("profit_factor", "win_rate", "expectancy", "payoff", "sqn", "kelly"):
        assert found[names.get(key, key)] == pytest.approx(expected[key], **tolerance), key


def test_a_loss_in_the_first_bar_counts_as_drawdown():
    """Wealth starts at 1 before the first return."""
    given, (expected, tolerance) = (
        ORACLES["max_drawdown_first_bar_loss"]["inputs"],
        near("max_drawdown_first_bar_loss"),
    )
    found = compute_metrics(given["returns"], periods_per_year=252)["max_drawdown"]
    assert found == pytest.approx(expected["correct"], **tolerance)


def test_needed_sharpe_ratios_of_the_power_check():
    """2.49/sqrt(years) alone, 3.42/sqrt(years) over ten strategies."""
    assert sharpe.annual_sharpe_needed(4.0, 10) == pytest.approx(1.71, abs=0.005)
    assert sharpe.annual_sharpe_needed(8.0, 10) == pytest.approx(1.21, abs=0.005)
    assert sharpe.annual_sharpe_needed(1.0) == pytest.approx(2.49, abs=0.005)


def test_pass_bar_probabilities():
    """How often a service with a known rate meets the bar of 10 in 200."""
    from scipy.stats import binom

    given, (expected, tolerance) = ORACLES["pass_bar_binomial"]["inputs"], near("pass_bar_binomial")
    for key, value in expected.items():
        rate = float(key.removeprefix("pass_prob_if_rate_"))
        assert binom.cdf(given["bar"], given["n"], rate) == pytest.approx(value, **tolerance)
