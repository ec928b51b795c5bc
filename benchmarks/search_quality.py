"""How close searches come to the optimum: our TPE against hyperopt's and Optuna's, on functions and on real strategies.

    python benchmarks/search_quality.py [--rivals] [--seeds 20]

Our engine is run anew. What the rivals found is kept in results/search_quality.jsonl, because their thousand evaluations take half a
minute: ``--rivals`` runs what is missing there. Prints table and summary as JSON, and writes the table into the documentation.
An evaluation is one point asked for, repeated or not: a repeat costs a user of those libraries a backtest too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from search_tasks import Task, functions, regret, strategies
from stratopt.search.algorithms import make_sampler

CHECKPOINTS = (200, 1000)
OURS, RIVALS = "tpe", ("hyperopt_tpe", "optuna_tpe")
CLOSE = 0.01
RESULTS = Path(__file__).parent / "results" / "search_quality.jsonl"
PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "search-quality.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


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


def run_rivals(tasks: Sequence[Task], seeds: int, evaluations: int) -> None:
    """Run what the kept results do not have yet."""
    done = {(r["task"], r["engine"], r["seed"]) for r in kept_rows() if r["n"] >= evaluations}
    with RESULTS.open("a") as file:
        for seed, task, engine in itertools.product(range(seeds), tasks, RIVALS):
            if (task.name, engine, seed) not in done:
                file.write(json.dumps(row_of(task, engine, seed, evaluations)) + "\n")
                file.flush()


def row_of(task: Task, engine: str, seed: int, evaluations: int) -> dict:
    """One search."""
    return {
        "task": task.name,
        "engine": engine,
        "seed": seed,
        "n": evaluations,
        **search(task, engine, seed, evaluations),
    }


def kept_rows() -> list[dict]:
    return [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []


def quality(seeds: int = 20, evaluations: int = 1000) -> dict:
    """Table and summary: our engine now, the rivals as kept."""
    tasks = [*functions(), *strategies()]
    mine = [row_of(task, OURS, seed, evaluations) for task in tasks for seed in range(seeds)]
    lines = table(tasks, [*mine, *kept_rows()])
    return {"table": lines, "summary": summary(lines)}


def table(tasks: Sequence[Task], rows: list[dict]) -> list[dict]:
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


def write_page(found: dict) -> None:
    """Put the table and what it sums up to between the markers of the documentation's page."""
    lines = ["| task | evaluations | " + " | ".join((OURS, *RIVALS)) + " |", "|---|---|---|---|---|"]
    for line in found["table"]:
        cells = ["–" if line[e] is None else f"{line[e]:.3g} ({line[f'{e}_seeds']})" for e in (OURS, *RIVALS)]
        lines.append(f"| {line['task']} | {line['evaluations']} | {' | '.join(cells)} |")
    told = found["summary"]
    lines += [
        "",
        f"`tpe` is no worse than the better of the two others in {told['both']['no_worse_share']:.0%} of {told['both']['cells']} rows, "
        + ", ".join(
            f"than {rival} in {told[rival]['no_worse_share']:.0%} of {told[rival]['cells']}" for rival in RIVALS
        )
        + ". The geometric mean of the ratio of regrets is "
        + " and ".join(f"{told[rival]['geometric_mean_regret_ratio']:.2f} against {rival}" for rival in RIVALS)
        + " (below 1 is better; a hundredth of the largest regret of a row is added to both sides).",
    ]
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(before + BEGIN + "\n\n" + "\n".join(lines) + "\n\n" + END + after)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rivals", action="store_true")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--evaluations", type=int, default=1000)
    given = parser.parse_args()
    if given.rivals:
        run_rivals([*functions(), *strategies()], given.seeds, given.evaluations)
    measured = quality(given.seeds, given.evaluations)
    write_page(measured)
    print(json.dumps(measured, indent=1))
