"""A search in which nothing trades says why, as far as that is known."""

from __future__ import annotations

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
