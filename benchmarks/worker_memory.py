"""Memory of a worker: imports, 100,000 trials, then backtests on 1,000,000 bars. Prints JSON.

python benchmarks/worker_memory.py BARS.npy
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from stratopt.backtest.costs import Costs
from stratopt.backtest.execution import Execution
from stratopt.backtest.scorer import Scorer
from stratopt.backtest.sweep import score_points
from stratopt.market.bars import Bars
from stratopt.market.synthetic import synthetic_bars
from stratopt.market.timeframe import Calendar, Timeframe
from stratopt.optimization.processes import keep_freed_memory
from stratopt.optimization.trial_evaluator import TrialEvaluator
from stratopt.search.algorithms import make_sampler
from stratopt.search.study import run_study
from stratopt.strategies.catalogue import get_strategy


def megabytes() -> float:
    """The most memory that this process ever held."""
    status = Path(
        "/proc/self/status"
    ).read_text()  # getrusage would count what the parent held before this process began
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def memory_run(file: str) -> None:
    """100,000 trials of a random search, then backtests on 1,000,000 memory-mapped bars, as a worker has them. Prints JSON."""
    keep_freed_memory()
    found = {"imports": megabytes()}
    strategy = get_strategy("MACD")
    small = synthetic_bars(300, seed=1, missing_share=0.0)
    evaluator = TrialEvaluator(
        bars=small, strategy=strategy, costs=Costs(), execution=Execution(), objective="sharpe_ratio", min_trades=1
    )
    sampler = make_sampler("random", strategy.space, seed=1)
    run_study(strategy.space, sampler, evaluator.window(50, 300), max_evaluations=100_000, batch_size=256)
    found["100,000 trials"] = megabytes()
    matrix = np.load(file, mmap_mode="r")
    bars = Bars.trusted("LONG", Timeframe.parse("1m"), Calendar.ALWAYS, matrix)
    scorer = Scorer(bars)
    for _ in range(3):
        score_points(scorer, strategy, [strategy.space.defaults()], "long_only")
    found["then 1,000,000 bars"] = megabytes()
    print(json.dumps(found))


if __name__ == "__main__":
    memory_run(sys.argv[1])
