"""A sweep gives what bar-by-bar simulation gives: trades and money to the last digit, ratios to rounding."""

import itertools

import numpy as np
import pytest

from stratopt.backtest.costs import Costs
from stratopt.backtest.engine import backtest
from stratopt.backtest.execution import Execution
from stratopt.backtest.scorer import SCORE_NAMES, Scorer, stop_atr
from stratopt.backtest.sweep import sweep
from stratopt.backtest.window import evaluation_window
from stratopt.errors import BacktestError, ParameterSpaceError
from stratopt.kernels import engine_codes as k
from stratopt.kernels.changes import padded_rows
from stratopt.kernels.scoring import score
from stratopt.market.bars import Bars
from stratopt.search.parameters import IntRange
from stratopt.strategies.catalogue import BUILT_IN
from stratopt.strategies.own import strategy

EXACT = (
    "trade_count",
    "open_trade_count",
    "exposure",
    "skipped_orders",
    "fees_paid",
    "final_equity",
    "turnover",
    "win_rate",
)


def random_bars(rng, count=None):
    """Random bars of a day, an hour or four hours, some of them without any movement."""
    count = count or int(rng.integers(20, 700))
    timeframe, step = [("1d", 86_400_000), ("1h", 3_600_000), ("4h", 14_400_000)][int(rng.integers(3))]
    moves = rng.normal(0, rng.choice([0.002, 0.02]), count) * (rng.random(count) < 0.9)
    close = 100 * np.exp(np.cumsum(moves))
    open_ = close * np.exp(rng.normal(0, 0.003, count))
    return Bars.from_arrays(
        symbol="ANY",
        timeframe=timeframe,
        open_time=np.cumsum(rng.choice([1, 1, 1, 5], count)) * step,
        open=open_,
        high=np.maximum(open_, close) * 1.004,
        low=np.minimum(open_, close) * 0.996,
        close=close,
        volume=rng.random(count) * 100 + 1,
    )


def random_execution(rng):
    """Any rules: fills, sizes, stops of every kind, time limits, leverage."""
    pick = lambda *options: options[int(rng.integers(len(options)))]  # noqa: E731
    fill, stop = pick("next_open", "same_close"), pick(None, None, 0.01, 0.05)
    sizing = pick("all_in", "all_in", "all_in", "fixed_units", "volatility_target", "risk_per_stop")
    if sizing == "risk_per_stop" and stop is None:
        stop = 0.02
    sizes = {"all_in": pick(1.0, 1.0, 0.5), "fixed_units": 20.0, "volatility_target": 0.2, "risk_per_stop": 0.01}
    return Execution(
        fill=fill,
        sizing=sizing,
        size=sizes[sizing],
        lot=pick(0.0, 0.0, 1.0),
        initial_cash=10_000.0,
        stop_loss_pct=stop,
        take_profit_atr=pick(None, None, 2.0),
        trailing_stop_pct=pick(None, None, 0.02),
        max_holding_bars=pick(None, None, 7),
        reentry=pick("next_bar", "next_bar", "follow_target", "same_bar"),
        final=pick("mark", "close", "last_open"),
        direction=pick(None, "long_only", "short_only"),
        stop_ref=pick("fill", "signal_close"),
        leverage=pick(1.0, 1.0, 1.0, 3.0),
        stop_atr_period=5,
    )


def bar_by_bar(bars, target, costs, execution, start, stop, blocks):
    """Scores of the engine that visits every bar."""
    window = evaluation_window(bars, start, stop)
    values, sums, size = np.empty(len(SCORE_NAMES)), np.empty((3, blocks)), len(window)
    score(
        bars.matrix,
        target,
        window.start,
        window.stop,
        execution.settings(costs, bars.periods_per_year),
        stop_atr(bars, execution),
        window.period_ends,
        window.periods_per_year,
        window.years,
        np.empty(k.ACCOUNT),
        np.empty(size),
        np.empty(window.period_ends.size),
        np.empty(size),
        np.empty((0, k.TRADE_COLUMNS)),
        sums,
        values,
    )
    return values, sums


