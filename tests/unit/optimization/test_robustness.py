"""What a request may ask for beyond the search switches real work."""

from __future__ import annotations

import pytest

import stratopt
from stratopt.optimization.strategy_optimizer import optimize_strategy
from stratopt.strategies.catalogue import get_strategy


@pytest.fixture(scope="module")
def results(world):
    bars, others = stratopt.load_bars("BTC"), [stratopt.load_bars(s) for s in ("ETH", "LTC")]
    full = world.spec_of("MACD", monte_carlo_runs=30, regime_analysis=True, cross_asset_validation=True)
    bare = world.spec_of("MACD", statistical_tests=False)
    return [optimize_strategy(spec, bars, get_strategy("MACD"), other_bars=others) for spec in (full, bare)]


def test_nothing_is_done_that_was_not_asked_for(results):
    """Switched off parts are None, and no trial matrix is kept."""
    parts = {"monte_carlo", "regimes", "cross_asset", "random_entries", "permutation", "combinatorial"}
    assert results[1].result["robustness"] == dict.fromkeys(parts)
    assert "trial_blocks" not in results[1].tables
    assert "trials" not in results[1].result["evidence"]


def test_monte_carlo_runs_as_often_as_asked(results):
    """Quantiles in order, of returns, trades, periods and noisy prices."""
    found = results[0].result["robustness"]["monte_carlo"]
    assert found["returns"]["runs"] == found["trades"]["runs"] == found["random_periods"]["runs"] == 30
    for part, name in (("returns", "sharpe_ratio"), ("trades", "max_drawdown"), ("random_periods", "sharpe_ratio")):
        assert found[part][name]["p05"] <= found[part][name]["p50"] <= found[part][name]["p95"]
    assert [noise["scale"] for noise in found["price_noise"]] == [0.05, 0.1, 0.2]


def test_regimes_divide_the_out_of_sample_bars(results):
    """Every labelled bar is in one regime of each kind."""
    found, bars = results[0].result["robustness"]["regimes"], results[0].result["out_of_sample"]["bars"]
    for kind in ("trend", "volatility"):
        assert sum(r["bars"] for r in found[kind]["regimes"]) == bars


def test_other_assets_are_tried_with_the_same_parameters(results):
    """Each with its own result, and what they are worth together."""
    found = results[0].result["robustness"]["cross_asset"]
    assert [row["symbol"] for row in found["series"]] == ["ETHUSD", "LTCUSD"]
    assert found["assets"] == 2
    assert 1.0 <= found["independent_assets"] <= 2.0


def test_dearer_trading_earns_less(results):
    """The ratio falls with the costs, and break-even lies where it ends."""
    costs = results[0].result["evidence"]["costs"]
    assert costs["sharpe_at"]["1x"] > costs["sharpe_at"]["2x"] > costs["sharpe_at"]["3x"]
    assert costs["break_even_multiple"] is None or costs["break_even_multiple"] > 0


def test_bucket_sums_add_up_to_the_returns_of_the_account(results):
    """Nothing is lost on the calendar grid, and the wealth at the end is that of the account."""
    found = results[0]
    table = found.tables["buckets"]
    total = found.result["out_of_sample"]["metrics"]["total_return"]
    wealth = table["oos_wealth"][-1]
    assert wealth - 1.0 == pytest.approx(total, rel=1e-9)
    assert sum(table["periods"]) >= found.result["out_of_sample"]["bars"]


def test_the_best_trial_of_the_matrix_is_the_final_account(results):
    """Its bucket sums are those of the backtest that the result shows in sample."""
    found = results[0]
    best = max(range(12), key=lambda k: found.tables["trials"]["score"][-12 + k] or -9)
    rows = found.tables["trial_blocks"]
    assert list(rows["number"]) == [*range(12), *[-1] * 12]  # as many points of the folds that no search chose
    shown = rows["returns"][best].values.to_numpy() if hasattr(rows["returns"][best], "values") else None
    assert shown is not None
    mean = found.result["in_sample"]["metrics"]["sharpe_ratio"]
    assert (shown.sum() > 0) == (mean > 0)
