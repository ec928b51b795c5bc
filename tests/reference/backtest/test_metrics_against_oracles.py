"""Metrics against empyrical-reloaded and against numbers worked out by hand."""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest

from stratopt.backtest.metrics import compute_metrics
from stratopt.errors import BacktestError

ORACLES = json.loads((Path(__file__).parent / "metric_oracles.json").read_text())


@pytest.fixture(scope="module")
def empyrical():
    """The oracle library."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import empyrical
    return empyrical


@pytest.mark.parametrize(
    ("metric", "oracle"),
    [
        ("sharpe_ratio", "sharpe"),
        ("sortino_ratio", "sortino"),
        ("cagr_periods", "cagr"),
        ("volatility", "volatility"),
        ("calmar_ratio", "calmar"),
        ("total_return", "total_return"),
        ("max_drawdown", "max_drawdown"),
        ("max_drawdown_duration_bars", "longest_underwater_bars"),
        ("omega_ratio", "omega"),
        ("value_at_risk_95", "var95_hist"),
        ("conditional_value_at_risk_95", "cvar95_empyrical"),
        ("tail_ratio", "tail_ratio"),
        ("ulcer_index", "ulcer_mean_n"),
        ("skewness", "skew_biased"),
        ("kurtosis", "kurt_biased"),
    ],
)
def test_metrics_of_the_504_bar_sample(metric, oracle):
    """Each metric of the fixed daily sample equals its reference number."""
    metrics = compute_metrics(ORACLES["returns_504"], periods_per_year=252)
    assert metrics[metric] == pytest.approx(ORACLES["metrics_504_252"][oracle], abs=1e-10)


@pytest.mark.parametrize(
    ("metric", "oracle"),
    [
        ("profit_factor", "profit_factor"),
        ("win_rate", "win_rate"),
        ("expectancy", "expectancy"),
        ("payoff_ratio", "payoff"),
        ("sqn", "sqn"),
        ("kelly", "kelly"),
    ],
)
def test_trade_metrics_of_twenty_trades(metric, oracle):
    """Trade statistics of 20 fixed profits equal the numbers worked out by hand."""
    trades = ORACLES["trades_20"]
    metrics = compute_metrics([0.0, 0.01], periods_per_year=252, trade_pnl=trades["pnl"])
    assert metrics[metric] == pytest.approx(trades["expected"][oracle], abs=1e-9)


def test_a_loss_in_the_first_bar_is_a_drawdown():
    """Wealth starts at 1 before the first bar: -10 % at once is a drawdown of 10 %, which some libraries miss."""
    case = ORACLES["max_drawdown_first_bar_loss"]
    assert compute_metrics(case["returns"], periods_per_year=252)["max_drawdown"] == pytest.approx(
        case["expected"], abs=1e-12
    )


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("per_year", [252, 365])
def test_metrics_equal_empyrical_on_random_returns(empyrical, seed, per_year):
    """Ten metrics of random fat-tailed returns agree to 1e-12."""
    rng = np.random.default_rng(seed)
    returns = rng.standard_t(4, int(rng.integers(30, 800))) * 0.01
    metrics = compute_metrics(returns, periods_per_year=per_year)
    expected = {
        "total_return": empyrical.cum_returns_final(returns),
        "cagr_periods": empyrical.annual_return(returns, annualization=per_year),
        "volatility": empyrical.annual_volatility(returns, annualization=per_year),
        "sharpe_ratio": empyrical.sharpe_ratio(returns, annualization=per_year),
        "sortino_ratio": empyrical.sortino_ratio(returns, annualization=per_year),
        "calmar_ratio": empyrical.calmar_ratio(returns, annualization=per_year),
        "omega_ratio": empyrical.omega_ratio(returns, annualization=per_year),
        "max_drawdown": empyrical.max_drawdown(returns),
        "value_at_risk_95": empyrical.value_at_risk(returns, 0.05),
        "conditional_value_at_risk_95": empyrical.conditional_value_at_risk(returns, 0.05),
        "tail_ratio": empyrical.tail_ratio(returns),
    }
    for name, value in expected.items():
        assert metrics[name] == pytest.approx(value, rel=1e-11, abs=1e-14), name


def test_the_risk_free_rate_is_annual():
    """5 % a year is converted to a period's rate by compounding, then taken from every return."""
    returns = np.array(ORACLES["returns_504"])
    free = 1.05 ** (1 / 252) - 1
    expected = (returns - free).mean() / returns.std(ddof=1) * math.sqrt(252)
    metrics = compute_metrics(returns, periods_per_year=252, risk_free_rate=0.05)
    assert metrics["sharpe_ratio"] == pytest.approx(expected, rel=1e-12)


def test_the_calendar_growth_rate_uses_the_calendar():
    """21 % in two years is 10 % a year, however many bars there were."""
    metrics = compute_metrics([0.1, 0.1], periods_per_year=252, years=2.0)
    assert metrics["cagr"] == pytest.approx(0.1)
    assert compute_metrics([0.1, 0.1], periods_per_year=252)["cagr"] is None


@pytest.mark.parametrize(
    ("returns", "undefined"),
    [
        ([0.0, 0.0, 0.0], {"sharpe_ratio", "sortino_ratio", "calmar_ratio", "omega_ratio", "tail_ratio", "skewness"}),
        ([0.01, 0.01, 0.01], {"sharpe_ratio", "sortino_ratio", "calmar_ratio", "omega_ratio", "kurtosis"}),
        ([0.1, -1.5, 0.0], {"cagr_periods", "calmar_ratio"}),
        ([0.02], {"volatility", "sharpe_ratio"}),
    ],
)
def test_an_undefined_metric_is_none_with_a_reason(returns, undefined):
    """No infinity and no NaN: None, and why."""
    metrics = compute_metrics(returns, periods_per_year=252, years=1.0, trade_pnl=[], trade_returns=[])
    for name in undefined:
        assert metrics[name] is None
        assert metrics.reasons[name]
    assert set(metrics.reasons) == {name for name, value in metrics.items() if value is None}
    assert all(math.isfinite(value) for value in metrics.values() if value is not None)


def test_only_winning_trades_leave_the_profit_factor_undefined():
    """There is no loss to divide by; a trade of zero profit counts in the win rate's denominator."""
    metrics = compute_metrics([0.0, 0.01], periods_per_year=252, trade_pnl=[10.0, 20.0, 0.0])
    assert metrics["profit_factor"] is None
    assert metrics.reasons["profit_factor"] == "no trade lost"
    assert metrics["win_rate"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("returns", [[], [0.1, math.nan], [math.inf]])
def test_returns_that_are_no_numbers_are_refused(returns):
    """Empty, NaN and infinite returns are errors, not metrics."""
    with pytest.raises(BacktestError, match=r"returns(\[\d\] is (nan|inf)| is empty)"):
        compute_metrics(returns, periods_per_year=252)