def assert_equal_scores(found, values, sums):
    """Counts and money to the last digit; ratios to 1e-12, relative and absolute."""
    for name in EXACT:
        position = SCORE_NAMES.index(name)
        assert (
            found.values[position] == values[position] or np.isnan([found.values[position], values[position]]).all()
        ), name
    np.testing.assert_allclose(found.values, values, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(found.blocks[0], sums[0])
    np.testing.assert_allclose(found.blocks[1:], sums[1:], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("seed", range(150))
def test_random_targets_under_any_rules(seed):
    """Random targets, rules, costs and windows: every score and every block equals the bar-by-bar engine's."""
    rng = np.random.default_rng(seed)
    bars, execution = random_bars(rng), random_execution(rng)
    costs = Costs(
        fee_bps=float(rng.choice([0, 10, 100])),
        fixed_fee=float(rng.choice([0.0, 0.0, 1.0])),
        borrow_rate=float(rng.choice([0.0, 0.0, 0.05])),
    )
    start = int(rng.integers(0, len(bars) // 2))
    stop = int(rng.integers(start + 8, len(bars) + 1))
    blocks = int(min(rng.integers(1, 9), evaluation_window(bars, start, stop).period_ends.size))
    rows, _ = padded_rows(6, len(bars))
    for row in range(6):
        moves = rng.random(len(bars)) < rng.choice([0.0, 0.03, 0.3, 1.0])
        held = np.maximum.accumulate(np.where(moves, np.arange(len(bars)), 0))
        rows[row, : len(bars)] = rng.choice([-1, 0, 1], len(bars))[held]
    scorer = Scorer(bars, costs=costs, execution=execution, start=start, stop=stop, block_count=blocks)
    scores = scorer.score_rows(rows)
    for row in range(6):
        target = rows[row, : len(bars)].copy()
        assert_equal_scores(scores[row], *bar_by_bar(bars, target, costs, execution, start, stop, blocks))


@pytest.mark.parametrize("name", [s.name for s in BUILT_IN])
def test_every_strategy_swept_equals_its_backtest(name):
    """Twelve random points of every strategy: a sweep gives the backtest's metrics."""
    found = next(s for s in BUILT_IN if s.name == name)
    rng = np.random.default_rng(len(name))
    bars = random_bars(rng, 500)
    points = [found.space.defaults()]
    grid = list(itertools.islice(found.space.grid(points_per_range=3), 400))
    points += [grid[i] for i in rng.choice(len(grid), min(11, len(grid)), replace=False)]
    execution = Execution(direction="long_short", stop_loss_pct=0.03)
    result = sweep(bars, found, points, execution=execution, start=50)
    for row, point in enumerate(points):
        metrics = backtest(bars, found, point, execution=execution, start=50).metrics
        for metric, value in result.scores[row].metrics.items():
            expected = metrics[metric]
            assert value == (expected if expected is None else pytest.approx(expected, rel=1e-12, abs=1e-12)), metric


@pytest.mark.parametrize("direction", ["long_only", "short_only", "long_short"])
def test_crossings_from_shared_lines_equal_the_signal_function(direction):
    """Averages computed once per period and kind give the scores of one signal call a row, ties and flat prices included."""
    rng = np.random.default_rng(5)
    bars = random_bars(rng, 300)
    axes = {"fast_period": range(2, 9), "slow_period": range(3, 40, 4), "ma_type": ["sma", "ema", "wma", "hma"]}
    execution = Execution(direction=direction)
    result = sweep(bars, "MovingAverageCrossover", axes, execution=execution, start=30)
    points = [result.params(row) for row in range(len(result))]
    listed = sweep(bars, "MovingAverageCrossover", points, execution=execution, start=30)
    assert len(result) == len(listed) > 200
    assert result.scores.values.tobytes() == listed.scores.values.tobytes()
    assert result.scores.blocks.tobytes() == listed.scores.blocks.tobytes()


def test_a_plain_python_strategy_is_swept_too():
    """A rule in plain Python gives the scores of its backtests."""

    @strategy(space={"period": IntRange(2, 50, default=10)})
    def higher_close(bars, params):
        """Long above the close of some bars ago."""
        target = np.zeros(len(bars), dtype=int)
        target[params["period"] :] = bars.close[params["period"] :] > bars.close[: -params["period"]]
        return target

    bars = random_bars(np.random.default_rng(1), 200)
    result = sweep(bars, higher_close, {"period": [3, 20]})
    for row, period in enumerate([3, 20]):
        expected = backtest(bars, higher_close, {"period": period}).metrics["total_return"]
        assert result.scores[row]["total_return"] == pytest.approx(expected, rel=1e-12)


def test_a_sweep_is_read_as_frame_heatmap_and_best():
    """Frame, heat map and best agree with the scores; combinations against a relation are counted, not run."""
    bars = random_bars(np.random.default_rng(2), 400)
    result = sweep(bars, "MovingAverageCrossover", {"fast_period": [5, 10], "slow_period": [10, 20, 40]})
    frame = result.frame()
    assert (len(result), result.left_out, len(frame)) == (5, 1, 5)
    best = frame.loc[frame["sharpe_ratio"].idxmax()]
    assert result.best() == {"fast_period": best["fast_period"], "slow_period": best["slow_period"], "ma_type": "sma"}
    heatmap = result.heatmap("fast_period", "slow_period", "total_return")
    assert heatmap.shape == (3, 2)
    assert np.isnan(heatmap.loc[10, 10])
    assert heatmap.loc[20, 5] == frame.query("fast_period == 5 and slow_period == 20")["total_return"].item()


@pytest.mark.parametrize(
    ("axes", "error"),
    [
        ({"nothing": [1]}, ParameterSpaceError),
        ({"fast_period": []}, ParameterSpaceError),
        ({"fast_period": [1]}, ParameterSpaceError),
        ({"fast_period": [30], "slow_period": [20]}, ParameterSpaceError),
        ([], BacktestError),
    ],
)
def test_a_sweep_refuses_what_it_cannot_run(axes, error):
    """Unknown names, empty axes, values out of their domain and empty grids are errors."""
    with pytest.raises(error):
        sweep(random_bars(np.random.default_rng(3), 100), "MovingAverageCrossover", axes)
