"""A search in which nothing trades says why, as far as that is known."""

from __future__ import annotations

import numpy as np
import pytest

import stratopt
from stratopt.market.bars import Bars


@pytest.fixture(scope="module")
def bars() -> Bars:
    return stratopt.load_bars("BTC")[:900]


def refused(bars: Bars, periods: list[int], **more: object) -> stratopt.StratoptError:
    space = {"period": stratopt.Choice(periods)}
    with pytest.raises(stratopt.StratoptError) as caught:
        stratopt.optimize(bars, "RSI", max_evals=8, parameter_space=space, **more)  # type: ignore[arg-type]
    assert caught.value.code == "no_trades"
    return caught.value


@pytest.mark.parametrize("cross_validation", [True, False])
def test_periods_longer_than_the_series_are_named_with_the_bars_there_are(bars: Bars, cross_validation: bool) -> None:
    error = refused(bars, [2000, 3000], cross_validation=cross_validation)
    there = error.context["bars"]
    assert there == (
        900 if cross_validation else 698
    )  # 70 % of what follows the warm-up, a quarter of the bars at most
    assert 2000 < error.context["bars_needed"] <= 2003
    assert error.context["points_never_warm"] == 8
    assert f"needs {error.context['bars_needed']} bars and there are {there}" in error.message
    assert "min_trades" not in error.message


def test_points_that_are_warm_keep_their_advice(bars: Bars) -> None:
    error = refused(bars, [10, 3000], min_trades=10_000)
    assert 0 < error.context["points_never_warm"] < 8
    assert "search shorter periods" in error.message
    assert "lower min_trades (10000)" in error.message


def test_other_reasons_get_no_such_hint(bars: Bars) -> None:
    error = refused(bars, [10, 14], min_trades=10_000)
    assert "bars_needed" not in error.context
    assert "lower min_trades (10000)" in error.message


def without_score(bars: Bars, code: str, strategy: object = "RSI", **more: object) -> stratopt.StratoptError:
    with pytest.raises(stratopt.StratoptError) as caught:
        stratopt.optimize(bars, strategy, max_evals=8, cross_validation=False, **more)  # type: ignore[arg-type]
    assert caught.value.code == code
    return caught.value


def test_a_constraint_that_no_point_meets_is_told_with_what_was_reached(bars: Bars) -> None:
    error = without_score(bars, "infeasible", constraints=["max_drawdown > 5"])
    assert error.context["reasons"] == {"constraint_violated": 8}
    assert "(constraint_violated: 8)" in error.message
    assert "relax the constraints: max_drawdown > 5 (max_drawdown was from -0." in error.message
    assert "min_trades" not in error.message
    assert "widen" not in error.message


def test_an_objective_without_a_value_is_named(bars: Bars) -> None:
    error = without_score(bars, "infeasible", objective="1/0")
    assert error.context["reasons"] == {"undefined_score": 7, "no_trades": 1}
    assert (
        "(undefined_score: 7, no_trades: 1); the objective (1/0) is no finite number for points that traded;"
        in error.message
    )
    assert "for the points that traded too little widen its parameter space or the date range" in error.message
    assert "min_trades" not in error.message
    assert "constraints" not in error.message


def test_accounts_that_lost_everything_get_their_own_advice(bars: Bars) -> None:
    error = without_score(bars, "infeasible", AlwaysShort, execution={"direction": "short_only", "leverage": 50})
    assert error.context["reasons"] == {"bankrupt": 8}
    assert "less leverage" in error.message


def test_several_reasons_are_counted_each_with_its_advice(bars: Bars) -> None:
    error = without_score(
        bars,
        "infeasible",
        parameter_space={"period": stratopt.Choice([3, 14, 60])},
        min_trades=15,
        constraints=["cagr > 9"],
    )
    reasons = error.context["reasons"]
    assert set(reasons) == {"constraint_violated", "too_few_trades", "no_trades"}
    assert all(f"{reason}: {count}" in error.message for reason, count in reasons.items())
    assert "relax the constraints: cagr > 9 (cagr was from" in error.message
    assert "lower min_trades (15)" in error.message


@stratopt.strategy(space={"period": stratopt.IntRange(2, 50, default=10)}, warmup=lambda params: params["period"])
def ShortsOnly(bars: Bars, params: dict[str, int]) -> object:
    period = params["period"]
    target = np.zeros(len(bars), dtype=int)
    target[period:] = np.where(bars.close[period:] > bars.close[:-period], 0, -1)
    return target


@stratopt.strategy(space={"period": stratopt.IntRange(2, 50, default=10)})
def AlwaysShort(bars: Bars, params: dict[str, int]) -> object:
    return np.full(len(bars), -1)


@stratopt.strategy(space={"period": stratopt.IntRange(2, 50, default=10)})
def Never(bars: Bars, params: dict[str, int]) -> object:
    return np.zeros(len(bars), dtype=int)


def test_a_strategy_of_shorts_is_told_that_its_direction_ignores_them(bars: Bars) -> None:
    error = without_score(bars, "no_trades", ShortsOnly)
    assert error.context["reasons"] == {"no_trades": 8}
    assert (
        "asks for short positions (targets of -1) only, and the direction long_only reads these as flat"
        in error.message
    )
    assert 'set execution: {"direction": "long_short"} or {"direction": "short_only"}' in error.message
    assert "widen" not in error.message
    result = stratopt.optimize(
        bars, ShortsOnly, max_evals=8, cross_validation=False, execution={"direction": "long_short"}
    )
    assert result.to_dict()["in_sample"]["metrics"]["trade_count"] > 0


def test_a_strategy_without_any_target_is_not_told_about_sides_or_min_trades(bars: Bars) -> None:
    error = without_score(bars, "no_trades", Never)
    assert "widen its parameter space or the date range" in error.message
    assert "direction" not in error.message
    assert "min_trades" not in error.message
