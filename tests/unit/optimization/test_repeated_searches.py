"""Switches that repeat the search or shuffle the trades do real work, are counted in the estimate, and are off by default."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import stratopt
from stratopt.api.services.planning import evaluations_of
from stratopt.backtest.engine import backtest_signals
from stratopt.evaluation.combinatorial_splits import CombinatorialPurgedSplits
from stratopt.market.bars import Bars
from stratopt.market.timeframe import Calendar, Timeframe
from stratopt.optimization.exceptions import ParameterValidationError
from stratopt.optimization.job_spec import JobSpec, SearchConfig, ValidationConfig
from stratopt.optimization.repeated_searches import flat_elsewhere
from stratopt.optimization.strategy_optimizer import optimize_strategy
from stratopt.strategies.base import Direction
from stratopt.strategies.catalogue import get_strategy

ONE_POINT = {"fast_period": 10, "slow_period": 30, "ma_type": "sma"}
DAY_MS = 86_400_000


def optimize(name: str, bars: Bars, space: object = None, *, max_evals: int = 12, seed: int = 0, **validation: object):
    spec = JobSpec(
        strategy_id=name,
        strategy=name,
        symbol=bars.symbol,
        timeframe="1d",
        parameter_space=space,
        search=SearchConfig(max_evals=max_evals, algorithm="random", cross_validation=False),
        validation=ValidationConfig(**validation),
        seed=seed,
    )
    told: list[int] = []
    found = optimize_strategy(spec, bars, get_strategy(name), on_progress=told.append)
    return spec, found.result, told


def close_to_bars(close: np.ndarray) -> Bars:
    """Daily bars that open at the close before; high and low are the two."""
    opened = np.concatenate([close[:1], close[:-1]])
    stamps = np.arange(close.size) * DAY_MS
    rows = [opened, np.maximum(opened, close), np.minimum(opened, close), close, np.ones(close.size), stamps]
    return Bars("TEST", Timeframe.parse("1d"), Calendar.ALWAYS, np.array(rows, dtype=np.float64))


def trending(seed: int, memory: float) -> Bars:
    """Returns with memory: 0 is a random walk."""
    rng = np.random.default_rng(seed)
    returns = np.zeros(900)
    for i in range(1, 900):
        returns[i] = memory * returns[i - 1] + 0.01 * rng.standard_normal()
    return close_to_bars(100.0 * np.exp(np.cumsum(returns)))


def test_paths_of_a_space_with_one_point_are_its_backtest() -> None:
    """Every split finds the same point, so each path, joined from its tested groups, is the plain account."""
    bars = stratopt.load_bars("BTC")
    _, result, _ = optimize(
        "MovingAverageCrossover", bars, ONE_POINT, max_evals=2, combinatorial_groups=5, combinatorial_test_groups=2
    )
    paths = result["robustness"]["combinatorial"]
    begun = np.datetime64(result["in_sample"]["first_bar"].rstrip("Z"))
    first = int(np.searchsorted(bars.stamps, begun))
    plain = stratopt.backtest(bars, "MovingAverageCrossover", ONE_POINT, start=first).metrics["sharpe_ratio"]
    assert paths["splits"] == 10
    assert paths["path_sharpe_ratios"] == pytest.approx([plain] * 4, rel=1e-12)
    assert paths["embargo_bars"] == int(np.ceil(0.01 * (len(bars) - first)))


@pytest.mark.parametrize("fill", ["next_open", "same_close"])
def test_a_split_earns_only_on_bars_it_trains_on(fill: str) -> None:
    """With free trading the account of a masked strategy does not move on tested, purged and embargoed bars."""
    bars, strategy = stratopt.load_bars("BTC"), get_strategy("MovingAverageRibbon")
    length, first = len(bars) - 60, 60
    for split in CombinatorialPurgedSplits(length=length, groups=5, test_groups=2, purge=4, embargo=9):
        allowed = np.zeros(len(bars), dtype=bool)
        allowed[first + split.train - 1] = True
        masked = flat_elsewhere(strategy, Direction.LONG_SHORT, allowed)
        execution = stratopt.Execution(fill=fill, direction="long_short")
        target = masked.target(bars, strategy.space.defaults(), Direction.LONG_SHORT)
        account = backtest_signals(bars, target, costs=stratopt.Costs.free(), execution=execution, start=first)
        moved = np.flatnonzero(np.diff(account.equity_values) != 0) + 1
        untrained = np.setdiff1d(np.arange(length), split.train)
        # a position is left at the open of the first untrained bar, so its gap from the close before still counts
        borders = untrained[~np.isin(untrained - 1, untrained)] if fill == "next_open" else []
        assert not np.intersect1d(moved, np.setdiff1d(untrained, borders)).size
        assert moved.size > 100


def test_permutation_sees_memory_and_no_memory() -> None:
    """Where returns have a memory no random order is as good; on random walks p is spread around a half."""
    _, result, _ = optimize("MovingAverageCrossover", trending(1, 0.35), permutation_runs=19)
    found = result["robustness"]["permutation"]
    assert found["p_value"] == 0.05
    assert found["score"] > found["score_p95_of_permuted"]
    luck = [
        optimize("MovingAverageCrossover", trending(seed, 0.0), permutation_runs=19)[1]["robustness"]["permutation"]
        for seed in range(2, 14)
    ]
    ps = [p["p_value"] for p in luck]
    assert 0.3 < np.mean(ps) < 0.7
    assert luck[0]["standard_error"] == pytest.approx(np.sqrt(ps[0] * (1 - ps[0]) / 20))


def test_random_entries_compare_equal_trades() -> None:
    """Entries that follow the memory of returns earn more than equal trades elsewhere."""
    _, result, _ = optimize("MovingAverageCrossover", trending(1, 0.6), max_evals=40, random_entry_runs=400)
    found = result["robustness"]["random_entries"]
    assert found["p_value"] < 0.05
    assert found["return_per_year"] > found["quantile_95_of_random_per_year"] > found["mean_of_random_per_year"]
    assert found["trades"] >= result["out_of_sample"]["metrics"]["trade_count"]


def test_the_estimate_counts_the_repeated_searches() -> None:
    """What validate_only says is what the job evaluates."""
    spec, _, told = optimize("RSI", stratopt.load_bars("BTC"), max_evals=7, permutation_runs=3, combinatorial_groups=4)
    assert spec.validation.repeated_searches == 3 + 6
    assert evaluations_of(spec) == told[-1] == 7 * (1 + 3 + 6)


def test_repeated_searches_are_a_function_of_the_spec() -> None:
    """The same numbers again; another seed gives others."""
    parts = [
        optimize(
            "RSI",
            stratopt.load_bars("BTC"),
            seed=seed,
            max_evals=5,
            permutation_runs=5,
            random_entry_runs=50,
            combinatorial_groups=4,
        )[1]["robustness"]
        for seed in (1, 1, 2)
    ]
    assert parts[0] == parts[1]
    assert parts[0]["permutation"] != parts[2]["permutation"]


def test_switches_that_are_off_leave_the_fingerprint_as_it_was() -> None:
    """Results of the time before these switches can still be reproduced."""
    spec = JobSpec(
        strategy_id="a",
        strategy="MACD",
        symbol="BTCUSD",
        timeframe="1d",
        validation=ValidationConfig(folds=2, monte_carlo_runs=5),
    )
    assert spec.fingerprint == "bba99b5701c089c934ef8a59c31688e94e212a0f724d5c69dd77a23a1c8ac97c"
    on = dataclasses.replace(spec, validation=dataclasses.replace(spec.validation, permutation_runs=1))
    assert on.fingerprint != spec.fingerprint
    assert JobSpec.from_dict(on.to_dict()) == on


def test_test_groups_must_be_fewer_than_groups() -> None:
    with pytest.raises(ParameterValidationError, match="combinatorial_test_groups 4"):
        ValidationConfig(combinatorial_groups=4, combinatorial_test_groups=4)


def test_optimize_takes_the_switches() -> None:
    """`validation` of stratopt.optimize is `validation_config` of a request."""
    found = stratopt.optimize(
        stratopt.load_bars("BTC"), "RSI", max_evals=4, folds=2, validation={"random_entry_runs": 20, "purge_bars": 3}
    ).to_dict()
    assert found["robustness"]["random_entries"]["runs"] == 20
    assert found["robustness"]["permutation"] is None
    with pytest.raises(ParameterValidationError, match="permutation_runs"):
        stratopt.optimize(stratopt.load_bars("BTC"), "RSI", validation={"permutation_runs": -1})
