"""Each strategy against the same rule written with TA-Lib, pandas and vectorbt: the table is that of the correctness tests."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from measuring import measure
from peers import FEE, vectorbt_signals
from stratopt import Costs, Execution, load_bars, sweep
from stratopt.market.bars import Bars
from stratopt.strategies.catalogue import BUILT_IN

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/reference/strategies"))

POINTS = 100
PEER_POINTS = 20
COSTS = Costs(fee_bps=FEE * 1e4, slippage_bps=0)
EXECUTION = Execution(fill="same_close", direction="long_only")


def strategies_section() -> dict:
    """Microseconds a backtest with all metrics of every strategy, and of its twin where there is one.

    The twin runs one parameter set at a time, as the objective of a search does, and twenty of them as columns of one portfolio.
    """
    from test_rules_against_twins import TWINS

    bars = load_bars("MSFT", "1d")[-2148:]
    found: dict = {"each": {}, "ratios": {}, "equal_returns": {}}
    for strategy in BUILT_IN:
        grid = list(itertools.islice(strategy.space.grid(points_per_range=4), 4000))
        points = [grid[i] for i in np.linspace(0, len(grid) - 1, POINTS).astype(int)]
        competitors = {
            "stratopt": (
                lambda s=strategy, p=points: sweep(bars, s, p, costs=COSTS, execution=EXECUTION),
                len(points),
            )
        }
        if strategy.name in TWINS:
            rule = TWINS[strategy.name][0]
            few = [point for point in points[:: len(points) // PEER_POINTS] if _has_twin(rule, bars, point)]
            run = vectorbt_signals(bars, lambda r=rule, f=few: [r(bars, p)[:2] for p in f])
            competitors["vectorbt"] = (run, len(few))
            alone = vectorbt_signals(bars, lambda r=rule, f=few: [r(bars, f[0])[:2]])
            competitors["vectorbt, one at a time"] = (alone, 1)
            ours = sweep(bars, strategy, few, costs=COSTS, execution=EXECUTION).scores.column("total_return")
            equal = np.isclose(ours, run()[0], rtol=1e-6, atol=1e-9)
            found["equal_returns"][strategy.name] = f"{int(equal.sum())} of {len(few)}"
        timings = measure(competitors)
        found["each"][strategy.name] = timings["stratopt"].to_dict()
        if "vectorbt" in timings:
            own = timings["stratopt"].per_unit
            found["ratios"][strategy.name] = timings["vectorbt, one at a time"].per_unit / own
            found["ratios"][f"{strategy.name}, {PEER_POINTS} columns at once"] = timings["vectorbt"].per_unit / own
    return found


def _has_twin(rule: Callable[..., object], bars: Bars, point: Mapping[str, Any]) -> bool:
    """Whether the twin is written for this branch of the space."""
    try:
        rule(bars, point)
    except KeyError:
        return False
    return True
