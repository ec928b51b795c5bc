"""What a result shows: series on the bars' stamps, a trades frame, JSON, a picture."""

import json
import math
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from stratopt.backtest.axis import date_ticks, round_ticks, short_number
from stratopt.backtest.costs import Costs
from stratopt.backtest.engine import backtest, backtest_signals, warm_up
from stratopt.backtest.execution import Execution
from stratopt.backtest.plot import visible_positions
from stratopt.errors import ParameterSpaceError
from stratopt.kernels.arrays import CLOSE, LONG_ONLY
from stratopt.market.bars import Bars
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import IntRange
from stratopt.strategies.base import Category, Strategy


@pytest.fixture(scope="module")
def bars():
    """2,000 random daily bars."""
    rng = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0003, 0.01, 2_000)))
    return Bars.from_arrays(
        symbol="<A&B>",
        timeframe="1d",
        open_time=np.arange(2_000) * 86_400_000 + 1_000_000_000_000 // 86_400_000 * 86_400_000,
        open=close,
        high=close * 1.01,
        low=close * 0.99,
        close=close,
        calendar="XNYS",
    )


@pytest.fixture(scope="module")
def target(bars):
    """Long and short by turns, open at the end."""
    return np.where(np.arange(len(bars)) // 50 % 2 == 0, 1, -1).astype(np.int8)


@pytest.fixture(scope="module")
def result(bars, target):
    """A run of the window from bar 100."""
    return backtest_signals(bars, target, start=100)


def test_series_stand_on_the_stamps_of_the_window(result, bars):
    """Equity, returns and drawdown are Series on the bars' UTC stamps."""
    stamps = bars.to_frame().index[100:]
    for series in (result.equity, result.returns, result.drawdown):
        assert series.index.equals(stamps)
    assert (1 + result.returns).prod() == pytest.approx(result.equity.iloc[-1] / 1_000_000.0)
    assert result.drawdown.min() == pytest.approx(result.metrics["max_drawdown"])


def test_trades_are_a_frame_with_times_and_a_flag(result, bars):
    """Times belong to the bars named, only the last trade is open, and only it has no exit time."""
    trades = result.trades
    assert list(trades["open"]) == [False] * (len(trades) - 1) + [True]
    assert trades["open"].dtype == bool
    assert trades["exit_time"].isna().equals(trades["open"])
    first = trades.iloc[0]
    assert first.entry_time == bars.to_frame().index[first.entry_bar]
    assert first.bars_held == first.exit_bar - first.entry_bar
    assert first.return_ == pytest.approx(first.pnl / (first["size"] * first.entry_price))


def test_the_defaults_cost_something(bars, target):
    """10 basis points of fee and 5 of slippage a side are taken unless switched off."""
    charged, free = backtest_signals(bars, target), backtest_signals(bars, target, costs=Costs.free())
    assert charged.metrics["fees_paid"] > 0
    assert free.metrics["fees_paid"] == 0
    assert charged.metrics["final_equity"] < free.metrics["final_equity"]


def test_a_run_without_trades_is_a_result(bars):
    """Nothing traded: equity stays, trade metrics are None with a reason, everything can still be shown."""
    result = backtest_signals(bars, np.zeros(len(bars), dtype=np.int8))
    assert result.metrics["total_return"] == 0
    assert result.metrics["sharpe_ratio"] is None
    assert result.metric_reasons["win_rate"] == "no trade was closed"
    assert len(result.trades) == 0
    ET.fromstring(result.plot().svg)
    assert "undefined: returns do not vary" in result._repr_html_()


def test_to_dict_is_json_without_nan(result):
    """The whole result survives strict JSON."""
    data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert data["metrics"]["trade_count"] == len(data["trades"]) - 1
    assert data["trades"][-1]["exit_time"] is None
    assert len(data["equity"]["value"]) == len(result.equity)


def test_stats_are_one_column(result):
    """Dates and every metric, undefined ones as NaN."""
    stats = result.stats
    assert stats["bars"] == 1_900
    assert stats["sharpe_ratio"] == result.metrics["sharpe_ratio"]
    assert all(name in stats.index for name in result.metrics)


def test_the_picture_is_one_legible_svg(result, tmp_path):
    """Well-formed, escaped, with both panels, dates, and a mark for each entry and exit."""
    path = result.plot().save(tmp_path / "run.svg")
    svg = path.read_text()
    root = ET.fromstring(svg)
    texts = ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any("<A&B>" in text for text in texts)
    assert any(text.startswith("Equity") for text in texts)
    assert any(text.startswith("Drawdown") for text in texts)
    assert result.index[0].strftime("%Y-%m-%d") in texts
    assert svg.count('<path class="') == len(result.trades)
    assert svg.count('<circle class="exit"') == len(result.trades) - 1
    assert len(svg) < 200_000
    assert result.plot()._repr_svg_() == svg


def test_a_thinned_line_keeps_every_extreme():
    """Of 100,000 values 1,600 remain, the highest and the lowest among them."""
    values = np.random.default_rng(0).normal(size=100_000)
    kept = visible_positions(values)
    assert kept.size <= 1_602
    assert {0, 99_999, int(values.argmax()), int(values.argmin())} <= set(kept.tolist())


@pytest.mark.parametrize(("low", "high"), [(0.0, 9.0), (-0.31, 0.0), (999_000.0, 1_001_000.0), (1e-6, 3e-6)])
def test_ticks_are_few_round_and_inside(low, high):
    """Two to eight ticks, all within the range."""
    ticks = round_ticks(low, high, 5)
    assert 2 <= len(ticks) <= 8
    assert low - 1e-9 * high <= ticks[0] < ticks[-1] <= high + 1e-9 * abs(high)


def test_labels():
    """Numbers are short; a short range of dates shows the time."""
    assert [short_number(v) for v in (0.5, 1_000.0, 2_500_000.0, -3e9)] == ["0.5", "1k", "2.5M", "-3B"]
    hours = pd.date_range("2024-01-01", periods=5, freq="h", tz="UTC")
    assert date_ticks(hours, 3) == [(0, "2024-01-01 00:00"), (2, "2024-01-01 02:00"), (4, "2024-01-01 04:00")]


def above_mean(bars, params, out):
    """Long above the mean of the last closes, short below it where shorts are allowed."""
    period = int(params[0])
    for i in range(out.size):
        out[i] = 0
        if i >= period - 1:
            mean = bars[CLOSE, i - period + 1 : i + 1].mean()
            out[i] = 1 if bars[CLOSE, i] > mean else (0 if params[-1] == LONG_ONLY else -1)


def python_above_mean(bars, params):
    """The same for long only, in plain Python."""
    close = pd.Series(bars.close)
    return (close > close.rolling(params["period"]).mean()).astype(int).to_numpy()


def strategy(signal, compiled):
    """A strategy around a signal function."""
    return Strategy(
        name="AboveMean",
        category=Category.CUSTOM,
        doc="Long above the mean.",
        source="this test",
        space=ParameterSpace({"period": IntRange(2, 50, default=20)}),
        signal=signal,
        warmup=lambda params: params["period"] - 1,
        compiled=compiled,
    )


def test_a_strategy_is_long_only_unless_told_otherwise(bars):
    """Sides come from the execution; a compiled and a plain Python strategy trade alike."""
    compiled = backtest(bars, strategy(above_mean, compiled=True), {"period": 10})
    python = backtest(bars, strategy(python_above_mean, compiled=False), {"period": 10})
    both = backtest(bars, strategy(above_mean, compiled=True), execution=Execution(direction="long_short"))
    assert compiled.equity_values.tobytes() == python.equity_values.tobytes()
    assert set(compiled.trades["side"]) == {1}
    assert set(both.trades["side"]) == {1, -1}


def test_a_parameter_out_of_its_domain_is_refused(bars):
    """The strategy's space checks what a caller passes."""
    with pytest.raises(ParameterSpaceError, match="period"):
        backtest(bars, strategy(above_mean, compiled=True), {"period": 0.5})


def test_warming_up_needs_nothing():
    """It runs the engine once on bars of its own."""
    warm_up()


def test_results_hold_no_infinity(result):
    """Every metric is finite or None."""
    assert all(value is None or math.isfinite(value) for value in result.metrics.values())
