"""The compiled engine against a slow, obvious one written from the rules, over random bars, targets and all options."""

import math
import random

import numpy as np
import pytest

from stratopt.backtest.costs import Costs
from stratopt.backtest.engine import backtest_signals
from stratopt.backtest.execution import Execution
from stratopt.market.bars import Bars

DAY = 86_400_000


class Position:
    """A position held by the twin."""

    def __init__(self, side, units, price, fee, bar, reference, stop, profit, trail):
        self.side, self.units, self.price, self.fee, self.bar = side, units, price, fee, bar
        self.stop, self.profit, self.trail, self.extreme, self.borrow = stop, profit, trail, reference, 0.0


class Twin:
    """One account, bar by bar; every rule spelled out for longs and shorts apart."""

    def __init__(self, bars, target, costs, execution, start, stop):
        self.bars, self.target, self.costs, self.x = bars, [int(t) for t in target], costs, execution
        self.start, self.stop = start, stop
        self.cash, self.position, self.trades, self.skipped, self.equity = execution.initial_cash, None, [], 0, []
        self.bankrupt = False
        self.next_open = execution.fill == "next_open"
        self.next_bar_stops = execution.stop_from == "next_bar" or (execution.stop_from is None and not self.next_open)
        self.atr = self.average_true_range(execution.stop_atr_period)

    def average_true_range(self, period):
        ranges = [math.nan]
        for i in range(1, len(self.bars)):
            high, low, before = self.bars.high[i], self.bars.low[i], self.bars.close[i - 1]
            ranges.append(max(high - low, abs(high - before), abs(low - before)))
        out = [math.nan] * len(ranges)
        if len(ranges) > period:
            out[period] = sum(ranges[1 : period + 1]) / period
            for i in range(period + 1, len(ranges)):
                out[i] = (out[i - 1] * (period - 1) + ranges[i]) / period
        return out

    def wanted(self, bar):
        """The target at a bar's close after the direction filter; flat before the window's first signal."""
        first = self.start - 1 if self.next_open else self.start
        if bar < max(first, 0):
            return 0
        side = self.target[bar]
        if self.x.direction == "long_only" and side < 0:
            return 0
        if self.x.direction == "short_only" and side > 0:
            return 0
        return side

    def run(self):
        for i in range(self.start, self.stop):
            last = i == self.stop - 1
            if self.position:
                self.charge_borrowing(i)
            if last and self.x.final == "last_open" and self.position:
                self.leave(i, self.bars.open[i], "final")
            if self.next_open and i > 0:
                self.order(i, i - 1, self.bars.open[i], may_enter=not (last and self.x.final == "last_open"))
            stopped = bool(self.position) and self.inside(i)
            if not self.next_open:
                blocked = (stopped and self.x.reentry != "same_bar") or (last and self.x.final != "mark")
                self.order(i, i, self.bars.close[i], may_enter=not blocked)
            if last and self.x.final == "close" and self.position:
                self.leave(i, self.bars.close[i], "final")
            worth = self.worth(self.bars.close[i])
            if worth <= 0:
                self.bankrupt = True
                if self.position:
                    self.leave(i, self.bars.close[i], "bankruptcy")
                self.equity += [self.cash] * (self.stop - i)
                break
            self.equity.append(worth)
        if self.position:
            self.book(self.stop - 1, self.bars.close[self.stop - 1], 0.0, "open")
        return self

    def worth(self, price):
        return self.cash + (self.position.side * self.position.units * price if self.position else 0.0)

    def charge_borrowing(self, i):
        years = (self.bars.open_time[i] - self.bars.open_time[i - 1]) / (365.25 * DAY)
        p = self.position
        borrowed = p.units * self.bars.close[i - 1] if p.side < 0 else max(0.0, -self.cash)
        self.cash -= borrowed * years * self.costs.borrow_rate
        p.borrow += borrowed * years * self.costs.borrow_rate

    def order(self, i, signal, price, may_enter):
        want, before = self.wanted(signal), self.wanted(signal - 1)
        acts = want != before or self.x.reentry == "follow_target"
        if self.position:
            if acts and want != self.position.side:
                self.leave(i, price, "signal")
            elif self.x.max_holding_bars and i - self.position.bar >= self.x.max_holding_bars:
                self.leave(i, price, "max_holding")
                return
        if acts and want != 0 and not self.position and may_enter:
            self.enter(i, signal, price, want)

    def slip(self):
        return (self.costs.slippage_bps + self.costs.spread_bps / 2) / 1e4

    def fee(self, notional):
        return max(self.costs.minimum_fee, notional * self.costs.fee_bps / 1e4 + self.costs.fixed_fee)

    def distance(self, name, reference, signal):
        fraction, multiple = getattr(self.x, f"{name}_pct"), getattr(self.x, f"{name}_atr")
        if fraction is not None:
            return fraction * reference
        return multiple * self.atr[signal] if multiple is not None else None

    def enter(self, i, signal, price, side):
        price = price * (1 + self.slip()) if side > 0 else price * (1 - self.slip())
        reference = self.bars.close[signal] if self.x.stop_ref == "signal_close" else price
        stop = self.distance("stop_loss", reference, signal)
        profit = self.distance("take_profit", reference, signal)
        trail = self.distance("trailing_stop", reference, signal)
        distances = [d for d in (stop, profit, trail) if d is not None]
        units = self.size(price, side, reference, signal, [d for d in (stop, trail) if d is not None])
        if any(math.isnan(d) for d in distances) or units <= 0:
            self.skipped += 1
            return
        fee = self.fee(units * price)
        self.cash -= side * units * price + fee
        if self.x.trailing_stop_pct is not None:
            behind = lambda extreme: extreme * self.x.trailing_stop_pct  # noqa: E731
        else:
            behind = None if trail is None else lambda extreme: trail
        level = None if stop is None else reference - side * stop
        target = None if profit is None else reference + side * profit
        self.position = Position(side, units, price, fee, i, reference, level, target, behind)

    def affordable(self, budget, price):
        with_rate = (budget - self.costs.fixed_fee) / (price * (1 + self.costs.fee_bps / 1e4))
        if with_rate * price * self.costs.fee_bps / 1e4 + self.costs.fixed_fee >= self.costs.minimum_fee:
            return with_rate
        return (budget - self.costs.minimum_fee) / price

    def size(self, price, side, reference, signal, distances):
        most = self.affordable(self.x.leverage * self.cash, price)
        kind, size = self.x.sizing, self.x.size
        if kind == "all_in":
            units = self.affordable(size * self.x.leverage * self.cash, price)
        elif kind in {"fixed_units", "fixed_notional"}:
            units = size if kind == "fixed_units" else size / price
            if units > most * (1 + 1e-12):
                return 0.0
        elif kind == "risk_per_stop":
            gap = min(distances) + side * (price - reference)
            units = min(size * self.cash / gap, most) if gap > 0 else 0.0
        else:
            count = self.x.volatility_bars
            if signal < count:
                return 0.0
            logs = np.diff(np.log(self.bars.close[signal - count : signal + 1]))
            volatility = logs.std(ddof=1) * math.sqrt(self.bars.periods_per_year)
            units = min(size * self.cash / (volatility * price), most)
        return units // self.x.lot * self.x.lot if self.x.lot else units

    def inside(self, i):
        """Stops of bar i; True if the position left."""
        p, open_, high, low = self.position, self.bars.open[i], self.bars.high[i], self.bars.low[i]
        act = i > p.bar or not self.next_bar_stops
        stop, why = p.stop, "stop_loss"
        if p.trail is not None:
            trail = p.extreme - p.side * p.trail(p.extreme)
            if stop is None or (trail > stop if p.side > 0 else trail < stop):
                stop, why = trail, "trailing_stop"
        if not act:
            stop = None
        if self.x.leverage > 1 or self.x.maintenance_margin > 0:
            adverse = low if p.side > 0 else high
            if self.worth(adverse) <= self.x.maintenance_margin * p.units * adverse:
                margin = self.x.maintenance_margin
                if p.side > 0:
                    call = -self.cash / (p.units * (1 - margin))
                    first = stop is None or stop <= call
                else:
                    call = self.cash / (p.units * (1 + margin))
                    first = stop is None or stop >= call
                if first:
                    return self.stop_out(i, adverse, "liquidation")
        if p.side > 0:
            if stop is not None and low <= stop:
                return self.stop_out(i, min(open_, stop), why)
            if act and p.profit is not None and high >= p.profit:
                return self.stop_out(i, max(open_, p.profit), "take_profit")
            p.extreme = max(p.extreme, high)
        else:
            if stop is not None and high >= stop:
                return self.stop_out(i, max(open_, stop), why)
            if act and p.profit is not None and low <= p.profit:
                return self.stop_out(i, min(open_, p.profit), "take_profit")
            p.extreme = min(p.extreme, low)
        return False

    def stop_out(self, i, price, why):
        self.leave(i, price, why, slips=self.costs.slip_on_stops)
        return True

    def leave(self, i, price, why, slips=True):
        slip = self.slip() if slips else 0.0
        price = price * (1 - slip) if self.position.side > 0 else price * (1 + slip)
        fee = self.fee(self.position.units * price)
        self.cash += self.position.side * self.position.units * price - fee
        self.book(i, price, fee, why)
        self.position = None

    def book(self, i, price, fee, why):
        p = self.position
        pnl = p.side * p.units * (price - p.price) - p.fee - fee - p.borrow
        self.trades.append((p.bar, i, p.side, p.units, p.price, price, p.fee + fee, p.borrow, pnl, why))


