"""Why the same returns have other numbers elsewhere: each library's figure from its own definition, and from the library where it is here.

The figures were taken from empyrical-reloaded 0.7.1, quantstats 0.0.86, backtesting.py 0.6.6, vectorbt 1.2.0, ffn 1.4.1, freqtrade 2026.9,
jesse 3.5.3 and skfolio 1.12.2. Where ours is the same number, it is asked of our metrics.
"""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import MCS, SPA, StepM

from stratopt.backtest.metrics import compute_metrics, drawdown_series
from stratopt.evaluation.normal import ndtri
from stratopt.evaluation.sharpe import probabilistic_sharpe_ratio, sharpe_moments

from .test_published_numbers import ORACLES, deterministic_matrix

RETURNS = np.array(ORACLES["returns_504"]["values"])
DAYS = pd.bdate_range("2022-01-03", periods=RETURNS.size)
WEALTH = np.cumprod(1.0 + RETURNS)
OURS = {q: compute_metrics(RETURNS, periods_per_year=q) for q in (252, 365)}
SPAN = (DAYS[-1] - (DAYS[0] - pd.offsets.BDay())).days
"""Calendar days from the base of the wealth, one business day before the first return."""
DEEPEST = -OURS[252]["max_drawdown"]
MOMENTS = sharpe_moments(RETURNS)
OURS_PSR = probabilistic_sharpe_ratio(
    MOMENTS.sharpe, MOMENTS.periods, skewness=MOMENTS.skewness, kurtosis=MOMENTS.kurtosis
)


def expected(library):
    """Figures of one library."""
    return ORACLES["metrics_504_by_library"]["expected"][library]


def check(found, library):
    """All figures of the library are found, to 1e-9."""
    assert set(found) == set(expected(library))
    for name, value in expected(library).items():
        assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name


def test_empyrical_agrees_and_has_a_trap():
    """Its risk-free rate is per period: 0.05 there is 5 % a day."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import empyrical
    ours = OURS[252]
    check(
        {
            "sharpe": ours["sharpe_ratio"],
            "sortino": ours["sortino_ratio"],
            "calmar": ours["calmar_ratio"],
            "sharpe_rf_0_05_per_period_trap": empyrical.sharpe_ratio(RETURNS, risk_free=0.05),
        },
        "empyrical_reloaded_0_7_1",
    )


def test_quantstats():
    """Normal value at risk, ulcer index over n - 1, unbiased moments, Kelly from days."""
    ours, mean, deviation = OURS[252], RETURNS.mean(), RETURNS.std(ddof=1)
    lags = np.arange(1, RETURNS.size)
    memory = abs(np.corrcoef(RETURNS[:-1], RETURNS[1:])[0, 1])
    penalty = math.sqrt(1.0 + 2.0 * float(np.sum((RETURNS.size - lags) / RETURNS.size * memory**lags)))
    low = mean + deviation * ndtri(0.05)
    wins, losses = RETURNS[RETURNS > 0], RETURNS[RETURNS < 0]
    payoff, won = wins.mean() / -losses.mean(), wins.size / np.count_nonzero(RETURNS)
    series = pd.Series(RETURNS)
    check(
        {
            "sharpe": ours["sharpe_ratio"],
            "sharpe_rf5pct": compute_metrics(RETURNS, periods_per_year=252, risk_free_rate=0.05)["sharpe_ratio"],
            "smart_sharpe": ours["sharpe_ratio"] / penalty,
            "sortino": ours["sortino_ratio"],
            "calmar": ours["calmar_ratio"],
            "var95_gaussian": low,
            "cvar95_gaussian": mean - deviation * math.exp(-(ndtri(0.05) ** 2) / 2.0) / math.sqrt(2.0 * math.pi) / 0.05,
            "ulcer": math.sqrt(float(np.sum(drawdown_series(RETURNS) ** 2)) / (RETURNS.size - 1)),
            "psr": probabilistic_sharpe_ratio(
                mean / deviation, RETURNS.size, skewness=series.skew(), kurtosis=series.kurt() + 3.0
            ),
            "kelly": (payoff * won - (1.0 - won)) / payoff,
        },
        "quantstats_0_0_86",
    )


def test_backtesting_py():
    """Geometric annual return over compounded volatility, calendar growth from 365.25 days."""
    growth = OURS[252]["cagr_periods"]
    daily = (1.0 + growth) ** (1.0 / 252.0) - 1.0
    volatility = math.sqrt((RETURNS.var(ddof=1) + (1.0 + daily) ** 2) ** 252 - (1.0 + daily) ** (2 * 252))
    downside = math.sqrt(np.mean(np.minimum(RETURNS, 0.0) ** 2)) * math.sqrt(252)
    check(
        {
            "sharpe": growth / volatility,
            "sortino": growth / downside,
            "calmar": growth / DEEPEST,
            "vol_annual_pct": 100.0 * volatility,
            "cagr_pct": 100.0 * (WEALTH[-1] ** (365.25 / SPAN) - 1.0),
        },
        "backtesting_py_0_6_6",
    )


def test_vectorbt():
    """A year of 365 days whatever the calendar."""
    ours = OURS[365]
    check(
        {"sharpe": ours["sharpe_ratio"], "sortino": ours["sortino_ratio"], "calmar": ours["calmar_ratio"]},
        "vectorbt_1_2_0_default",
    )


def test_ffn():
    """Growth by the calendar, from the base of the wealth."""
    growth = compute_metrics(RETURNS, periods_per_year=252, years=SPAN / 365.25)["cagr"]
    check({"sharpe": OURS[252]["sharpe_ratio"], "cagr": growth, "calmar": growth / DEEPEST}, "ffn_1_4_1")


def test_freqtrade_from_the_balance():
    """Deviation with ddof 0, that of losing days only for Sortino; Calmar with the total return in per cent."""
    mean, losing = RETURNS.mean(), RETURNS[RETURNS < 0]
    check(
        {
            "sharpe": mean / RETURNS.std() * math.sqrt(365),
            "sortino": mean / losing.std() * math.sqrt(365),
            "calmar": 100.0 * (WEALTH[-1] - 1.0) / SPAN / DEEPEST * math.sqrt(365),
            "cagr": WEALTH[-1] ** (365.0 / SPAN) - 1.0,
        },
        "freqtrade_2026_9_from_balance",
    )


def test_jesse():
    """Growth from the first return's date; the tail is the worst int(0.05 n) days."""
    growth = WEALTH[-1] ** (365.0 / (DAYS[-1] - DAYS[0]).days) - 1.0
    check(
        {
            "sharpe": OURS[365]["sharpe_ratio"],
            "sortino": OURS[365]["sortino_ratio"],
            "calmar": growth / DEEPEST,
            "cagr": growth,
            "cvar95": np.sort(RETURNS)[: int(0.05 * RETURNS.size)].mean(),
        },
        "jesse_3_5_3",
    )


