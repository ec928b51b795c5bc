"""Grids, regimes, neighbourhoods, other assets, verdicts."""

from __future__ import annotations

import math

import numpy as np
import pytest

import stratopt
from stratopt.evaluation.bootstrap import affordable_draws, common_block_length, count_chunks, stationary_counts
from stratopt.evaluation.calendar_grid import DAY_MILLISECONDS, calendar_grid, widen
from stratopt.evaluation.cost_stress import break_even_multiple
from stratopt.evaluation.cross_asset import transfer
from stratopt.evaluation.multiple_testing import step_down_p_values
from stratopt.evaluation.regimes import TRENDS, by_regime, noticeable_difference, trend_labels, volatility_labels
from stratopt.evaluation.stability import plateau
from stratopt.evaluation.verdict import Evidence, Verdict, judge
from stratopt.evaluation.winner_bias import corrected_headline


@pytest.mark.parametrize("count", [1, 300, 512, 513, 5000, 40_000])
def test_a_grid_is_bounded_and_loses_nothing(count):
    """At most 512 buckets whatever the bars; sums over buckets are the sum over periods."""
    stamps = np.sort(np.random.default_rng(count).choice(count * 3, count, replace=False)) * DAY_MILLISECONDS
    grid, values = calendar_grid(stamps), np.random.default_rng(1).standard_normal(count)
    assert grid.numbers.size <= 512
    assert grid.sums(values).sum() == pytest.approx(values.sum())
    assert grid.periods.sum() == count
    assert (grid.periods > 0).all()