def random_bars(seed, count=160):
    """Wild daily bars: gaps, long wicks, flat bars, a skipped day now and then."""
    rng = np.random.default_rng(seed)
    scale = float(rng.choice([0.005, 0.02, 0.06, 0.25]))
    close = 100 * np.exp(np.cumsum(rng.normal(0, scale, count)))
    open_ = np.concatenate([[100.0], close[:-1]]) * np.exp(rng.normal(0, scale / 2, count) * (rng.random(count) < 0.6))
    top, bottom = np.maximum(open_, close), np.minimum(open_, close)
    high = top * np.exp(np.abs(rng.normal(0, scale, count)) * (rng.random(count) < 0.8))
    low = bottom * np.exp(-np.abs(rng.normal(0, scale, count)) * (rng.random(count) < 0.8))
    days = np.cumsum(rng.choice([1, 1, 1, 3], count)) * DAY
    return Bars.from_arrays(
        symbol="WILD", timeframe="1d", open_time=days, open=open_, high=high, low=low, close=close, calendar="XNYS"
    )


def random_target(seed, count):
    """Targets that change with a random frequency, or at every bar."""
    rng = np.random.default_rng(seed)
    fresh = rng.random(count) < rng.choice([0.02, 0.1, 0.3, 1.0])
    sides = rng.choice([-1, 0, 1], count)
    return np.array([sides[np.flatnonzero(fresh[: i + 1])[-1]] if fresh[: i + 1].any() else 0 for i in range(count)])


