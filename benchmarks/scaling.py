"""Cost against the number of bars, evaluations, strategies and workers; memory of a worker."""

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

from batch_over_http import seconds_of_batch
from stratopt import load_bars, sweep
from stratopt.backtest.scorer import Scorer
from stratopt.backtest.sweep import score_points
from stratopt.cli.server_process import running_server
from stratopt.client.client import Client
from stratopt.market.synthetic import synthetic_bars
from stratopt.optimization.processes import keep_freed_memory
from stratopt.strategies.catalogue import BUILT_IN, get_strategy

BARS = [2_000, 20_000, 200_000, 1_000_000, 5_000_000]
EVALUATIONS = [100, 1_000, 10_000, 100_000, 1_000_000]
STRATEGIES = [5, 10, 20, 39]


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


def over_strategies(client: Client, count: int) -> float:
    """Seconds of a batch of the first strategies of the catalogue, over HTTP, 300 evaluations in each of seven searches."""
    return seconds_of_batch(client, tuple(strategy.name for strategy in BUILT_IN[:count]), 300)


def scaling_section(slope: Callable[[list[int], list[float]], float]) -> dict:
    keep_freed_memory()
    bars = [over_bars(count) for count in BARS]
    evaluations = [over_evaluations(count) for count in EVALUATIONS]
    with tempfile.TemporaryDirectory() as home, running_server(Path(home)) as address, Client(address) as client:
        over_strategies(client, 2)
        strategies = [over_strategies(client, count) for count in STRATEGIES]
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file.name, long_series().matrix[:, :1_000_000])
        child = subprocess.run(
            [sys.executable, str(Path(__file__).parent / "worker_memory.py"), file.name],
            capture_output=True,
            text=True,
            check=False,
        )
    if child.returncode:
        raise RuntimeError(child.stderr)
    return {
        "seconds by bars": dict(zip(map(str, BARS), bars, strict=True)),
        "slope over bars": slope(BARS, bars),
        "seconds by evaluations": dict(zip(map(str, EVALUATIONS), evaluations, strict=True)),
        "slope over evaluations": slope(EVALUATIONS, evaluations),
        "seconds by strategies": dict(zip(map(str, STRATEGIES), strategies, strict=True)),
        "slope over strategies": slope(STRATEGIES, strategies),
        "two workers": two_workers(),
        "megabytes of a worker": json.loads(child.stdout),
    }