def test_a_fine_grid_nests_in_a_wide_one():
    """Widening by a power of two gives the grid of that width."""
    stamps = np.arange(700) * DAY_MILLISECONDS
    fine, values = calendar_grid(stamps), np.random.default_rng(2).standard_normal(700)
    wide = calendar_grid(stamps, most=100)
    numbers, sums = widen(fine.numbers, fine.sums(values), wide.days // fine.days)
    assert numbers.tolist() == wide.numbers.tolist()
    assert sums == pytest.approx(wide.sums(values))


def test_p_values_of_buckets_are_near_those_of_bars():
    """StepM on at most 512 calendar sums says what it says on bars."""
    rng, gaps = np.random.default_rng(6), []
    for _ in range(12):
        bars = rng.standard_t(5, (1058, 6)) * 0.01
        bars[:, 0] += 0.0006
        buckets = np.add.reduceat(bars, np.arange(0, 1058, 5), axis=0)
        one, other = (step_down_p_values(x, mean_block=b, draws=600, seed=1) for x, b in ((bars, 10), (buckets, 5)))
        gaps += [abs(a - b) for a, b in zip(one, other, strict=True)]
    assert np.mean(gaps) < 0.06


@pytest.mark.long
@pytest.mark.parametrize("width", [1, 6])
def test_the_error_rate_holds_on_bars_and_on_buckets(width):
    """Of 300 worthless families about 5 % are called real, bar by bar and in buckets."""
    rng, hits = np.random.default_rng(7), 0
    for k in range(300):
        bars = rng.standard_t(5, (1058, 8)) * 0.01
        values = np.add.reduceat(bars, np.arange(0, 1058, width), axis=0)
        p = step_down_p_values(values, mean_block=5 if width > 1 else 10, draws=500, seed=k)
        hits += min(p) <= 0.05
    assert 5 <= hits <= 30


@pytest.mark.parametrize("label", [trend_labels, volatility_labels])
def test_regimes_never_look_ahead(label):
    """Later bars change no label."""
    closes = stratopt.load_bars("AAPL").close
    whole = label(closes)
    for cut in (200, 500, 1500):
        assert (label(closes[:cut]) == whole[:cut]).all()


def test_a_rising_market_is_a_bull_market():
    """And a falling one a bear market."""
    noise = np.random.default_rng(3).standard_normal(300) * 0.005
    rising = trend_labels(100 * np.exp(np.cumsum(0.004 + noise)))
    falling = trend_labels(100 * np.exp(np.cumsum(-0.004 + noise)))
    assert (rising[63:] == "bull").mean() > 0.9
    assert (falling[63:] == "bear").mean() > 0.9
    assert (rising[:63] == "").all()


def test_regimes_with_too_few_bars_or_trades_have_no_ratio():
    """Insufficient is said, not computed."""
    returns = np.random.default_rng(1).standard_normal(400) * 0.01 + 0.001
    labels = np.array(["bull"] * 340 + ["bear"] * 60)
    found = by_regime(returns, labels, TRENDS, periods_per_year=252, trade_labels=["bull"] * 12 + ["bear"] * 9)
    bull, sideways, bear = found
    assert bull.enough
    assert bull.sharpe_ratio == pytest.approx(returns[:340].mean() / returns[:340].std(ddof=1) * math.sqrt(252))
    assert bull.standard_error == pytest.approx(1 / math.sqrt(340 / 252))
    assert (bear.sharpe_ratio, sideways.sharpe_ratio) == (None, None)
    assert noticeable_difference(bull, bear) is None


def test_a_plateau_and_a_spike():
    """Neighbours of the best point nearly as good, or far worse."""
    points = [{"period": p, "kind": "a"} for p in range(40)]
    hill = plateau(points, [2.0 - abs(p - 20) * 0.01 for p in range(40)])
    spike = plateau(points, [2.0 if p == 20 else 0.1 for p in range(40)])
    assert hill.ratio > 0.95
    assert not hill.is_spike
    assert spike.ratio == pytest.approx(0.05)
    assert spike.is_spike
    assert plateau(points[:5], [1.0] * 5) is None


def test_break_even_costs_by_bisection():
    """Where a falling ratio meets 0; None without profit, infinite without costs that matter."""
    assert break_even_multiple(lambda m: 1.0 - m / 7.0) == pytest.approx(7.0, abs=1e-4)
    assert break_even_multiple(lambda m: -0.1) is None
    assert break_even_multiple(lambda m: 1.0) == math.inf


def test_correlated_assets_are_little_evidence():
    """Ten coins at 0.7 are worth 1.4."""
    found = transfer([1.0] * 10, [4.0] * 10, 0.7)
    assert found.independent_assets == pytest.approx(10 / 7.3)
    assert found.standard_error == pytest.approx(1 / math.sqrt(4.0 * 10 / 7.3))
    assert transfer([None], [4.0], 0.0).assets == 0


def test_the_best_of_worthless_strategies_is_corrected_to_nothing():
    """Over many worlds without skill, form A is 0 on average and the raw headline is not."""
    found = [
        corrected_headline(
            np.random.default_rng(seed).standard_normal((500, 8)), periods_per_year=252, mean_block=5, draws=200, seed=1
        )
        for seed in range(60)
    ]
    assert np.mean([f.raw for f in found]) > 0.8
    assert np.mean([f.if_none_is_real for f in found]) == pytest.approx(0.0, abs=0.15)
    assert all(f.if_none_is_real < f.if_real < f.raw for f in found)


def test_corrected_headline_equals_the_formula():
    """A and B one draw at a time."""
    x = np.random.default_rng(9).standard_normal((200, 3)) * 0.01
    found = corrected_headline(x, periods_per_year=1, mean_block=5, draws=50, seed=3)
    s, a, b = x.mean(axis=0) / x.std(axis=0, ddof=1), [], []
    for row in stationary_counts(200, 50, 5, seed=3).astype(int):
        drawn = np.repeat(x, row, axis=0)
        ratio = drawn.mean(axis=0) / drawn.std(axis=0, ddof=1)
        a.append((ratio - s).max())
        b.append((ratio - s)[np.argmax(ratio)])
    assert found.if_none_is_real == pytest.approx(s.max() - np.mean(a), abs=1e-9)
    assert found.if_real == pytest.approx(s.max() - np.mean(b), abs=1e-9)


def test_a_long_series_is_not_charged_for_the_luck_of_short_ones():
    """Eight columns seen for a tenth of the time move three times as much; in units of their errors they do not."""
    x = np.random.default_rng(4).standard_normal((2000, 9))
    x[:, 0] += 0.4
    alone = corrected_headline(x, periods_per_year=252, mean_block=5, draws=400, seed=1)
    x[200:, 1:] = np.nan
    beside_short_ones = corrected_headline(x, periods_per_year=252, mean_block=5, draws=400, seed=1)
    assert beside_short_ones.raw == alone.raw
    assert beside_short_ones.if_none_is_real == pytest.approx(alone.if_none_is_real, abs=0.15)
    x[12:, 1:] = np.nan
    beside_dots = corrected_headline(x, periods_per_year=252, mean_block=5, draws=400, seed=1)
    assert abs(beside_dots.raw - beside_dots.if_none_is_real) < 3.0 * math.sqrt(252 / 12)


GOOD = {
    "sharpe": 1.8,
    "excess_sharpe": 1.7,
    "sharpe_at_double_costs": 1.2,
    "trades": 80,
    "periods": 1058,
    "periods_needed": 210.0,
    "step_down_p": 0.01,
    "spa_p": 0.02,
    "pbo": 0.1,
}


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Verdict.LIKELY_REAL),
        ({"step_down_p": 0.06}, Verdict.UNPROVEN),
        ({"spa_p": 0.06}, Verdict.UNPROVEN),
        ({"spa_p": None}, Verdict.UNPROVEN),
        ({"trades": 29}, Verdict.UNPROVEN),
        ({"periods_needed": 1059.0}, Verdict.UNPROVEN),
        ({"sharpe_at_double_costs": 0.0}, Verdict.UNPROVEN),
        ({"spa_p": 0.51}, Verdict.LIKELY_LUCK),
        ({"step_down_p": 0.3, "pbo": 0.5}, Verdict.LIKELY_LUCK),
        ({"sharpe": -0.1, "step_down_p": 0.9}, Verdict.LIKELY_LUCK),
    ],
)
def test_the_rule_of_the_verdict(change, verdict):
    """Every condition alone is enough to lose "likely real"; the reasons say which."""
    found = judge(Evidence(**{**GOOD, **change}), trials=400, strategies=8, years=4.2)
    assert found.verdict is verdict
    assert found.reasons
    assert found.sharpe_needed == pytest.approx(1.63, abs=0.02)


