"""What a search may maximise: metrics by name, formulas over metrics, under conditions on metrics."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence

from stratopt.backtest.scorer import Score
from stratopt.kernels.scoring import SCORE_NAMES
from stratopt.optimization.exceptions import ParameterValidationError
from stratopt.search.expression import Expression
from stratopt.search.study import Outcome

OBJECTIVES: Mapping[str, str] = {
    "sharpe_ratio": "sharpe_ratio",
    "sortino_ratio": "sortino_ratio",
    "sortino": "sortino_ratio",
    "calmar_ratio": "calmar_ratio",
    "calmar": "calmar_ratio",
    "total_return": "total_return",
    "cagr": "cagr",
    "profit_factor": "profit_factor",
    "omega_ratio": "omega_ratio",
    "omega": "omega_ratio",
    "sqn": "sqn",
}
"""Name in a request -> metric of a backtest. All are better when larger."""

METRICS: Sequence[str] = SCORE_NAMES
"""Names that formulas and conditions may use. ``max_drawdown`` is negative: -0.2 is a loss of 20 %."""

LESS_IS_BETTER = frozenset({"volatility", "turnover", "skipped_orders", "fees_paid"})


class Goal:
    """What one search is after: one or several objectives, and conditions on metrics that a point has to meet."""

    def __init__(self, objectives: Sequence[str], *, min_trades: int = 1, constraints: Sequence[str] = ()) -> None:
        self._measures = [check_objective(text) for text in objectives]
        self._conditions = [check_constraint(text) for text in constraints]
        self._min_trades = min_trades

    def outcome(self, score: Score) -> Outcome:
        """The outcome of a backtest: infeasible, with the reason, if it did not trade enough, lost everything, broke a condition or
        has no number. An account below zero still has ratios, and a flattering one must not win.
        """
        trades = score["trade_count"] + score["open_trade_count"]
        if trades < self._min_trades:
            return Outcome(score=None, reason="no_trades" if trades == 0 else "too_few_trades", facts=score)
        if score["total_return"] <= -1.0:
            return Outcome(score=None, reason="bankrupt", facts=score)
        if self._conditions and not self._meets_conditions(score):
            return Outcome(score=None, reason="constraint_violated", facts=score)
        values = [_value(score, measure) for measure in self._measures]
        if not all(map(math.isfinite, values)):
            return Outcome(score=None, reason="undefined_score", facts=score)
        return Outcome(score=values[0], facts=score, scores=tuple(values) if len(values) > 1 else None)

    def _meets_conditions(self, score: Score) -> bool:
        numbers = _finite(score)
        return all(condition.names <= numbers.keys() and condition.holds(numbers) for condition in self._conditions)


def _value(score: Score, measure: str | Expression) -> float:
    """The value of a metric or of a formula; NaN where it is undefined."""
    if isinstance(measure, str):
        return score[measure]
    numbers = _finite(score)
    return measure.value(numbers) if measure.names <= numbers.keys() else math.nan


def check_objective(text: str) -> str | Expression:
    """The metric or the formula that an objective means, or ParameterValidationError with what was probably meant."""
    if text in OBJECTIVES:
        return OBJECTIVES[text]
    if text in LESS_IS_BETTER:
        raise ParameterValidationError(
            f"{text} is better when it is smaller; write -{text}",
            code="unknown_objective",
            objective=text,
            suggestion=f"-{text}",
        )
    if text in METRICS:
        return text
    if text.isidentifier():
        near = difflib.get_close_matches(text, OBJECTIVES, n=1)
        raise ParameterValidationError(
            f"unknown objective {text!r}; known: {', '.join(OBJECTIVES)}, or a formula over {', '.join(METRICS)}",
            code="unknown_objective",
            objective=text,
            suggestion=near[0] if near else None,
        )
    expression = Expression(text)
    expression.require_names(METRICS)
    return expression


def check_constraint(text: str) -> Expression:
    """A condition over metrics, such as ``max_drawdown > -0.3 and trade_count >= 20``."""
    expression = Expression(text)
    expression.require_names(METRICS)
    return expression


def _finite(score: Score) -> dict[str, float]:
    return {name: value for name, value in score.metrics.items() if value is not None}
