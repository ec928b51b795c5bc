"""Timing shared by the benchmarks: warm-up, at least five rounds of all competitors in turn, median and spread, the machine."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds of one competitor: median and interquartile range over the rounds, and how many units one round does."""

    median: float
    spread: float
    units: int

    @property
    def per_unit(self) -> float:
        return self.median / self.units

    def to_dict(self) -> dict[str, float]:
        return {"seconds": self.median, "spread": self.spread, "units": self.units, "per_unit": self.per_unit}


def measure(competitors: Mapping[str, tuple[Callable[[], object], int]], rounds: int = 5) -> dict[str, Timing]:
    """Each competitor is a function and the units it does. Rounds go through all of them in turn, so that a busy machine hits all."""
    times: dict[str, list[float]] = {name: [] for name in competitors}
    for run, _ in competitors.values():
        run()
    for _ in range(rounds):
        for name, (run, _) in competitors.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    found = {}
    for name, values in times.items():
        low, _, high = statistics.quantiles(values, n=4)
        found[name] = Timing(median=statistics.median(values), spread=high - low, units=competitors[name][1])
    return found


def slope(sizes: list[int], seconds: list[float]) -> float:
    """Of the line through the logarithms: 1 is linear."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def machine() -> dict[str, object]:
    """What the numbers were measured on."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        "?",
    )
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }
