"""The compiled scores equal the readable metrics, and block sums rebuild the whole."""

import math

import numpy as np
import pytest

from stratopt.backtest.costs import Costs
from stratopt.backtest.engine import backtest_signals
from stratopt.backtest.execution import Execution
from stratopt.backtest.metrics import compute_metrics
from stratopt.backtest.scorer import Scorer
from stratopt.kernels.scoring import BLOCK_COUNT, BLOCK_SUM, BLOCK_SUM_OF_SQUARES, SCORE_NAMES
from stratopt.market.bars import Bars


def random_case(seed):
    """Random bars of a random timeframe and calendar, a target, options and a window."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(60, 400))
    timeframe, step = [("1d", 86_400_000), ("1h", 3_600_000), ("4h", 14_400_000), ("1w", 604_800_000)][seed % 4]
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, count)))
    open_ = close * np.exp(rng.normal(0, 0.003, count))
    bars = Bars.from_arrays(
        symbol="ANY",
        timeframe=timeframe,
        open_time=np.cumsum(rng.choice([1, 1, 1, 5], count)) * step,
        open=open_,
        high=np.maximum(open_, close) * 1.004,
        low=np.minimum(open_, close) * 0.996,
        close=close,
        calendar=str(rng.choice(["XNYS", "24/5", "24/7"])),
    )
    changes = rng.random(count) < rng.choice([0.0, 0.02, 0.2])
    target = np.where(changes, rng.choice([-1, 0, 1], count), 0).astype(np.int8)
    execution = Execution(
        fill=str(rng.choice(["next_open", "same_close"])),
        stop_loss_pct=None if rng.random() < 0.5 else 0.01,
        lot=float(rng.choice([0.0, 1.0])),
        initial_cash=1e4,
    )
    start = int(rng.integers(0, 30))
    return bars, target, Costs(fee_bps=float(rng.choice([0.0, 10.0]))), execution, start


@pytest.mark.parametrize("seed", range(60))
def test_every_score_equals_the_metric_of_its_name(seed):
    """To 1e-12 relative (of wealth for returns), undefined exactly where the metric is."""
    bars, target, costs, execution, start = random_case(seed)
    result = backtest_signals(bars, target, costs=costs, execution=execution, start=start)
    score = Scorer(bars, costs=costs, execution=execution, start=start, block_count=2).score(target)
    for name in SCORE_NAMES:
        expected = result.metrics[name]
        if expected is None:
            assert math.isnan(score[name]), name
        else:
            assert score[name] == pytest.approx(expected, rel=1e-12, abs=2e-13), name
    assert score.metrics["trade_count"] == result.metrics["trade_count"]


@pytest.mark.parametrize("blocks", [1, 2, 7, 16])
def test_block_sums_rebuild_the_sharpe_ratio(blocks):
    """Sums over blocks give number, mean and deviation of all returns; the cuts are b * m // S."""
    bars, target, costs, execution, _ = random_case(4)
    scorer = Scorer(bars, costs=costs, execution=execution, block_count=blocks)
    score = scorer.score(target)
    returns = backtest_signals(bars, target, costs=costs, execution=execution).returns.to_numpy()
    edges = [b * len(returns) // blocks for b in range(blocks + 1)]
    for b in range(blocks):
        part = returns[edges[b] : edges[b + 1]]
        expected = [len(part), part.sum(), (part**2).sum()]
        np.testing.assert_allclose(score.blocks[:, b], expected, rtol=1e-12, atol=1e-15)
    count, total, squares = (score.blocks[row].sum() for row in (BLOCK_COUNT, BLOCK_SUM, BLOCK_SUM_OF_SQUARES))
    deviation = math.sqrt((squares - total**2 / count) / (count - 1))
    sharpe = total / count / deviation * math.sqrt(scorer.window.periods_per_year)
    assert score["sharpe_ratio"] == pytest.approx(sharpe, rel=1e-9)


def test_a_scorer_forgets_the_target_before():
    """The same target gives the same bytes after another one was scored in between."""
    bars, target, costs, execution, _ = random_case(8)
    scorer = Scorer(bars, costs=costs, execution=execution)
    first = scorer.score(target)
    scorer.score(-target)
    again = scorer.score(target)
    assert first.values.tobytes() == again.values.tobytes()
    assert first.blocks.tobytes() == again.blocks.tobytes()


def test_ratios_of_hourly_bars_are_those_of_daily_equity():
    """The last equity of each UTC day, annualised with the calendar's sessions, as an outsider would compute it."""
    bars, target, costs, execution, _ = random_case(17)
    assert str(bars.timeframe) == "1h"
    result = backtest_signals(bars, target, costs=costs, execution=execution)
    daily = result.equity.groupby(result.equity.index.floor("D")).last()
    returns = daily / daily.shift(1, fill_value=execution.initial_cash) - 1
    outside = compute_metrics(returns.to_numpy(), periods_per_year=bars.calendar.sessions_per_year)
    for name in ("sharpe_ratio", "sortino_ratio", "volatility", "value_at_risk_95", "cagr_periods"):
        assert result.metrics[name] == pytest.approx(outside[name], rel=1e-12)
    assert result.metrics["max_drawdown"] == pytest.approx(result.drawdown.min())
