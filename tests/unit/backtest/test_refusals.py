"""What cannot be simulated is refused with the value, the limit and the way out."""

import math

import numpy as np
import pytest

from stratopt.backtest.costs import Costs
from stratopt.backtest.engine import backtest_signals
from stratopt.backtest.execution import Execution
from stratopt.backtest.scorer import Scorer
from stratopt.backtest.sweep import sweep
from stratopt.errors import BacktestError, ParameterSpaceError
from stratopt.market.bars import Bars


@pytest.fixture
def bars():
    """Five quiet daily bars."""
    ones = np.ones(5)
    return Bars.from_arrays(
        symbol="QUIET", timeframe="1d", open_time=np.arange(5) * 86_400_000, open=ones, high=ones, low=ones, close=ones
    )


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ([0, 1, 0], "one value for each of the 5 bars"),
        ([[0, 1, 0, 0, 0]], "one value for each of the 5 bars"),
        ([0, 0, 2, 0, 7], r"target\[2\] is 2"),
        (np.array([0, 0, 0, -3, 0], dtype=np.int8), r"target\[3\] is -3"),
        ([0, 0.5, 0, 0, 0], r"target\[1\] is 0.5"),
        ([0, 0, 0, 0, math.nan], r"target\[4\] is nan"),
        (["a", "b", "c", "d", "e"], "must be numbers"),
    ],
)
def test_a_bad_target_names_its_first_bad_bar(bars, target, words):
    """Wrong length, shape, type or value."""
    with pytest.raises(BacktestError, match=words):
        backtest_signals(bars, target)


@pytest.mark.parametrize("target", [[1, 0, 1, 0, 0], [1.0, 0.0, 1.0, 0.0, 0.0], [True, False, True, False, False]])
def test_whole_numbers_of_any_type_are_accepted(bars, target):
    """Lists, floats that are whole, truth values."""
    assert len(backtest_signals(bars, target).trades) == 2


@pytest.mark.parametrize(("start", "stop"), [(3, 3), (4, 2), (-1, 3), (0, 6), (5, None)])
def test_an_empty_or_outside_window_is_refused(bars, start, stop):
    """The message names the number of bars."""
    with pytest.raises(BacktestError, match="<= 5, the number of bars"):
        backtest_signals(bars, [0] * 5, start=start, stop=stop)


@pytest.mark.parametrize(
    ("strategy", "axes", "words"),
    [
        ("MovingAverageCrossover", {"fast_period": 5}, r"fast_period takes a list .*, not 5; write \[5\]"),
        ("MovingAverageCrossover", {"ma_type": "sma"}, r"ma_type takes a list .*, not 'sma'; write \['sma'\]"),
        ("MovingAverageCrossover", {"fast_period": []}, "no values to sweep"),
    ],
)
def test_one_value_is_no_list_of_values(bars, strategy, axes, words):
    """A sweep asks for the list, and does not take a word for its letters."""
    with pytest.raises(ParameterSpaceError, match=words):
        sweep(bars, strategy, axes)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fee_bps", -1.0),
        ("fee_bps", math.nan),
        ("slippage_bps", math.inf),
        ("spread_bps", 5_000.0),
        ("fixed_fee", "1"),
        ("minimum_fee", True),
        ("borrow_rate", 11.0),
    ],
)
def test_impossible_costs(field, value):
    """Negative, not finite, too large, or no number at all."""
    with pytest.raises(BacktestError, match=f"Costs: {field} must be a number") as caught:
        Costs(**{field: value})
    assert caught.value.context["field"] == field


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fill": "magic"}, "fill must be one of next_open, same_close"),
        ({"initial_cash": 0.0}, "initial_cash must be a number greater than 0"),
        ({"size": 1.5}, "size must be a number"),
        ({"leverage": 0.5}, "leverage must be a number from 1"),
        ({"stop_loss_pct": 0.0}, "stop_loss_pct must be a number greater than 0"),
        ({"stop_loss_pct": 5.0}, "0.05 is 5 %"),
        ({"stop_loss_pct": 0.1, "stop_loss_atr": 2.0}, "not both"),
        ({"max_holding_bars": 2.5}, "whole number of bars"),
        ({"stop_atr_period": 0}, "stop_atr_period must be a number from 1"),
        ({"fill": "same_close", "stop_from": "entry_bar"}, "needs fill='next_open'"),
        ({"sizing": "risk_per_stop", "size": 0.01}, "needs a stop"),
        ({"direction": "sideways"}, "direction must be one of"),
    ],
)
def test_impossible_execution(options, words):
    """Each refusal names the field and the way out."""
    with pytest.raises(BacktestError, match=words):
        Execution(**options)


def test_more_blocks_than_periods_are_refused(bars):
    """16 blocks of 5 bars cannot be; without a wish there are as many as fit."""
    with pytest.raises(BacktestError, match="block_count must be from 1 to 5"):
        Scorer(bars, block_count=16)
    assert Scorer(bars).score([0] * 5).blocks.shape == (3, 5)


def test_costs_and_execution_may_be_given_by_field(bars):
    """A mapping of fields means the same as the object, everywhere that takes one."""
    target = [0, 1, 1, 0, 0]
    by_field = backtest_signals(bars, target, costs={"fee_bps": 20}, execution={"fill": "same_close"})
    by_object = backtest_signals(bars, target, costs=Costs(fee_bps=20), execution=Execution(fill="same_close"))
    assert by_field.metrics == by_object.metrics
    assert by_field.costs == Costs(fee_bps=20)
    scores = [
        Scorer(bars, costs=c, execution=e, block_count=1).score(target)["total_return"]
        for c, e in (({"fee_bps": 20}, {}), (Costs(fee_bps=20), None))
    ]
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"costs": {"fee": 1}}, "Costs has no field 'fee'; did you mean 'fee_bps'"),
        ({"costs": 0.001}, "costs must be a Costs, its fields by name, or None, not float"),
        ({"execution": "next_open"}, "execution must be an Execution"),
        ({"execution": {"fill": "never"}}, "fill must be one of"),
    ],
)
def test_what_is_no_costs_or_execution_is_told(bars, given, words):
    """With the field or the kind that was meant."""
    with pytest.raises(BacktestError, match=words):
        backtest_signals(bars, [0, 1, 1, 0, 0], **given)
