"""Bars made by hand, small enough to check on paper: one rule of the engine each."""

import numpy as np
import pytest

from stratopt.backtest.costs import Costs
from stratopt.backtest.engine import backtest_signals
from stratopt.backtest.execution import Execution
from stratopt.market.bars import Bars

FREE = Costs(fee_bps=0.0, slippage_bps=0.0)
DAY = 86_400_000


def bars_of(*rows):
    """Daily bars from (open, high, low, close)."""
    columns = np.array(rows, dtype=float).T
    return Bars.from_arrays(
        symbol="HAND",
        timeframe="1d",
        open_time=np.arange(len(rows)) * DAY,
        open=columns[0],
        high=columns[1],
        low=columns[2],
        close=columns[3],
    )


def flat(price=100.0):
    """A bar that does not move."""
    return (price, price, price, price)


def run(bars, target, costs=FREE, **execution):
    """A run with 1,000 of cash unless said otherwise."""
    return backtest_signals(bars, target, costs=costs, execution=Execution(**{"initial_cash": 1_000.0} | execution))


def only_trade(result):
    """The one trade of a result."""
    assert len(result.trades) == 1
    return result.trades.iloc[0]


def test_a_target_fills_at_the_next_open_and_not_before():
    """Known at the close of bar 1 (102), bought at the open of bar 2 (104), marked at its close (106)."""
    bars = bars_of(flat(), (100, 103, 99, 102), (104, 107, 103, 106), flat(106), flat(106))
    result = run(bars, [0, 1, 1, 1, 1])
    trade = only_trade(result)
    assert (trade.entry_bar, trade.entry_price, trade["size"]) == (2, 104.0, pytest.approx(1_000 / 104))
    assert result.equity.iloc[2] == pytest.approx(1_000 * 106 / 104)


def test_same_close_fills_at_the_close_of_the_signal():
    """The same target under same_close is bought at 102."""
    bars = bars_of(flat(), (100, 103, 99, 102), (104, 107, 103, 106), flat(106), flat(106))
    trade = only_trade(run(bars, [0, 1, 1, 1, 1], fill="same_close"))
    assert (trade.entry_bar, trade.entry_price) == (1, 102.0)


def test_a_gap_through_the_stop_fills_at_the_open():
    """A stop at 95 is passed overnight: the open of 80 is what the market gives."""
    bars = bars_of(flat(), flat(), flat(), (80, 85, 78, 84), flat(84))
    trade = only_trade(run(bars, [1, 1, 1, 1, 1], stop_loss_pct=0.05))
    assert (trade.exit_bar, trade.exit_price, trade.exit_reason) == (3, 80.0, "stop_loss")


def test_a_gap_through_the_target_fills_at_the_better_open():
    """A target at 110 is passed overnight: the limit order fills at the open of 120."""
    bars = bars_of(flat(), flat(), flat(), (120, 125, 118, 119), flat(119))
    trade = only_trade(run(bars, [1, 1, 1, 1, 1], take_profit_pct=0.10))
    assert (trade.exit_bar, trade.exit_price, trade.exit_reason) == (3, 120.0, "take_profit")


def test_the_stop_comes_first_when_a_bar_reaches_both():
    """A bar from 94 to 111 touches the stop at 95 and the target at 110: the worse is assumed."""
    bars = bars_of(flat(), flat(), flat(), (100, 111, 94, 100), flat())
    trade = only_trade(run(bars, [1, 1, 1, 1, 1], stop_loss_pct=0.05, take_profit_pct=0.10))
    assert (trade.exit_price, trade.exit_reason) == (95.0, "stop_loss")


def test_a_short_mirrors_stop_and_target():
    """A short from 100 is stopped at 105 and takes its profit at 90."""
    up = bars_of(flat(), flat(), flat(), (100, 106, 99, 104), flat(104))
    down = bars_of(flat(), flat(), flat(), (100, 101, 89, 92), flat(92))
    short = [-1] * 5
    stopped = only_trade(run(up, short, stop_loss_pct=0.05, take_profit_pct=0.10))
    taken = only_trade(run(down, short, stop_loss_pct=0.05, take_profit_pct=0.10))
    assert (stopped.exit_price, stopped.exit_reason, stopped.pnl) == (105.0, "stop_loss", pytest.approx(-50.0))
    assert (taken.exit_price, taken.exit_reason, taken.pnl) == (90.0, "take_profit", pytest.approx(100.0))


