"""Published runs on which backtesting.py and vectorbt agree, reproduced to the cent."""

import pytest

from stratopt.backtest.costs import Costs
from stratopt.backtest.engine import backtest_signals
from stratopt.backtest.execution import Execution


@pytest.mark.parametrize(
    ("direction", "fill", "fee_bps", "trades", "final_equity"),
    [
        ("long_only", "next_open", 0.0, 32, "5,827,024.40"),
        ("long_only", "next_open", 20.0, 32, "5,116,681.38"),
        ("long_only", "same_close", 0.0, 32, "6,418,766.79"),
        ("long_only", "same_close", 20.0, 32, "5,636,219.96"),
        ("long_short", "next_open", 0.0, 65, "5,261,534.62"),
        ("long_short", "next_open", 20.0, 65, "4,044,737.55"),
        ("long_short", "same_close", 0.0, 65, "6,563,568.63"),
        ("long_short", "same_close", 20.0, 65, "5,048,233.20"),
    ],
)
def test_moving_average_cross_on_google(google, crossings, direction, fill, fee_bps, trades, final_equity):
    """SMA 10/30 in whole shares ends with the trades and the equity that two other engines give."""
    result = backtest_signals(
        google,
        crossings,
        costs=Costs(fee_bps=fee_bps, slippage_bps=0.0),
        execution=Execution(fill=fill, lot=1.0, direction=direction),
    )
    assert f"{result.metrics['final_equity']:,.2f}" == final_equity
    assert result.metrics["trade_count"] == trades


@pytest.mark.parametrize(
    ("direction", "fee_bps", "final_equity"),
    [("long_only", 0.0, "2,084,439.81"), ("long_short", 10.0, "1,760,082.83")],
)
def test_stop_of_5_and_target_of_8_per_cent(google, crossings, direction, fee_bps, final_equity):
    """With a stop and a target the same engines agree again; a stopped position waits for the next crossing."""
    result = backtest_signals(
        google,
        crossings,
        costs=Costs(fee_bps=fee_bps, slippage_bps=0.0, slip_on_stops=False),
        execution=Execution(fill="same_close", lot=1.0, direction=direction, stop_loss_pct=0.05, take_profit_pct=0.08),
    )
    assert f"{result.metrics['final_equity']:,.2f}" == final_equity


@pytest.mark.parametrize(("fill", "final_equity"), [("next_open", "1,743,008.41"), ("same_close", "1,787,984.99")])
def test_fixed_thousand_shares(google, crossings, fill, final_equity):
    """1,000 shares a trade with a fee of 0.1 % end where backtrader and backtesting.py end: 33 entries, 32 exits."""
    result = backtest_signals(
        google,
        crossings,
        costs=Costs(fee_bps=10.0, slippage_bps=0.0),
        execution=Execution(fill=fill, sizing="fixed_units", size=1_000.0, direction="long_only"),
    )
    assert f"{result.metrics['final_equity']:,.2f}" == final_equity
    assert (len(result.trades), result.metrics["trade_count"]) == (33, 32)


def test_sharpe_ratio_is_the_textbook_one(google, crossings):
    """Fractional shares, next open, fee 0.1 %: mean over deviation times the root of 252 is 0.99927, not 1.2026 or 0.79636."""
    result = backtest_signals(
        google, crossings, costs=Costs(fee_bps=10.0, slippage_bps=0.0), execution=Execution(direction="long_only")
    )
    assert result.metrics["sharpe_ratio"] == pytest.approx(0.99927, abs=5e-6)
