"""What holds for every run of the engine, whatever the bars, targets and options."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratopt.backtest.costs import Costs
from stratopt.backtest.engine import backtest_signals
from stratopt.backtest.execution import Execution
from stratopt.market.bars import Bars

COUNT = 40
DAY = 86_400_000


def bars_from(seed, scale):
    """Random daily bars."""
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, scale, COUNT)))
    open_ = close * np.exp(rng.normal(0, scale, COUNT))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, scale, COUNT)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, scale, COUNT)))
    return Bars.from_arrays(
        symbol="ANY", timeframe="1d", open_time=np.arange(COUNT) * DAY, open=open_, high=high, low=low, close=close
    )


bar_series = st.builds(bars_from, st.integers(0, 10_000), st.sampled_from([0.003, 0.02, 0.1]))
targets = st.lists(st.sampled_from([-1, 0, 1]), min_size=COUNT, max_size=COUNT).map(
    lambda t: np.array(t, dtype=np.int8)
)
costs = st.builds(
    Costs,
    fee_bps=st.sampled_from([0.0, 10.0, 100.0]),
    slippage_bps=st.sampled_from([0.0, 5.0]),
    fixed_fee=st.sampled_from([0.0, 2.0]),
    borrow_rate=st.sampled_from([0.0, 0.1]),
)
fraction = st.one_of(st.none(), st.sampled_from([0.01, 0.05, 0.2]))
executions = st.builds(
    Execution,
    fill=st.sampled_from(["next_open", "same_close"]),
    lot=st.sampled_from([0.0, 1.0]),
    initial_cash=st.sampled_from([1_000.0, 1e6]),
    reentry=st.sampled_from(["next_bar", "same_bar", "follow_target"]),
    final=st.sampled_from(["mark", "close", "last_open"]),
    stop_loss_pct=fraction,
    take_profit_pct=fraction,
    trailing_stop_pct=fraction,
    max_holding_bars=st.one_of(st.none(), st.integers(1, 5)),
    leverage=st.sampled_from([1.0, 2.0]),
)
CALM = settings(max_examples=150, deadline=None)


@CALM
@given(bar_series, targets, costs, executions)
def test_equity_is_cash_plus_position_at_every_close(bars, target, cost, execution):
    """Cash flows added up from the listed trades, plus what is held at the close, give the equity of every bar."""
    result = backtest_signals(bars, target, costs=cost, execution=execution)
    cash, held = np.full(COUNT, execution.initial_cash), np.zeros(COUNT)
    last_bar = len(bars) - 1
    for t in result.trades.itertuples():
        signed = t.side * t.size
        exit_fee = 0.0
        if not t.open:
            exit_fee = max(cost.fee_bps / 1e4 * t.size * t.exit_price + cost.fixed_fee, cost.minimum_fee)
            cash[t.exit_bar :] += signed * t.exit_price - exit_fee
            held[t.exit_bar :] -= signed
        cash[t.entry_bar :] -= signed * t.entry_price + t.fees - exit_fee
        held[t.entry_bar :] += signed
    expected = cash + held * bars.close
    difference = np.asarray(result.equity) - expected
    borrowed = result.trades["borrow_cost"].sum()
    assert difference[last_bar] == pytest.approx(-borrowed, abs=1e-6 * execution.initial_cash)
    if borrowed == 0:
        np.testing.assert_allclose(difference, 0, atol=1e-9 * execution.initial_cash)
    else:
        assert (np.diff(difference) < 1e-9 * execution.initial_cash).all()


@CALM
@given(bar_series, targets, costs, executions)
def test_profits_add_up_to_the_change_of_equity(bars, target, cost, execution):
    """The net profits of all trades, the open one at its mark, are what the account gained."""
    result = backtest_signals(bars, target, costs=cost, execution=execution)
    gained = result.equity.iloc[-1] - execution.initial_cash
    assert result.trades["pnl"].sum() == pytest.approx(gained, rel=1e-9, abs=1e-7 * execution.initial_cash)


@CALM
@given(bar_series, targets, costs, executions, st.integers(0, COUNT - 2), st.randoms(use_true_random=False))
def test_later_bars_never_change_earlier_equity(bars, target, cost, execution, bar, random):
    """Bars and targets after bar i in another order leave equity up to i as it was."""
    order = list(range(bar + 1, COUNT))
    random.shuffle(order)
    matrix = bars.matrix.copy()
    matrix[:5, bar + 1 :] = matrix[:5, order]
    other_target = target.copy()
    other_target[bar + 1 :] = target[order]
    other = Bars(bars.symbol, bars.timeframe, bars.calendar, matrix)
    before = backtest_signals(bars, target, costs=cost, execution=execution).equity.to_numpy()
    after = backtest_signals(other, other_target, costs=cost, execution=execution).equity.to_numpy()
    assert (before[: bar + 1] == after[: bar + 1]).all()


@CALM
@given(bar_series, targets, costs, executions)
def test_a_window_of_all_bars_is_the_whole(bars, target, cost, execution):
    """Bars before the window change nothing but the target that is acted on first."""
    whole = backtest_signals(bars, target, costs=cost, execution=execution, start=10)
    cut = backtest_signals(
        bars[9:], np.concatenate([target[9:10], target[10:]]), costs=cost, execution=execution, start=1
    )
    np.testing.assert_array_equal(whole.equity_values, cut.equity_values)