def test_a_stop_acts_in_the_entry_bar_unless_told_otherwise():
    """Bought at the open of 100, the bar falls to 94: out at 95 in the same bar, or not before the next one."""
    bars = bars_of(flat(), (100, 101, 94, 100), flat(), flat(), flat())
    trade = only_trade(run(bars, [1, 1, 1, 1, 1], stop_loss_pct=0.05))
    assert (trade.entry_bar, trade.exit_bar, trade.exit_price, trade.bars_held) == (1, 1, 95.0, 0)
    later = only_trade(run(bars, [1, 1, 1, 1, 1], stop_loss_pct=0.05, stop_from="next_bar"))
    assert bool(later.open)


def test_the_stop_may_hang_on_the_close_of_the_signal():
    """Signal close 100, fill 110: a stop of 5 % stands at 104.5 behind the fill, at 95 behind the signal."""
    bars = bars_of(flat(), (110, 111, 104, 110), flat(110), flat(110), flat(110))
    assert only_trade(run(bars, [1] * 5, stop_loss_pct=0.05)).exit_price == pytest.approx(104.5)
    assert bool(only_trade(run(bars, [1] * 5, stop_loss_pct=0.05, stop_ref="signal_close")).open)


def test_a_stop_in_average_true_ranges():
    """True ranges of 4 a bar and a multiple of 1.5 put the stop 6 below the fill; without a known range there is no entry."""
    wide = (100, 102, 98, 100)
    bars = bars_of(wide, wide, wide, (100, 101, 93, 94), flat(94))
    trade = only_trade(run(bars, [0, 1, 1, 1, 1], stop_loss_atr=1.5, stop_atr_period=1))
    assert (trade.exit_bar, trade.exit_price) == (3, pytest.approx(94.0))
    early = run(bars, [1, 1, 1, 1, 1], stop_loss_atr=1.5, stop_atr_period=3)
    assert (len(early.trades), early.metrics["skipped_orders"]) == (0, 1)


def test_a_trailing_stop_follows_the_high_of_earlier_bars_only():
    """A bar up to 120 that also falls to 105 does not stop itself at 108; the next bar does."""
    bars = bars_of(flat(), flat(), (110, 120, 105, 118), (118, 119, 107, 110), flat(110))
    trade = only_trade(run(bars, [1] * 5, trailing_stop_pct=0.10))
    assert (trade.exit_bar, trade.exit_price, trade.exit_reason) == (3, pytest.approx(108.0), "trailing_stop")


def test_a_reversal_closes_and_opens_at_one_price_and_pays_both_fees():
    """Long 10 at 100, short from 110: two fills at 110, each charged 1 %."""
    bars = bars_of(flat(), flat(), flat(110), flat(110), flat(110))
    result = run(
        bars,
        [1, -1, -1, -1, -1],
        costs=Costs(fee_bps=100.0, slippage_bps=0.0),
        sizing="fixed_units",
        size=5.0,
    )
    first, second = result.trades.iloc[0], result.trades.iloc[1]
    assert (first.exit_bar, first.exit_price, second.entry_bar, second.entry_price) == (2, 110.0, 2, 110.0)
    assert (first.fees, second.fees) == (pytest.approx(5.0 + 5.5), pytest.approx(5.5))
    assert result.metrics["fees_paid"] == pytest.approx(16.0)


def test_a_target_of_the_last_bar_is_not_traded_at_the_next_open():
    """There is no next open after the last bar; the same close is still there."""
    bars = bars_of(flat(), flat(), flat(), flat(), flat())
    assert len(run(bars, [0, 0, 0, 0, 1]).trades) == 0
    assert len(run(bars, [0, 0, 0, 0, 1], fill="same_close").trades) == 1


def test_an_order_below_one_lot_is_skipped_and_counted():
    """1,000 does not buy a lot of 20 at 100; it buys one lot of 7, not 10 units."""
    bars = bars_of(flat(), flat(), flat(), flat(), flat())
    skipped = run(bars, [1] * 5, lot=20.0)
    assert (len(skipped.trades), skipped.metrics["skipped_orders"]) == (0, 1)
    assert only_trade(run(bars, [1] * 5, lot=7.0))["size"] == 7.0


def test_a_size_the_account_cannot_pay_is_skipped_and_counted():
    """11 units at 100 need 1,100 of the 1,000."""
    result = run(bars_of(*[flat()] * 5), [1] * 5, sizing="fixed_units", size=11.0)
    assert (len(result.trades), result.metrics["skipped_orders"]) == (0, 1)


def test_all_cash_pays_for_the_fee_too():
    """With 1 % of fee 1,000 buys 1,000 / 101 units and leaves no cash."""
    result = run(bars_of(*[flat()] * 5), [1] * 5, costs=Costs(fee_bps=100.0, slippage_bps=0.0))
    trade = only_trade(result)
    assert trade["size"] == pytest.approx(1_000 / 101)
    assert result.equity.iloc[-1] == pytest.approx(100 * 1_000 / 101)


