"""A real server: how soon it is ready, how soon a first result is there, and a whole batch beside a user's script."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stratopt.cli.server_process import running_server
from stratopt.client.client import Client

CANONICAL = (
    "MovingAverageCrossover", "MACD", "RSI", "BollingerBands", "Stochastic", "Momentum", "Donchian", "ADX",
    "ParabolicSAR", "Ichimoku", "CCI", "WilliamsR", "ROC", "TRIX", "OBV", "CMF", "MFI", "VWAP",
    "ATR", "KeltnerChannel", "BollingerSqueeze", "SupportResistance", "PivotPoints", "FibonacciRetracement",
)  # fmt: skip
EVALUATIONS, FOLDS = 1_000, 6
SCRIPT_SEARCHES = 2  # whole ones, because a suggestion of hyperopt costs more the longer the search


def request(strategies: tuple[str, ...], evaluations: int) -> dict:
    """Ten years of daily bars, walk-forward, all statistics."""
    return {
        "strategies": list(strategies),
        "common_config": {
            "asset": "MSFT",
            "timeframe": "1d",
            "start_date": "2008-01-01T00:00:00Z",
            "end_date": "2018-01-01T00:00:00Z",
            "optimization_config": {
                "max_evals": evaluations,
                "algorithm": "tpe",
                "objective": "sharpe_ratio",
                "cross_validation": True,
            },
        },
        "seed": 1,
    }


def seconds_of_batch(client: Client, strategies: tuple[str, ...], evaluations: int) -> float:
    began = time.perf_counter()
    batch = client.optimize_batch(request(strategies, evaluations))
    batch.wait()
    return time.perf_counter() - began


def seconds_of_command(*command: str) -> float:
    times = []
    for _ in range(6):
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def start_section() -> dict:
    """Start-up with warm caches."""
    ready, first = [], []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            with running_server(Path(folder)) as address, Client(address) as client:
                ready.append(time.perf_counter() - began)
                seconds_of_batch(client, ("MACD",), 10)
                first.append(seconds_of_batch(client, ("RSI",), 10))
    return {
        "import stratopt": seconds_of_command(sys.executable, "-c", "import stratopt"),
        "stratopt --help": seconds_of_command(sys.executable, "-m", "stratopt.cli.main", "--help"),
        "server ready": statistics.median(ready),
        "first result of a warm batch": statistics.median(first),
    }


def batch_section() -> dict:
    """The whole batch, and the script of a user measured on a part of the same work and scaled by evaluations."""
    script = [sys.executable, str(Path(__file__).parent / "user_script.py"), str(EVALUATIONS), str(SCRIPT_SEARCHES)]
    measured = json.loads(subprocess.run(script, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as address, Client(address) as client:
        seconds_of_batch(client, CANONICAL[:2], 30)
        seconds = seconds_of_batch(client, CANONICAL, EVALUATIONS)
    evaluations = len(CANONICAL) * EVALUATIONS * (FOLDS + 1)
    scaled = measured["seconds"] / measured["evaluations"] * evaluations
    return {
        "seconds": seconds,
        "evaluations": evaluations,
        "milliseconds an evaluation": seconds / evaluations * 1e3,
        "user's script, measured part": measured,
        "user's script, scaled to the same evaluations (seconds)": scaled,
        "ratios": {"user's script": scaled / seconds},
        "load": os.getloadavg()[0],
    }
