"""Objectives: metrics, formulas, conditions, several at once."""

from __future__ import annotations

import numpy as np
import pytest

from stratopt.backtest.scorer import Scores
from stratopt.errors import StratoptError
from stratopt.kernels.scoring import SCORE_NAMES
from stratopt.optimization.objectives import OBJECTIVES, Goal, check_constraint, check_objective


def score(**metrics):
    values = np.array([float(metrics.get(name, 0.0)) for name in SCORE_NAMES])
    return Scores(values[np.newaxis], np.zeros((1, 3, 1)))[0]


GOOD = score(sharpe_ratio=1.5, max_drawdown=-0.2, trade_count=30, cagr=0.1, sqn=2.0, profit_factor=np.inf)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_named_objective_is_a_metric_of_a_backtest(name):
    """Names and their short forms mean a score that exists."""
    assert check_objective(name) in SCORE_NAMES


def test_a_metric_is_the_score():
    """The objective's value is what the search maximises."""
    outcome = Goal(["sharpe_ratio"]).outcome(GOOD)
    assert outcome.score == 1.5
    assert outcome.facts is GOOD
    assert outcome.losses() == [-1.5]


def test_a_formula_combines_metrics():
    """Whitelisted arithmetic over metric names."""
    outcome = Goal(["sharpe_ratio - 0.5 * abs(max_drawdown)"]).outcome(GOOD)
    assert outcome.score == pytest.approx(1.4)


def test_conditions_on_metrics_make_points_infeasible():
    """A point that breaks a condition has no score and says why."""
    goal = Goal(["sharpe_ratio"], constraints=["max_drawdown > -0.3", "trade_count >= 20"])
    assert goal.outcome(GOOD).score == 1.5
    worse = score(sharpe_ratio=3, max_drawdown=-0.4, trade_count=30)
    assert goal.outcome(worse).score is None
    assert goal.outcome(worse).reason == "constraint_violated"


def test_an_account_that_lost_everything_has_no_score():
    """A short that lost 105 % can have a positive Sharpe ratio; it is infeasible all the same."""
    outcome = Goal(["sharpe_ratio"]).outcome(score(sharpe_ratio=0.63, total_return=-1.05, trade_count=9))
    assert outcome.score is None
    assert outcome.reason == "bankrupt"


def test_too_few_trades_come_first():
    """min_trades counts open ones too; none at all has its own reason."""
    goal = Goal(["sharpe_ratio"], min_trades=5)
    assert goal.outcome(score(trade_count=4)).reason == "too_few_trades"
    assert goal.outcome(score(trade_count=4, open_trade_count=1)).reason is None
    assert goal.outcome(score()).reason == "no_trades"


def test_an_undefined_number_is_no_score():
    """Infinity, NaN and formulas over undefined metrics are infeasible, conditions over them are not met."""
    assert Goal(["profit_factor"]).outcome(GOOD).reason == "undefined_score"
    assert Goal(["profit_factor + 1"]).outcome(GOOD).reason == "undefined_score"
    assert Goal(["1 / (sqn - 2)"]).outcome(GOOD).reason == "undefined_score"
    assert Goal(["cagr"], constraints=["profit_factor > 1"]).outcome(GOOD).reason == "constraint_violated"


def test_several_objectives_keep_all_scores():
    """The first chooses the best point; the engine hears all."""
    outcome = Goal(["sharpe_ratio", "max_drawdown", "-volatility"]).outcome(GOOD)
    assert outcome.score == 1.5
    assert outcome.scores == (1.5, -0.2, 0.0)
    assert list(outcome.losses(3)) == [-1.5, 0.2, 0.0]


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("sharp_ratio", "unknown_objective", "known: sharpe_ratio"),
        ("volatility", "unknown_objective", "write -volatility"),
        ("sharpe_ratio + luck", "invalid_expression", "'luck'"),
        ("sharpe_ratio.real", "invalid_expression", "not allowed"),
        ("", "invalid_expression", "1 to 500"),
    ],
)
def test_what_is_no_objective_is_refused(text, code, message):
    """The message says what is known or allowed."""
    with pytest.raises(StratoptError, match=message) as caught:
        check_objective(text)
    assert caught.value.code == code


def test_did_you_mean():
    """A near miss is suggested."""
    with pytest.raises(StratoptError) as caught:
        check_objective("sharpe_ration")
    assert caught.value.context["suggestion"] == "sharpe_ratio"


def test_an_unknown_metric_in_a_condition_is_refused():
    """Conditions know the same names as formulas."""
    with pytest.raises(StratoptError, match="'drawdown'"):
        check_constraint("drawdown > -0.3")
