"""What a request may say about its search, and how it is refused."""

from __future__ import annotations

import pytest

from stratopt.api.services.planning import Limits, Planner
from stratopt.optimization.exceptions import ParameterValidationError
from stratopt.strategies.catalogue import StrategyCatalogue
from stratopt.wire.optimization import BatchRequest


class EverySeries:
    """A market that has whatever is asked for."""

    def check(self, symbol, timeframe, start, end):
        return symbol, 86_400

    def listing(self):
        return []


def plan(**options):
    planner = Planner(strategies=StrategyCatalogue(), market=EverySeries(), limits=Limits())
    config = {"asset": "BTC", "optimization_config": options}
    return planner.batch(BatchRequest.model_validate({"strategies": ["RSI"], "common_config": config}))


def problems(**options):
    with pytest.raises(ParameterValidationError) as caught:
        plan(**options)
    return [
        (p["pointer"].rsplit("optimization_config/")[-1], p["type"], p["suggestion"])
        for p in caught.value.context["errors"]
    ]


def test_search_options_reach_the_spec():
    """Every new field is optional; null means the default."""
    (spec,) = plan(
        objective="sharpe_ratio - abs(max_drawdown)",
        constraints=["trade_count >= 5"],
        early_stop_rounds=20,
        target_score=2.0,
        max_seconds=30,
        first_points=[{"period": 14}],
        objectives=None,
    ).specs
    assert spec.search.objective == "sharpe_ratio - abs(max_drawdown)"
    assert spec.search.constraints == ("trade_count >= 5",)
    assert (spec.search.early_stop_rounds, spec.search.target_score, spec.search.max_seconds) == (20, 2.0, 30)
    assert spec.search.first_points == ({"period": 14},)
    assert spec.search.objectives is None


def test_an_engine_that_is_not_installed_is_a_problem_that_names_its_extra(monkeypatch):
    """The request is refused before anything is stored."""
    monkeypatch.setattr("stratopt.search.algorithms.find_spec", lambda name: None)
    with pytest.raises(ParameterValidationError, match=r"stratopt\[gp\]"):
        plan(algorithm="optuna_gp")
    assert problems(algorithm="hyperopt_atpe") == [("algorithm", "missing_extra", None)]


def test_near_misses_are_suggested():
    """Engines and objectives alike."""
    assert problems(algorithm="hyperopt_tep", objective="sortino_rato") == [
        ("algorithm", "unknown_algorithm", "hyperopt_tpe"),
        ("objective", "unknown_objective", "sortino_ratio"),
    ]


def test_several_objectives_need_an_engine_that_takes_them():
    """The pointer says which field."""
    assert problems(objectives=["cagr", "sqn"]) == [("algorithm", "too_many_objectives", None)]
    (spec,) = plan(objectives=["cagr", "sqn"], algorithm="optuna_nsga2").specs
    assert spec.search.objective == "cagr"


def test_conditions_are_checked_one_by_one():
    """Code is refused, unknown metrics are named."""
    found = problems(constraints=["sqn > 1", "__import__('os')", "luck > 1"])
    assert [(pointer, kind) for pointer, kind, _ in found] == [
        ("constraints/1", "invalid_expression"),
        ("constraints/2", "invalid_expression"),
    ]


def test_points_to_begin_with_must_belong_to_the_space():
    """An unknown parameter or a value out of its domain is named by its place in the list."""
    found = problems(first_points=[{"period": 14}, {"periods": 14}, {"period": -1}])
    assert [pointer for pointer, _, _ in found] == ["first_points/1", "first_points/2"]
