"""What the search benchmarks minimise: standard test functions, and strategies on bundled series."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stratopt import load_bars
from stratopt.backtest.costs import Costs
from stratopt.backtest.execution import Execution
from stratopt.optimization.trial_evaluator import TrialEvaluator
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, FloatRange, IntRange, Params
from stratopt.search.study import Outcome
from stratopt.strategies.catalogue import get_strategy


@dataclass(frozen=True, kw_only=True)
class Task:
    """``evaluate`` gives scores to maximise; ``optimum`` is the greatest one, None where it is not known."""

    name: str
    space: ParameterSpace
    evaluate: Callable[[Sequence[Params]], Sequence[Outcome]]
    optimum: float | None = None


def _function(name: str, space: ParameterSpace, loss: Callable[[Params], float], minimum: float) -> Task:
    return Task(name=name, space=space, evaluate=lambda ps: [Outcome(score=-loss(p)) for p in ps], optimum=-minimum)


def branin(p: Params) -> float:
    x, y = p["x1"], p["x2"]
    a = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return a * a + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


HARTMANN_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
HARTMANN_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)
HARTMANN_C = np.array([1.0, 1.2, 3.0, 3.2])


def hartmann(p: Params) -> float:
    x = np.array([p[f"x{k}"] for k in range(6)])
    return float(-(HARTMANN_C * np.exp(-(HARTMANN_A * (x - HARTMANN_P) ** 2).sum(axis=1))).sum())


def rosenbrock(p: Params) -> float:
    x = np.array([p[f"x{k}"] for k in range(5)])
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())


def ackley(p: Params) -> float:
    x = np.array([p[f"x{k}"] for k in range(10)])
    return float(
        -20 * math.exp(-0.2 * math.sqrt((x * x).mean())) - math.exp(np.cos(2 * math.pi * x).mean()) + 20 + math.e
    )


def mixed(p: Params) -> float:
    tilt = {"a": 0.0, "b": 0.3, "c": 0.15, "d": 0.6}[p["kind"]]
    return (
        tilt
        + (p["level"] - 0.37) ** 2 * 4
        + math.log10(p["rate"] / 0.02) ** 2 * 0.5
        + ((p["period"] - 41) / 60) ** 2
        + abs(p["steps"] - 7) * 0.02 * (1 + (p["kind"] == "c"))
    )


def conditional(p: Params) -> float:
    if p["model"] == "fast":
        return 0.2 + (p["speed"] - 0.8) ** 2 + (0.0 if p["damped"] else 0.1)
    if p["model"] == "slow":
        return 0.05 + math.log10(p["lag"] / 30) ** 2 + (p["shape"] - 0.25) ** 2
    inner = (p["depth"] - 5) ** 2 * 0.01 + (p["width"] - 2.5) ** 2 * 0.05
    return 0.0 + inner + (0.2 if p["rule"] == "x" else (p["edge"] - 0.6) ** 2)


def functions() -> Sequence[Task]:
    """Standard test functions."""
    cube = {f"x{k}": FloatRange(0, 1) for k in range(6)}
    return [
        _function(
            "branin", ParameterSpace({"x1": FloatRange(-5, 10), "x2": FloatRange(0, 15)}), branin, 0.39788735772973816
        ),
        _function("hartmann6", ParameterSpace(cube), hartmann, -3.322368011415515),
        _function("rosenbrock5", ParameterSpace({f"x{k}": FloatRange(-5, 10) for k in range(5)}), rosenbrock, 0.0),
        _function("ackley10", ParameterSpace({f"x{k}": FloatRange(-32.768, 32.768) for k in range(10)}), ackley, 0.0),
        _function(
            "mixed",
            ParameterSpace(
                {
                    "kind": Choice(["a", "b", "c", "d"]),
                    "level": FloatRange(0, 1),
                    "rate": FloatRange(1e-4, 1, log=True),
                    "period": IntRange(2, 200),
                    "steps": IntRange(1, 20),
                }
            ),
            mixed,
            0.0,
        ),
        _function(
            "conditional",
            ParameterSpace(
                {
                    "model": Choice(["fast", "slow", "deep"]),
                    "speed": FloatRange(0, 1, when={"model": "fast"}),
                    "damped": Choice([True, False], when={"model": "fast"}),
                    "lag": FloatRange(1, 1000, log=True, when={"model": "slow"}),
                    "shape": FloatRange(0, 1, when={"model": "slow"}),
                    "depth": IntRange(1, 20, when={"model": "deep"}),
                    "width": FloatRange(0, 10, when={"model": "deep"}),
                    "rule": Choice(["x", "y"], when={"model": "deep"}),
                    "edge": FloatRange(0, 1, when={"model": "deep", "rule": "y"}),
                }
            ),
            conditional,
            0.0,
        ),
    ]


REAL: Sequence[tuple[str, str, str, str]] = (
    ("MovingAverageCrossover", "BTC", "1d", "sharpe_ratio"),
    ("RSI", "AAPL", "1d", "sharpe_ratio"),
    ("MACD", "EURUSD", "1h", "sharpe_ratio"),
    ("BollingerBands", "SPX", "1d", "sortino_ratio"),
    ("Donchian", "BTC", "1d", "calmar_ratio"),
    ("Stochastic", "MSFT", "1d", "sharpe_ratio"),
    ("KeltnerChannel", "ETH", "1d", "total_return"),
    ("Supertrend", "GOOG", "1d", "sharpe_ratio"),
    ("ADX", "NVDA", "1d", "sharpe_ratio"),
    ("Momentum", "AMZN", "1d", "profit_factor"),
)


def strategies() -> Sequence[Task]:
    """Ten strategies, each on a series with an objective."""
    return [_strategy(get_strategy(name), symbol, timeframe, objective) for name, symbol, timeframe, objective in REAL]


def _strategy(strategy: Any, symbol: str, timeframe: str, objective: str) -> Task:
    bars = load_bars(symbol, timeframe)
    evaluator = TrialEvaluator(
        bars=bars, strategy=strategy, costs=Costs(), execution=Execution(), objective=objective, min_trades=5
    )
    return Task(
        name=f"{strategy.name} {symbol} {timeframe} {objective}",
        space=strategy.space,
        evaluate=evaluator.window(min(500, len(bars) // 4), len(bars)),
    )


def regret(task: Task, best: float | None, known_best: Mapping[str, float]) -> float:
    """Distance of the best score from the optimum, or from the best that any search found."""
    top = task.optimum if task.optimum is not None else known_best[task.name]
    return math.inf if best is None else max(0.0, top - best)
