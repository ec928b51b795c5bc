"""Every exported script, run bar by bar over real data, gives the target of stratopt on every bar."""

from __future__ import annotations

import zlib
from functools import cache
from typing import Any

import numpy as np
import pytest

from stratopt import load_bars
from stratopt.backtest.costs import Costs
from stratopt.backtest.execution import Execution
from stratopt.export.pine import exportable_strategies, pine_script
from stratopt.market.bars import Bars
from stratopt.strategies.base import Direction, Strategy
from stratopt.strategies.catalogue import BUILT_IN

from .pine_interpreter import Run, run

BARS_AFTER_WARMUP = 450
DIRECTIONS = (Direction.LONG_SHORT, Direction.LONG_ONLY, Direction.SHORT_ONLY)
SERIES = (("BTC", "1d"), ("BTCUSD", "1h"), ("GOOG", "1d"))


@cache
def series(symbol: str, timeframe: str) -> Bars:
    return load_bars(symbol, timeframe)


def points(strategy: Strategy, count: int) -> list[dict[str, Any]]:
    """The defaults and random points, drawn as an engine draws them."""
    rng = np.random.default_rng(zlib.crc32(strategy.name.encode()))
    found = [strategy.space.defaults()]
    for _ in range(count):
        drawn = {
            name: float(
                rng.integers(latent.count) if latent.kind == "categorical" else rng.uniform(latent.low, latent.high)
            )
            for name, latent in strategy.space.latents().items()
        }
        found.append(strategy.space.resolve(drawn))
    return found


def script_of(strategy: Strategy, params: dict[str, Any], direction: Direction) -> str:
    execution = Execution(direction=direction.value)
    return pine_script(strategy, params, costs=Costs(), execution=execution, title=f"{strategy.name} test")


def run_on(bars: Bars, script: str, inputs: dict[str, Any] | None = None) -> Run:
    names = ("open", "high", "low", "close", "volume")
    columns = {**{name: getattr(bars, name) for name in names}, "time": bars.open_time}
    return run(script, columns, seconds=bars.timeframe.seconds, inputs=inputs)


def ordered_positions(orders: list[tuple[int, int]], size: int) -> Any:
    """The position that the script's orders lead to, as known at each bar's close."""
    held = np.zeros(size, dtype=int)
    for bar, side in orders:
        held[bar:] = side
    return held


def check(strategy: Strategy, number: int, params: dict[str, Any], bars_after: int) -> int:
    """Compare one point on one series; returns how often the target changed."""
    bars = series(*SERIES[number % len(SERIES)])[: strategy.warmup(params) + bars_after]
    direction = DIRECTIONS[number % len(DIRECTIONS)]
    done = run_on(bars, script_of(strategy, params, direction))
    wanted = strategy.target(bars, params, direction)
    np.testing.assert_array_equal(
        np.array(done.plots["target"]), wanted, err_msg=f"{strategy.name} {params} {bars.symbol}"
    )
    np.testing.assert_array_equal(ordered_positions(done.orders, len(bars)), wanted)
    assert len(done.orders) == np.count_nonzero(np.diff(wanted, prepend=0)), "an order where the target did not change"
    return len(done.orders)


def test_every_built_in_strategy_has_a_script() -> None:
    """None of the 39 is left out, and no script is without its strategy."""
    assert exportable_strategies() == {strategy.name for strategy in BUILT_IN}


@pytest.mark.parametrize("strategy", BUILT_IN, ids=lambda s: s.name)
def test_targets_equal_ours_on_real_data(strategy: Strategy) -> None:
    """Defaults and two random points, on a daily and an hourly series of Bitcoin and a daily one of a stock, for every direction."""
    changes = [check(strategy, number, params, BARS_AFTER_WARMUP) for number, params in enumerate(points(strategy, 2))]
    assert changes[0] > 0, "the default point never trades here: nothing was compared"


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("strategy", BUILT_IN, ids=lambda s: s.name)
def test_targets_equal_ours_on_long_data(strategy: Strategy) -> None:
    """Twelve random points, over thousands of bars."""
    for number, params in enumerate(points(strategy, 12)):
        check(strategy, number, params, 2500)


def test_an_input_changes_the_rule() -> None:
    """The parameters are inputs of the script: another value there equals another point here."""
    strategy = next(s for s in BUILT_IN if s.name == "RSI")
    bars = series("BTC", "1d")[:600]
    script = script_of(strategy, strategy.space.defaults(), Direction.LONG_ONLY)
    done = run_on(bars, script, {"period": 5, "direction": "long_short"})
    wanted = strategy.target(bars, {"period": 5}, Direction.LONG_SHORT)
    np.testing.assert_array_equal(np.array(done.plots["target"]), wanted)
