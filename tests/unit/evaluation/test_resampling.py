"""Monte Carlo, altered prices, random timing: what they keep and what they change."""

from __future__ import annotations

import numpy as np
import pytest

import stratopt
from stratopt.evaluation.altered_prices import noisy_bars, permuted_bars
from stratopt.evaluation.random_timing import circular_shift_test, random_entry_test
from stratopt.evaluation.resampling import bootstrap_returns, bootstrap_trades, random_periods
from stratopt.kernels.arrays import CLOSE, HIGH, LOW, OPEN
from stratopt.market.bars import Bars

RNG = np.random.default_rng(4)
RETURNS = RNG.standard_normal(800) * 0.01 + 0.0006


def test_bootstrap_intervals_hold_the_estimate_and_shrink_with_length():
    """The median is near the estimate; four times the data give half the width."""
    found = bootstrap_returns(RETURNS, periods_per_year=252, runs=800, seed=1)
    sharpe = RETURNS.mean() / RETURNS.std(ddof=1) * np.sqrt(252)
    assert found["sharpe_ratio"]["p50"] == pytest.approx(sharpe, abs=0.15)
    longer = bootstrap_returns(np.tile(RETURNS, 4), periods_per_year=252, runs=800, seed=1, mean_block=5.0)
    shorter = bootstrap_returns(RETURNS, periods_per_year=252, runs=800, seed=1, mean_block=5.0)
    widths = [f["sharpe_ratio"]["p95"] - f["sharpe_ratio"]["p05"] for f in (shorter, longer)]
    assert widths[1] / widths[0] == pytest.approx(0.5, abs=0.08)
    assert found["max_drawdown"]["p05"] <= found["max_drawdown"]["p95"] <= 0.0


def test_bootstrap_of_trades_moves_the_sum_too():
    """Drawing with replacement gives an interval of the expectancy."""
    trades = RNG.standard_normal(60) * 0.03 + 0.005
    found = bootstrap_trades(trades, runs=2000, seed=2)
    assert found["expectancy_pct"]["p05"] < trades.mean() < found["expectancy_pct"]["p95"]
    assert found["expectancy_pct"]["p50"] == pytest.approx(trades.mean(), abs=0.001)


def test_random_periods_equal_windows_one_by_one():
    """The fast sums against each window's own ratio and product."""
    found = random_periods(RETURNS, periods_per_year=252, length=100, runs=50, seed=3)
    starts = np.random.default_rng(3).integers(0, 701, size=50)
    windows = [RETURNS[s : s + 100] for s in starts]
    sharpe = [w.mean() / w.std(ddof=1) * np.sqrt(252) for w in windows]
    assert found["sharpe_ratio"]["p50"] == pytest.approx(np.median(sharpe), rel=1e-9)
    assert found["loss_share"] == np.mean([np.prod(1 + w) < 1 for w in windows])
    assert found["independent_windows"] == 8.0


@pytest.mark.parametrize("make", [lambda m: noisy_bars(m, 0.2, 1), lambda m: permuted_bars(m, 1)])
def test_altered_bars_are_bars(make):
    """High and low bound open and close, prices are positive, volume and stamps stay."""
    bars = stratopt.load_bars("AAPL")
    made = make(bars.matrix)
    Bars.from_matrix("ALTERED", bars.timeframe, bars.calendar, made, "")
    assert (made[4:] == bars.matrix[4:]).all()
    assert not np.allclose(made[CLOSE], bars.close)


def test_a_permutation_keeps_ends_and_moments():
    """The same first open and last close, the same multiset of bodies; another order."""
    bars = stratopt.load_bars("AAPL").matrix
    made = permuted_bars(bars, seed=5)
    assert made[OPEN, 0] == pytest.approx(bars[OPEN, 0])
    assert made[CLOSE, -1] == pytest.approx(bars[CLOSE, -1])
    for row in (HIGH, LOW, CLOSE):
        assert np.sort(np.log(made[row] / made[OPEN])) == pytest.approx(
            np.sort(np.log(bars[row] / bars[OPEN])), abs=1e-9
        )


def test_no_noise_changes_nothing():
    """Scale 0 gives the bars back."""
    bars = stratopt.load_bars("AAPL").matrix
    assert noisy_bars(bars, 0.0, 1)[:4] == pytest.approx(bars[:4], rel=1e-9)


def test_circular_shifts_by_fft_equal_shifts_by_hand():
    """Every shift of the positions, the observed one counted once."""
    held, returns = RNG.integers(0, 2, 120).astype(float), RNG.standard_normal(120) * 0.01
    found = circular_shift_test(held, returns)
    others = [np.mean(np.roll(held, k) * returns) for k in range(1, 120)]
    assert found.p_value == pytest.approx((1 + sum(o >= found.observed for o in others)) / 120)
    assert found.mean_of_random == pytest.approx(np.mean(others), rel=1e-6)


def test_perfect_timing_is_noticed_and_constant_positions_are_not():
    """Only timing counts, not exposure."""
    returns = RNG.standard_normal(500) * 0.01 + 0.001
    assert circular_shift_test((returns > 0).astype(float), returns).p_value == pytest.approx(1 / 500)
    assert circular_shift_test(np.ones(500), returns).p_value == 1.0


def test_random_entries_keep_number_and_length():
    """Long trades in a rising asset earn their share of the drift wherever they stand."""
    returns = np.full(400, 0.001)
    found = random_entry_test([10, 20, 30], [1, 1, 1], returns, observed=0.001 * 60 / 400, runs=50, seed=1)
    assert found.mean_of_random == pytest.approx(0.001 * 60 / 400)
    assert found.p_value == 1.0
