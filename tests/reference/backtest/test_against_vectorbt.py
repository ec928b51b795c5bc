"""Trade by trade against vectorbt (Commons Clause, a test oracle only) on random targets over real bars."""

import warnings

import numpy as np
import pandas as pd
import pytest

from stratopt.backtest.costs import Costs
from stratopt.backtest.engine import backtest_signals
from stratopt.backtest.execution import Execution

BARS = 260
CASH = 1_000_000.0
OFF = np.nan


@pytest.fixture(scope="module")
def portfolio():
    """The other engine's entry point."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import vectorbt
    return vectorbt.Portfolio


def random_run(seed):
    """Targets, and settings that both engines can express: stops only at the same close."""
    rng = np.random.default_rng(seed)
    long_short = bool(rng.random() < 0.5)
    changes = rng.random(BARS) < rng.choice([0.01, 0.05, 0.2])
    sides = rng.choice([-1, 1] if long_short else [0, 1], BARS)
    target = np.zeros(BARS, dtype=np.int8)
    for i in range(1, BARS):
        target[i] = sides[i] if changes[i] else target[i - 1]
    at_close = bool(rng.random() < 0.7)
    kind = rng.choice(["none", "fixed", "trailing"]) if at_close else "none"
    return {
        "target": target,
        "long_short": long_short,
        "first": int(rng.integers(0, 2_148 - BARS)),
        "at_close": at_close,
        "fee": float(rng.choice([0.0, 0.001, 0.01])),
        "slippage": float(rng.choice([0.0, 0.002])),
        "lot": float(rng.choice([0.0, 1.0])),
        "stop_loss": float(rng.choice([0.02, 0.05])) if kind != "none" else OFF,
        "take_profit": float(rng.choice([0.03, 0.08])) if kind == "fixed" and rng.random() < 0.7 else OFF,
        "trailing": bool(kind == "trailing"),
    }


def run_oracle(portfolio, frame, run):
    """Closed trades (entry bar, exit bar, signed size, prices) and equity of the other engine."""
    now = pd.Series(run["target"], frame.index)
    before = now.shift(1, fill_value=0)
    up, down = (now == 1) & (before != 1), (now != 1) & (before == 1)
    short = (now == -1) & (before != -1)
    if not run["at_close"]:
        up, down, short = (signal.shift(1, fill_value=False) for signal in (up, down, short))
    sides = {"short_entries": short, "upon_opposite_entry": "reverse"} if run["long_short"] else {"exits": down}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_ = portfolio.from_signals(
            close=frame["Close"],
            open=frame["Open"],
            high=frame["High"],
            low=frame["Low"],
            entries=up,
            price=frame["Close"] if run["at_close"] else frame["Open"],
            size_granularity=run["lot"] or None,
            fees=run["fee"],
            slippage=run["slippage"],
            sl_stop=run["stop_loss"],
            tp_stop=run["take_profit"],
            sl_trail=run["trailing"],
            stop_entry_price="fillprice",
            init_cash=CASH,
            freq="1D",
            **sides,
        )
        records = run_.exit_trades.records
        equity = run_.value().to_numpy()
    closed = records[records["status"] == 1]
    signed = closed["size"] * np.where(closed["direction"] == 0, 1.0, -1.0)
    columns = (closed["entry_idx"], closed["exit_idx"], signed, closed["entry_price"], closed["exit_price"])
    return np.column_stack(columns), equity


def compare(portfolio, google, google_frame, seed):
    """One random run of both engines."""
    run = random_run(seed)
    window = slice(run["first"], run["first"] + BARS)
    expected, equity = run_oracle(portfolio, google_frame.iloc[window], run)
    stop = None if np.isnan(run["stop_loss"]) else run["stop_loss"]
    result = backtest_signals(
        google[window],
        run["target"],
        costs=Costs(fee_bps=run["fee"] * 10_000, slippage_bps=run["slippage"] * 10_000, slip_on_stops=False),
        execution=Execution(
            fill="same_close" if run["at_close"] else "next_open",
            lot=run["lot"],
            initial_cash=CASH,
            stop_loss_pct=None if run["trailing"] else stop,
            trailing_stop_pct=stop if run["trailing"] else None,
            take_profit_pct=None if np.isnan(run["take_profit"]) else run["take_profit"],
        ),
    )
    closed = result.trades[~result.trades["open"]]
    columns = [closed[c] for c in ("entry_bar", "exit_bar")] + [closed["side"] * closed["size"]]
    got = np.column_stack([*columns, closed["entry_price"], closed["exit_price"]]).reshape(-1, 5)
    np.testing.assert_allclose(got, expected.reshape(-1, 5), rtol=1e-9, err_msg=f"seed {seed}")
    np.testing.assert_allclose(result.equity_values, equity, rtol=1e-10, err_msg=f"seed {seed}")
    return len(got)


def test_random_targets_give_the_same_trades(portfolio, google, google_frame):
    """60 random runs with fees, slippage, stops, targets and trailing stops agree in every trade and in equity."""
    assert sum(compare(portfolio, google, google_frame, seed) for seed in range(60)) > 300


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_thousand_random_targets_give_the_same_trades(portfolio, google, google_frame):
    """The same on 1,000 further runs."""
    assert sum(compare(portfolio, google, google_frame, seed) for seed in range(60, 1_060)) > 5_000
