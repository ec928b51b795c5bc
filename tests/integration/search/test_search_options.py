"""Search options through a whole job."""

from __future__ import annotations

import numpy as np
import orjson
import pytest

from stratopt import load_bars
from stratopt.errors import StratoptError
from stratopt.library import optimize
from stratopt.optimization.job_spec import JobSpec, SearchConfig

SETTINGS = {"max_evals": 40, "cross_validation": False, "n_startup_jobs": 10}


@pytest.fixture(scope="module")
def bars():
    return load_bars("BTC", "1d")[:900]


def search_of(bars, **more):
    return optimize(bars, "MovingAverageCrossover", **{**SETTINGS, **more}).to_dict()["search"]


def test_the_result_says_what_the_search_learned(bars):
    """Convergence, importance, and shares of repeats and of infeasible points."""
    told = search_of(bars)
    assert told["evaluations"] == 40
    assert told["repeated_share"] == 0.0
    assert 0.0 <= told["infeasible_share"] < 1.0
    scores = [step["score"] for step in told["convergence"]]
    assert scores == sorted(scores)
    assert set(told["parameter_importance"]) == {"fast_period", "slow_period", "ma_type"}
    assert sum(told["parameter_importance"].values()) == pytest.approx(1.0)
    assert orjson.loads(orjson.dumps(told)) == told


def test_early_stop_and_target_end_each_search(bars):
    """The limits of the request reach the study."""
    assert search_of(bars, target_score=-100.0)["stopped_by"] == ["target_score"]
    stopped = search_of(bars, max_evals=400, early_stop_rounds=15)
    assert stopped["stopped_by"] == ["early_stop_rounds"]
    assert stopped["evaluations"] < 400


def test_first_points_begin_the_search(bars):
    """A warm start is evaluated first, completed by defaults and checked."""
    result = optimize(bars, "MovingAverageCrossover", **SETTINGS, first_points=[{"fast_period": 3, "slow_period": 17}])
    first = orjson.loads(result.trials.query("number == 0")["params"].iloc[0])
    assert (first["fast_period"], first["slow_period"]) == (3, 17)
    with pytest.raises(StratoptError, match="fast_period"):
        optimize(bars, "MovingAverageCrossover", **SETTINGS, first_points=[{"fast_period": 0}])


def test_constraints_on_metrics_hold_for_the_best_point(bars):
    """Infeasible points are counted and never chosen."""
    result = optimize(bars, "MovingAverageCrossover", **SETTINGS, constraints=["trade_count >= 10"])
    assert result.in_sample["trade_count"] >= 10
    assert result.to_dict()["search"]["infeasible"] > 0


def test_several_objectives_give_a_pareto_front(bars):
    """No point of the front beats another in both objectives."""
    told = search_of(bars, algorithm="optuna_nsga2", objectives=["sharpe_ratio", "max_drawdown"])
    scores = np.array([[p["scores"]["sharpe_ratio"], p["scores"]["max_drawdown"]] for p in told["pareto_front"]])
    assert len(scores) >= 1
    for one in scores:
        assert not any((other >= one).all() and (other > one).any() for other in scores)


@pytest.mark.parametrize("algorithm", ["auto", "qmc", "grid", "random", "hyperopt_anneal", "optuna_tpe"])
def test_every_family_of_engines_runs_a_job(bars, algorithm):
    """A job works with any engine that is installed."""
    told = search_of(bars, algorithm=algorithm, max_evals=25)
    assert told["evaluations"] == 25
    assert told["algorithm"] == algorithm


def test_the_same_job_gives_the_same_bytes(bars):
    """Trials and result do not vary from run to run."""
    one, two = (optimize(bars, "RSI", **SETTINGS, seed=3) for _ in range(2))
    assert orjson.dumps(one.to_dict()) == orjson.dumps(two.to_dict())
    assert one.trials.equals(two.trials)


def test_options_survive_the_way_to_the_worker():
    """A spec read from its JSON form is equal; unset options leave the fingerprint as it was without them."""
    spec = JobSpec(
        strategy_id="a",
        strategy="RSI",
        symbol="BTC",
        timeframe="1d",
        search=SearchConfig(objectives=["cagr", "sqn"], constraints=["sqn > 1"], first_points=[{"period": 5}]),
    )
    again = JobSpec.from_dict(orjson.loads(orjson.dumps(spec.to_dict())))
    assert again == spec
    assert again.search.objective == "cagr"
    assert again.fingerprint == spec.fingerprint
