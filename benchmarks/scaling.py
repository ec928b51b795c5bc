"""Cost against the number of bars, evaluations and workers; memory of a worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from stratopt import Costs, Execution, load_bars, sweep
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

BARS = [2_000, 20_000, 200_000, 1_000_000, 5_000_000]
EVALUATIONS = [100, 1_000, 10_000, 100_000, 1_000_000]


@cache
def long_series():
    return synthetic_bars(BARS[-1], seed=1, missing_share=0.0)


def seconds_of(run: Callable[[], object], rounds: int = 5) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return sorted(times)[rounds // 2]


def over_bars(count: int) -> float:
    """Seconds of a backtest with all metrics, indicators and signals included."""
    bars, strategy = long_series()[:count], get_strategy("MACD")
    scorer, point = Scorer(bars), [strategy.space.defaults()]
    repeat = max(1, 200_000 // count)
    return seconds_of(lambda: [score_points(scorer, strategy, point, "long_only") for _ in range(repeat)]) / repeat


def over_evaluations(count: int) -> float:
    """Seconds of so many evaluations on 500 bars, 256 points a call; what suggestions cost is in search_speed.py."""
    bars, strategy = load_bars("MSFT", "1d")[-500:], get_strategy("MACD")
    points = [strategy.space.defaults()] * 256
    scorer = Scorer(bars)
    began = time.perf_counter()
    done = 0
    while done < count:
        chunk = points[: min(256, count - done)]
        score_points(scorer, strategy, chunk, "long_only")
        done += len(chunk)
    return time.perf_counter() - began


def one_sweep(_: int) -> int:
    bars = load_bars("GOOG", "1d")[:2148]
    axes = {"fast_period": list(range(2, 101)), "slow_period": list(range(3, 102))}
    for _repeat in range(40):
        sweep(bars, "MovingAverageCrossover", axes)
    return os.getpid()


def two_workers() -> dict:
    """Work a second of two processes over one, kernels warm in both."""
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        list(pool.map(one_sweep, [0, 1]))
        one = seconds_of(lambda: list(pool.map(one_sweep, [0])))
        two = seconds_of(lambda: list(pool.map(one_sweep, [0, 1])))
    return {"one": one, "two": two, "speedup": 2 * one / two}


MEMORY = """
import sys
sys.path.insert(0, sys.argv[1])
import scaling
scaling.memory_run(sys.argv[2])
"""


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
    small = load_bars("MSFT", "1d")[-300:]
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


def scaling_section(slope: Callable[[list[int], list[float]], float]) -> dict:
    keep_freed_memory()
    bars = [over_bars(count) for count in BARS]
    evaluations = [over_evaluations(count) for count in EVALUATIONS]
    folder = str(Path(__file__).parent)
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file.name, long_series().matrix[:, :1_000_000])
        child = subprocess.run(
            [sys.executable, "-c", MEMORY, folder, file.name], capture_output=True, text=True, check=False
        )
    if child.returncode:
        raise RuntimeError(child.stderr)
    return {
        "seconds by bars": dict(zip(map(str, BARS), bars, strict=True)),
        "slope over bars": slope(BARS, bars),
        "seconds by evaluations": dict(zip(map(str, EVALUATIONS), evaluations, strict=True)),
        "slope over evaluations": slope(EVALUATIONS, evaluations),
        "two workers": two_workers(),
        "megabytes of a worker": json.loads(child.stdout),
    }
