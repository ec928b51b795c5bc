"""How close searches come to the optimum: our TPE against hyperopt's and Optuna's, on functions and on real strategies.

    python benchmarks/search_quality.py --results FILE [--engines tpe,hyperopt_tpe] [--seeds 20] [--evaluations 1000]

Runs what FILE (JSON lines) does not have yet and prints the table and its summary as JSON. An evaluation is one point asked for,
repeated or not: a repeat costs a user of those libraries a backtest too.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from pathlib import Path

from search_tasks import Task, functions, regret, strategies
from stratopt.search.algorithms import make_sampler

CHECKPOINTS = (200, 1000)
OURS, RIVALS = "tpe", ("hyperopt_tpe", "optuna_tpe")
CLOSE = 0.01


def search(task: Task, engine: str, seed: int, evaluations: int) -> dict[str, float | None]:
    """Best score after each checkpoint, and the seconds it took."""
    sampler = make_sampler(engine, task.space, seed=seed, budget=evaluations)
    best: float | None = None
    found: dict[str, float | None] = {}
    began = time.perf_counter()
    for number in range(1, evaluations + 1):
        asked = sampler.ask(1)
        if asked:
            (outcome,) = task.evaluate([asked[0].params])
            sampler.tell(asked[0].number, outcome.losses())
            if outcome.score is not None and (best is None or outcome.score > best):
                best = outcome.score
        if number in CHECKPOINTS:
            found[f"s{number}"] = best
    return {**found, "seconds": time.perf_counter() - began}


def run(tasks: list[Task], results: Path, engines: list[str], seeds: int, evaluations: int) -> None:
    done = {(r["task"], r["engine"], r["seed"]) for r in read(results) if r["n"] >= evaluations}
    with results.open("a") as file:
        for seed in range(seeds):
            for task in tasks:
                for engine in engines:
                    if (task.name, engine, seed) not in done:
                        row = search(task, engine, seed, evaluations)
                        line = {"task": task.name, "engine": engine, "seed": seed, "n": evaluations, **row}
                        file.write(json.dumps(line) + "\n")
                        file.flush()


def read(results: Path) -> list[dict]:
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def table(tasks: list[Task], rows: list[dict]) -> list[dict]:
    """Median regret by task, checkpoint and engine, with the number of seeds."""
    scores = [(r["task"], r[f"s{c}"]) for r in rows for c in CHECKPOINTS if r.get(f"s{c}") is not None]
    known = {task.name: max((s for t, s in scores if t == task.name), default=math.nan) for task in tasks}
    lines = []
    for task in tasks:
        for checkpoint in CHECKPOINTS:
            line: dict = {"task": task.name, "evaluations": checkpoint}
            for engine in (OURS, *RIVALS):
                mine = [
                    r
                    for r in rows
                    if r["task"] == task.name and r["engine"] == engine and r.get(f"s{checkpoint}", 0) != 0
                ]
                regrets = [
                    regret(task, r[f"s{checkpoint}"], known)
                    for r in mine
                    if f"s{checkpoint}" in r and r["n"] >= checkpoint
                ]
                line[engine] = statistics.median(regrets) if regrets else None
                line[f"{engine}_seeds"] = len(regrets)
            line["no_worse"] = _no_worse(line)
            lines.append(line)
    return lines


def _no_worse(line: dict) -> bool | None:
    rivals = [line[rival] for rival in RIVALS if line[rival] is not None]
    return None if line[OURS] is None or not rivals else line[OURS] <= min(rivals) + 1e-12


def summary(lines: list[dict]) -> dict:
    """Share of task × checkpoint cells that are no worse than each rival, and the geometric mean of the ratios of regret."""
    told: dict = {}
    for rival in RIVALS:
        cells = [line for line in lines if line[OURS] is not None and line[rival] is not None]
        ratios = [(line[OURS] + CLOSE * _scale(line)) / (line[rival] + CLOSE * _scale(line)) for line in cells]
        told[rival] = {
            "cells": len(cells),
            "no_worse_share": sum(line[OURS] <= line[rival] + 1e-12 for line in cells) / max(1, len(cells)),
            "geometric_mean_regret_ratio": math.exp(statistics.mean(map(math.log, ratios))) if ratios else None,
        }
    both = [line["no_worse"] for line in lines if line["no_worse"] is not None]
    told["both"] = {"cells": len(both), "no_worse_share": sum(both) / max(1, len(both))}
    return told


def _scale(line: dict) -> float:
    """A hundredth of the larger regret keeps ratios finite where a regret is zero."""
    return max(v for e in (OURS, *RIVALS) if (v := line[e]) is not None) or 1.0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--engines", default=",".join((OURS, *RIVALS)))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--evaluations", type=int, default=1000)
    parser.add_argument("--tasks", default="", help="beginning of the names of the tasks to run; all by default")
    given = parser.parse_args()
    every = [*functions(), *strategies()]
    chosen = [task for task in every if task.name.startswith(tuple(given.tasks.split(",")))]
    run(chosen, given.results, given.engines.split(","), given.seeds, given.evaluations)
    lines = table(every, read(given.results))
    print(json.dumps({"table": lines, "summary": summary(lines)}, indent=1))
