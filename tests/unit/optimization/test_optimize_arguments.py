"""``stratopt.optimize`` in Python: what it takes for a space, and values that it refuses by name."""

import json

import numpy as np
import pandas as pd
import pytest

import stratopt
from stratopt import Choice, Fixed, IntRange, StratoptError


@pytest.fixture(scope="module")
def bars():
    return stratopt.load_bars("AAPL", "1d", "2015-01-01", "2018-01-01")


@pytest.mark.parametrize(
    ("space", "allowed"),
    [
        ({"period": Fixed(14)}, {14}),
        ({"period": IntRange(5, 7)}, {5, 6, 7}),
        ({"period": Choice((5, 9))}, {5, 9}),
        ({"period": np.int64(9)}, {9}),
        ({"period": np.arange(5, 8)}, {5, 6, 7}),
        ({"period": range(5, 8)}, {5, 6, 7}),
    ],
)
def test_a_space_may_be_written_with_parameter_objects_and_numpy(bars, space, allowed):
    """Every point that is evaluated lies in the space that was given."""
    found = stratopt.optimize(bars, "RSI", parameter_space=space, max_evals=4, cross_validation=False)
    assert {json.loads(params)["period"] for params in found.trials["params"]} <= allowed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_evals", 0),
        ("max_evals", "5"),
        ("max_evals", 1.5),
        ("max_evals", 10**9),
        ("min_trades", -1),
        ("folds", 0),
        ("out_of_sample_ratio", 0),
        ("seed", -1),
        ("seed", 1.5),
        ("maxevals", 3),
    ],
)
def test_a_value_out_of_its_limits_is_refused_by_name(bars, name, value):
    """Nothing is replaced by a default, and no bare TypeError comes out of the middle."""
    with pytest.raises(StratoptError, match=name):
        stratopt.optimize(bars, "RSI", **{name: value})


def test_parameters_may_be_numpy_numbers(bars):
    """A loop over ``np.arange`` gives the same backtest as plain numbers."""
    plain = stratopt.backtest(bars, "RSI", {"period": 9, "oversold": 35.0})
    numpy = stratopt.backtest(bars, "RSI", {"period": np.int64(9), "oversold": np.float32(35.0)})
    assert plain.equity.equals(numpy.equity)


def test_a_frame_instead_of_bars_is_refused_as_such():
    """The strategy is not blamed for it."""
    for run in (lambda f: stratopt.backtest(f, "RSI"), lambda f: stratopt.backtest_signals(f, [])):
        with pytest.raises(StratoptError, match="bars must be Bars, not DataFrame"):
            run(pd.DataFrame())


@pytest.mark.parametrize("start", [2015, 20150101])
def test_a_year_as_a_number_is_no_moment(start):
    """It was read as seconds after 1970 and gave all bars."""
    with pytest.raises(StratoptError, match="is not a moment"):
        stratopt.load_bars("AAPL", "1d", start)