def test_skfolio():
    """Value at risk as an order statistic, the tail with a part of the next day; its own functions give the same."""
    from skfolio.measures import cvar, value_at_risk

    ordered, tail = np.sort(RETURNS), 0.05 * RETURNS.size
    whole = int(tail)
    found = {
        "psr": OURS_PSR,
        "var95": -ordered[whole],
        "cvar95": -(ordered[:whole].sum() + (tail - whole) * ordered[whole]) / tail,
    }
    check(found, "skfolio_1_12_2")
    assert found["var95"] == pytest.approx(value_at_risk(RETURNS), abs=1e-12)
    assert found["cvar95"] == pytest.approx(cvar(RETURNS), abs=1e-12)


def test_installed_libraries_still_say_so():
    """vectorbt, run here, gives the figures of the table."""
    import vectorbt

    accessor = pd.Series(RETURNS, index=DAYS).vbt.returns(freq="1D")
    assert vectorbt.settings.returns["year_freq"] == "365 days"
    for name in ("sharpe", "sortino", "calmar"):
        found = getattr(accessor, f"{name}_ratio")()
        assert found == pytest.approx(expected("vectorbt_1_2_0_default")[name], rel=1e-9)


def test_a_first_bar_loss_that_some_libraries_miss():
    """Wealth that begins after the first return hides a loss in it: -2 % instead of -10 %."""
    case = ORACLES["max_drawdown_first_bar_loss"]
    late = np.cumprod(1.0 + np.array(case["inputs"]["returns"]))
    missed = float((late / np.maximum.accumulate(late) - 1.0).min())
    assert missed == pytest.approx(case["expected"]["jesse_3_5_3"], abs=case["tolerance"])
    assert missed == pytest.approx(case["expected"]["vectorbt_1_2_0_returns_accessor"], abs=case["tolerance"])


def test_arch_keeps_all_noise_columns():
    """The model confidence set (display only in the literature), StepM and SPA of arch itself on the deterministic matrix."""
    given, wanted = ORACLES["arch_spa_det_noise"]["inputs"], ORACLES["arch_spa_det_noise"]
    losses = -deterministic_matrix(given["T"], given["N"])
    settings = {"block_size": given["block_size"], "bootstrap": given["bootstrap"], "seed": 1}
    kept = MCS(losses, 0.05, reps=1000, method="max", **settings)
    kept.compute()
    assert len(kept.included) == wanted["expected"]["mcs_included"]
    steps = StepM(np.zeros(given["T"]), losses, size=0.05, reps=1000, **settings)
    steps.compute()
    assert list(steps.superior_models) == wanted["expected"]["stepm"]
    test = SPA(np.zeros(given["T"]), losses, reps=given["reps"], studentize=given["studentize"], **settings)
    test.compute()
    for name in ("lower", "consistent", "upper"):
        assert test.pvalues[name] == pytest.approx(wanted["expected"][f"p_{name}"], abs=wanted["tolerance"])