def random_options(seed):
    """Costs and execution with every option used now and then."""
    r = random.Random(seed)
    costs = Costs(
        fee_bps=r.choice([0.0, 10.0, 100.0]),
        slippage_bps=r.choice([0.0, 5.0, 50.0]),
        spread_bps=r.choice([0.0, 20.0]),
        fixed_fee=r.choice([0.0, 0.0, 3.0]),
        minimum_fee=r.choice([0.0, 0.0, 25.0]),
        slip_on_stops=r.random() < 0.5,
        borrow_rate=r.choice([0.0, 0.3]),
    )
    options = {
        "fill": r.choice(["next_open", "same_close"]),
        "lot": r.choice([0.0, 0.0, 1.0, 7.0]),
        "initial_cash": r.choice([300.0, 10_000.0]),
        "stop_ref": r.choice(["fill", "signal_close"]),
        "reentry": r.choice(["next_bar", "same_bar", "follow_target"]),
        "final": r.choice(["mark", "close", "last_open"]),
        "direction": r.choice([None, "long_only", "short_only", "long_short"]),
        "stop_atr_period": r.choice([1, 5, 14]),
        "max_holding_bars": r.choice([None, None, 1, 4]),
        "leverage": r.choice([1.0, 1.0, 3.0]),
        "maintenance_margin": r.choice([0.0, 0.0, 0.2]),
        "volatility_bars": r.choice([2, 10]),
    }
    if r.random() < 0.5:
        options["stop_from"] = "next_bar" if options["fill"] == "same_close" else r.choice(["entry_bar", "next_bar"])
    for name in ("stop_loss", "take_profit", "trailing_stop"):
        kind = r.choice(["none", "pct", "atr"])
        if kind != "none":
            options[f"{name}_{kind}"] = r.choice([0.005, 0.05, 0.3]) if kind == "pct" else r.choice([0.3, 1.5, 4.0])
    has_stop = any(name.startswith(("stop_loss", "trailing")) for name in options)
    sizes = {"all_in": [1.0, 0.3], "fixed_units": [1.0, 30.0], "fixed_notional": [250.0, 5_000.0]}
    sizes["volatility_target"] = [0.1, 2.0]
    if has_stop:
        sizes["risk_per_stop"] = [0.01, 0.2]
    options["sizing"] = r.choice(["all_in", *sizes])
    options["size"] = r.choice(sizes[options["sizing"]])
    return costs, Execution(**options)


