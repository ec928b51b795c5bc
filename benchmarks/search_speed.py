"""What a suggestion costs: our TPE against hyperopt's and Optuna's in one run; growth with history; memory. Prints JSON."""

from __future__ import annotations

import json
import math
import statistics
import time
import tracemalloc

from search_quality import quality, write_page
from search_tasks import strategies
from stratopt.search.algorithms import make_sampler
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import FloatRange, IntRange
from stratopt.search.study import Outcome, run_study

SPACE = ParameterSpace({"level": FloatRange(0, 1), "rate": FloatRange(0.001, 10, log=True), "period": IntRange(2, 200)})


def loss(params: dict) -> float:
    return (
        (params["level"] - 0.3) ** 2
        + (math.log(params["rate"]) - 0.5) ** 2 * 0.1
        + ((params["period"] - 50) / 100) ** 2
    )


def seconds_per_trial(engine: str, history: int, trials: int, batch: int = 1) -> float:
    """Median cost of asking for and telling one point after ``history`` points of a real search."""
    sampler = make_sampler(engine, SPACE, seed=1)
    seeded = make_sampler("tpe", SPACE, seed=1)
    for _ in range(history):
        (point,) = seeded.ask(1)
        value = loss(point.params)
        seeded.tell(point.number, [value])
        sampler.observe(point.params, [value])
    times = []
    for _ in range(trials):
        began = time.perf_counter()
        for point in sampler.ask(batch):
            sampler.tell(point.number, [loss(point.params)])
        times.append((time.perf_counter() - began) / batch)
    return statistics.median(times)


def suggestion_seconds() -> dict[str, float]:
    """Seconds a trial after 1,000 of them, by engine."""
    seconds_per_trial("tpe", 50, 20)
    return {
        "tpe": seconds_per_trial("tpe", 1000, 200),
        "tpe_batch_8": seconds_per_trial("tpe", 1000, 50, batch=8),
        "hyperopt_tpe": seconds_per_trial("hyperopt_tpe", 1000, 10),
        "optuna_tpe": seconds_per_trial("optuna_tpe", 1000, 10),
    }


def memory_of_study(trials: int) -> float:
    """Peak MiB of a whole study: engine, trials and memory of repeats."""
    tracemalloc.start()
    run_study(
        SPACE,
        make_sampler("random", SPACE, seed=0),
        lambda points: [Outcome(score=-loss(p)) for p in points],
        max_evaluations=10,
    )
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    sampler = make_sampler("tpe", SPACE, seed=0, startup_trials=trials)
    run_study(
        SPACE, sampler, lambda points: [Outcome(score=-loss(p)) for p in points], max_evaluations=trials, batch_size=64
    )
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return peak / 2**20


def time_to_optimum(engine: str, seed: int, most: int = 2000) -> tuple[float, int]:
    """Seconds and evaluations until MovingAverageCrossover on real data is within 1 % of its exhaustive optimum, at most ``most``."""
    task = next(t for t in strategies() if t.name.startswith("MovingAverageCrossover"))
    target = EXHAUSTIVE.setdefault(task.name, exhaustive(task))
    sampler = make_sampler(engine, task.space, seed=seed)
    began = time.perf_counter()
    evaluations, reached = 0, False
    while not reached and evaluations < most:
        (point,) = sampler.ask(1)
        (outcome,) = task.evaluate([point.params])
        sampler.tell(point.number, outcome.losses())
        evaluations += 1
        reached = outcome.score is not None and outcome.score >= target - 0.01 * abs(target)
    return time.perf_counter() - began, evaluations


def points_visited() -> int:
    """Distinct points of 144 trials on a space of 144 points."""
    space = ParameterSpace({"one": IntRange(1, 12), "two": IntRange(1, 12)})
    study = run_study(
        space,
        make_sampler("tpe", space, seed=0),
        lambda points: [Outcome(score=-abs(p["one"] - p["two"])) for p in points],
        max_evaluations=144,
    )
    return len({tuple(trial.params.values()) for trial in study.trials})


EXHAUSTIVE: dict[str, float] = {}


def exhaustive(task) -> float:
    best = -math.inf
    batch: list = []
    for params in task.space.grid(None):
        batch.append(params)
        if len(batch) == 512:
            best = max(best, _best(task, batch))
            batch = []
    return max(best, _best(task, batch)) if batch else best


def _best(task, batch) -> float:
    return max((o.score for o in task.evaluate(batch) if o.score is not None), default=-math.inf)


def main() -> None:
    at_1000 = suggestion_seconds()
    by_history = {str(n): seconds_per_trial("tpe", n, 100) for n in (100, 1000, 2000, 5000)}
    reached = {
        engine: [time_to_optimum(engine, seed) for seed in range(seeds)]
        for engine, seeds in (("tpe", 20), ("hyperopt_tpe", 5))
    }
    median = {engine: statistics.median(s for s, _ in runs) for engine, runs in reached.items()}
    found = quality()
    write_page(found)
    result = {
        "microseconds_per_trial_at_1000": {k: v * 1e6 for k, v in at_1000.items()},
        "times_faster_than_hyperopt": at_1000["hyperopt_tpe"] / at_1000["tpe"],
        "times_faster_than_optuna": at_1000["optuna_tpe"] / at_1000["tpe"],
        "microseconds_by_history": {k: v * 1e6 for k, v in by_history.items()},
        "growth_1000_to_5000": by_history["5000"] / by_history["1000"],
        "mebibytes_of_100000_trials": memory_of_study(100_000),
        "seconds_to_1_percent_of_optimum": median,
        "evaluations_to_1_percent_of_optimum": {
            e: statistics.median(n for _, n in runs) for e, runs in reached.items()
        },
        "times_faster_to_optimum": median["hyperopt_tpe"] / median["tpe"],
        "points_visited_of_144": points_visited(),
        "quality": found["summary"],
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