def test_fixed_and_minimum_fees():
    """A side costs the fixed fee plus the rate, at least the minimum."""
    bars = bars_of(*[flat()] * 5)
    fixed = run(bars, [1, 0, 0, 0, 0], costs=Costs(fee_bps=0.0, slippage_bps=0.0, fixed_fee=2.0))
    least = run(bars, [1, 0, 0, 0, 0], costs=Costs(fee_bps=10.0, slippage_bps=0.0, minimum_fee=5.0))
    assert only_trade(fixed).fees == pytest.approx(4.0)
    assert only_trade(least).fees == pytest.approx(10.0)


def test_slippage_and_half_the_spread_worsen_both_fills():
    """10 bps of slippage and 20 bps of spread: bought at 100.2, sold at 99.8."""
    result = run(bars_of(*[flat()] * 5), [1, 0, 0, 0, 0], costs=Costs(fee_bps=0.0, slippage_bps=10.0, spread_bps=20.0))
    trade = only_trade(result)
    assert (trade.entry_price, trade.exit_price) == (pytest.approx(100.2), pytest.approx(99.8))


@pytest.mark.parametrize(("slips", "price"), [(True, 95.0 * 0.999), (False, 95.0)])
def test_stops_slip_unless_told_otherwise(slips, price):
    """A stop 5 % below a fill at 100 leaves at 95, less 10 bps where stops slip."""
    bars = bars_of(flat(), flat(), (100, 100, 90, 92), flat(92), flat(92))
    costs = Costs(fee_bps=0.0, slippage_bps=10.0, slip_on_stops=slips)
    trade = only_trade(run(bars, [1] * 5, costs=costs, stop_loss_pct=0.05, stop_ref="signal_close"))
    assert trade.exit_price == pytest.approx(price)


def test_a_stopped_position_waits_for_the_target_to_change():
    """Stopped in bar 2, the target stays 1: no entry; with follow_target the next open buys again."""
    bars = bars_of(flat(), flat(), (100, 100, 90, 92), flat(92), flat(92))
    assert len(run(bars, [1] * 5, stop_loss_pct=0.05).trades) == 1
    again = run(bars, [1] * 5, stop_loss_pct=0.05, reentry="follow_target")
    assert list(again.trades["entry_bar"]) == [1, 3]


def test_an_entry_at_the_close_of_a_stopped_bar_needs_leave():
    """Stopped in bar 2 whose close turns short: dropped by next_bar, filled by same_bar."""
    bars = bars_of(flat(), flat(), (100, 100, 90, 92), flat(92), flat(92))
    target = [1, 1, -1, -1, -1]
    assert len(run(bars, target, fill="same_close", stop_loss_pct=0.05).trades) == 1
    both = run(bars, target, fill="same_close", stop_loss_pct=0.05, reentry="same_bar")
    assert list(both.trades["entry_bar"]) == [0, 2]


def test_a_position_leaves_after_its_longest_time():
    """Bought at the open of bar 1, two bars later it is sold at the open of bar 3."""
    trade = only_trade(run(bars_of(*[flat()] * 5), [1] * 5, max_holding_bars=2))
    assert (trade.entry_bar, trade.exit_bar, trade.exit_reason) == (1, 3, "max_holding")


@pytest.mark.parametrize(
    ("final", "reason", "price", "exit_bar"),
    [("mark", "open", 120.0, 4), ("close", "final", 120.0, 4), ("last_open", "final", 110.0, 4)],
)
def test_the_end_of_the_window(final, reason, price, exit_bar):
    """An open trade is marked at the last close, sold there, or sold at the last open."""
    bars = bars_of(flat(), flat(), flat(), flat(), (110, 121, 109, 120))
    trade = only_trade(run(bars, [1] * 5, final=final))
    assert (trade.exit_reason, trade.exit_price, trade.exit_bar) == (reason, price, exit_bar)
    assert bool(trade.open) is (final == "mark")


def test_an_open_trade_is_listed_flagged_and_not_counted_as_closed():
    """It has no exit time and no part in the win rate."""
    result = run(bars_of(*[flat()] * 5), [1] * 5)
    trade = only_trade(result)
    assert str(trade.exit_time) == "NaT"
    assert (result.metrics["trade_count"], result.metrics["open_trade_count"]) == (0, 1)
    assert result.metrics["win_rate"] is None


def test_a_short_that_triples_ends_the_run_with_its_debt():
    """Short 10 at 100, the price opens at 250: equity 1,000 - 1,500 = -500, nothing is traded any more."""
    bars = bars_of(flat(), flat(), flat(250), flat(100), flat(100))
    result = run(bars, [-1, -1, -1, 1, 1])
    assert only_trade(result).exit_reason == "bankruptcy"
    assert result.equity.to_list() == [1_000.0, 1_000.0, -500.0, -500.0, -500.0]
    assert result.metrics["bankrupt"] == 1
    assert result.metrics["cagr"] is None
    assert "wealth" in result.metric_reasons["cagr"]