def test_few_columns_get_many_draws():
    """20,000 draws of eight accounts, 1,000 of 24,000 trials; the p-values of two seeds then differ by less than 0.02."""
    assert affordable_draws(186, 8) == 20_000
    assert affordable_draws(512, 24_000) == 1000
    assert 1000 < affordable_draws(512, 3000) < 20_000
    returns = np.random.default_rng(5).standard_normal((186, 8)) + 0.05
    one, other = (step_down_p_values(returns, mean_block=1.5, draws=20_000, seed=seed) for seed in (1, 2))
    assert max(abs(a - b) for a, b in zip(one, other, strict=True)) < 0.02


def test_draws_in_pieces_are_draws():
    """2,500 of them come in three pieces; every one holds as many periods as there are, and each period equally often."""
    pieces = list(count_chunks(50, 2500, 3.0, seed=1))
    assert [len(piece) for piece in pieces] == [1000, 1000, 500]
    counts = np.concatenate(pieces)
    assert (counts.sum(axis=1) == 50).all()
    assert np.abs(counts.mean(axis=0) - 1.0).max() < 0.15


def test_the_shortest_block_is_that_of_the_caller():
    """White noise needs no blocks: the floor decides, and it is never below one row."""
    noise = np.random.default_rng(6).standard_normal((300, 5))
    assert common_block_length(noise) == 5.0
    assert common_block_length(noise, shortest=0.2) < 5.0
    assert common_block_length(np.empty((300, 0)), shortest=0.2) == 1.0