def compare(seed):
    """One random run of both engines; returns what happened in it."""
    bars, r = random_bars(seed), random.Random(seed)
    target = random_target(seed, len(bars))
    costs, execution = random_options(seed)
    start = r.choice([0, 0, 1, 37])
    stop = r.choice([len(bars), len(bars), 120, start + 1])
    twin = Twin(bars, target, costs, execution, start, stop).run()
    result = backtest_signals(bars, target, costs=costs, execution=execution, start=start, stop=stop)
    np.testing.assert_allclose(result.equity_values, twin.equity, rtol=1e-9, atol=1e-6, err_msg=f"seed {seed}")
    assert result.metrics["skipped_orders"] == twin.skipped, seed
    assert bool(result.metrics["bankrupt"]) == twin.bankrupt, seed
    trades = result.trades
    expected = [trade[:3] + trade[9:] for trade in twin.trades]
    got = list(zip(*(trades[c] for c in ("entry_bar", "exit_bar", "side", "exit_reason")), strict=True))
    assert got == expected, seed
    columns = ["size", "entry_price", "exit_price", "fees", "borrow_cost", "pnl"]
    if twin.trades:
        np.testing.assert_allclose(
            trades[columns].to_numpy(), [trade[3:9] for trade in twin.trades], rtol=1e-9, atol=1e-6
        )
    return {trade[9] for trade in twin.trades} | ({"skipped"} if twin.skipped else set())


def test_engine_equals_the_obvious_twin_for_random_options():
    """Equity, every trade and every count agree on 400 random runs, in which every kind of exit happens."""
    seen = set()
    for seed in range(400):
        seen |= compare(seed)
    assert seen == {
        "open",
        "signal",
        "stop_loss",
        "trailing_stop",
        "take_profit",
        "max_holding",
        "liquidation",
        "bankruptcy",
        "final",
        "skipped",
    }


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_engine_equals_the_obvious_twin_for_many_more_options():
    """The same on 20,000 random runs."""
    for seed in range(400, 20_400):
        compare(seed)