def test_a_short_pays_to_borrow():
    """1,000 of shares for one day at 36.525 % a year cost 1."""
    result = run(
        bars_of(*[flat()] * 5),
        [-1, -1, 0, 0, 0],
        costs=Costs(fee_bps=0.0, slippage_bps=0.0, borrow_rate=0.36525),
    )
    trade = only_trade(result)
    assert (trade.entry_bar, trade.exit_bar) == (1, 3)
    assert (trade.borrow_cost, trade.pnl) == (pytest.approx(2.0), pytest.approx(-2.0))


def test_leverage_multiplies_and_liquidates_at_the_worst_price():
    """Four times leverage on 1,000 holds 40 units; 20 % of margin calls at 93.75, filled at the low of 90."""
    bars = bars_of(flat(), flat(), (100, 100, 90, 98), flat(98), flat(98))
    trade = only_trade(run(bars, [1] * 5, leverage=4.0, maintenance_margin=0.2))
    assert (trade["size"], trade.exit_price, trade.exit_reason) == (40.0, 90.0, "liquidation")
    safe = bars_of(flat(), flat(), (100, 100, 94, 98), flat(98), flat(98))
    assert bool(only_trade(run(safe, [1] * 5, leverage=4.0, maintenance_margin=0.2)).open)


def test_a_nearer_stop_comes_before_the_margin_call():
    """A stop at 97 stands above the call at 93.75 and is met first."""
    bars = bars_of(flat(), flat(), (100, 100, 90, 98), flat(98), flat(98))
    trade = only_trade(run(bars, [1] * 5, leverage=4.0, maintenance_margin=0.2, stop_loss_pct=0.03))
    assert (trade.exit_price, trade.exit_reason) == (97.0, "stop_loss")


def test_sizes():
    """Half the cash; 3 units; 250 of money; 2 % of 1,000 lost at a stop 5 % away."""
    bars, always = bars_of(*[flat()] * 5), [1] * 5
    assert only_trade(run(bars, always, size=0.5))["size"] == pytest.approx(5.0)
    assert only_trade(run(bars, always, sizing="fixed_units", size=3.0))["size"] == 3.0
    assert only_trade(run(bars, always, sizing="fixed_notional", size=250.0))["size"] == 2.5
    risk = run(bars, always, sizing="risk_per_stop", size=0.02, stop_loss_pct=0.05)
    assert only_trade(risk)["size"] == pytest.approx(4.0)


def test_volatility_target_sizes_by_recent_volatility():
    """Log returns of +1 %, -1 % have a deviation of 1.414 % a bar, 27.02 % a year: 10 % of it is a weight of 0.3701."""
    low, high = 100.0, 100.0 * np.exp(0.01)
    bars = bars_of(flat(low), flat(high), flat(low), flat(low), flat(low))
    result = run(bars, [0, 0, 1, 1, 1], sizing="volatility_target", size=0.1, volatility_bars=2)
    volatility = np.sqrt(2e-4) * np.sqrt(365.0)
    assert only_trade(result)["size"] == pytest.approx(0.1 / volatility * 10.0)
    too_early = run(bars, [0, 1, 1, 1, 1], sizing="volatility_target", size=0.1, volatility_bars=2)
    assert too_early.metrics["skipped_orders"] == 1


def test_direction_reads_a_forbidden_side_as_flat():
    """Long only ignores a short target and leaves the long for it."""
    bars = bars_of(*[flat()] * 5)
    assert list(run(bars, [1, -1, -1, 1, 1]).trades["side"]) == [1, -1, 1]
    assert list(run(bars, [1, -1, -1, 1, 1], direction="long_only").trades["side"]) == [1, 1]
    assert list(run(bars, [1, -1, -1, 1, 1], direction="short_only").trades["side"]) == [-1]


def test_a_window_starts_flat_and_acts_on_the_target_before_it():
    """The window [2, 5) buys at the open of bar 2 what the close of bar 1 asked for; earlier bars are not scored."""
    bars = bars_of(flat(50), flat(60), flat(70), flat(70), flat(77))
    result = backtest_signals(bars, [1, 1, 1, 1, 1], costs=FREE, start=2, stop=5)
    assert only_trade(result).entry_price == 70.0
    assert len(result.equity) == 3
    assert result.metrics["total_return"] == pytest.approx(0.1)
    assert result.index[0] == result.bars.to_frame().index[2]
