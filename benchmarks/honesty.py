"""Does the verdict keep its promise? Batches over markets with and without an edge, end to end: service, workers, search, report.

``python benchmarks/honesty.py --seeds 200`` writes the table to docs/explanation/honesty.md, its short form to README.md and the counts to
benchmarks/honesty.json, and tells of each of the eight pass bars whether it is met.
Every seed is one batch of eight families, TPE with 50 evaluations in each of six folds and once over all bars.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr

from honesty_markets import CURVE, SCENARIOS, WITHOUT_EDGE, YEAR, Scenario, market
from honesty_table import bars_of, write_pages
from stratopt.evaluation.verdict import FEWEST_TRADES

HERE = Path(__file__).parent
FRESH_BARS = 30_000
IN_FLIGHT = 4
WORDS = {True: "met", False: "NOT MET", None: "reported"}


def request(scenario: Scenario, symbol: str, names: Sequence[str], seed: int) -> dict[str, Any]:
    """One batch: every default of the service but no costs, which is the hardest case, fills at the close of the decision, and no points
    with fewer trades than the verdict asks for, in every market.
    """
    return {
        "strategies": list(names),
        "common_config": {
            "asset": symbol,
            "timeframe": "1d",
            "optimization_config": {"max_evals": 50, "algorithm": "tpe", "min_trades": FEWEST_TRADES},
            "costs": {"fee_bps": 0, "slippage_bps": 0},
            "execution": {"fill": "same_close", "direction": scenario.direction},
        },
        "seed": seed,
    }


def run(scenario: Scenario, seeds: range, folder: Path) -> Iterator[tuple[int, Any, Any, Sequence[Any]]]:
    """Seed, report, the report of the same jobs with another bootstrap seed, jobs."""
    from stratopt.bootstrap import local_service
    from stratopt.market.catalogue import Catalogue
    from stratopt.optimization.result_aggregator import ResultAggregator
    from stratopt.wire.optimization import BatchRequest

    catalogue = Catalogue(folder)
    with local_service() as service:
        names = [s.name for s in service.planner.strategies if s.category == "custom"]
        waiting: list[tuple[int, str]] = []
        for seed in [*seeds, *[None] * IN_FLIGHT]:
            if seed is not None:
                symbol = f"{scenario.name.upper()}-{seed}"
                catalogue.add(market(scenario, seed, symbol=symbol), {"description": "synthetic"})
                body = BatchRequest.model_validate(request(scenario, symbol, names, seed))
                waiting.append((seed, service.submit_batch(body)[0].batch_id))
            if waiting and (seed is None or len(waiting) > IN_FLIGHT):
                done, batch_id = waiting.pop(0)
                batch = service.manager.wait(batch_id)
                jobs = service.manager.store.jobs(batch_id)
                other = ResultAggregator().aggregate(
                    dataclasses.replace(batch, seed=batch.seed + 10_000), jobs, service.artifacts
                )
                yield done, service.report(batch), other, jobs


def measured(scenario: Scenario, seed: int, report: Any, other: Any, jobs: Sequence[Any]) -> dict[str, Any]:
    """The facts of one batch that the table is made of."""
    if report.failures:
        raise RuntimeError(f"{scenario.name} seed {seed}: {report.failures[0].code}: {report.failures[0].message}")
    evidence = report.evidence
    real = [r.strategy_id for r in report.ranking if r.verdict == "likely_real"]
    by_p = {r.strategy_id: r.evidence["step_down_p"] for r in report.ranking}
    spa = evidence["spa"]["consistent"]
    passed = [name for name, p in by_p.items() if p is not None and p <= 0.05]
    best = max(report.ranking, key=lambda r: r.out_of_sample["sharpe_ratio"] or -math.inf)
    bias = {form: evidence["headline"]["raw"] - evidence["headline"][form] for form in ("if_none_is_real", "if_real")}
    raw = best.out_of_sample["sharpe_ratio"] or 0.0
    other_p = {r.strategy_id: r.evidence["step_down_p"] for r in other.ranking}
    return {
        "seed": seed,
        "real": real,
        "stepm": passed,
        "spa": spa,
        "rule": passed if spa <= 0.05 else [],
        "strict": passed if spa <= 0.01 else [],
        "pbo": evidence["pbo"]["pbo"],
        "naive": naive(jobs),
        "raw": raw,
        "form_a": raw - bias["if_none_is_real"],
        "form_b": raw - bias["if_real"],
        "true": true_sharpe(scenario, seed, best, jobs) if scenario.edge else 0.0,
        "edge_sharpe": max(
            (r.out_of_sample["sharpe_ratio"] or 0.0 for r in report.ranking if r.strategy_id in scenario.edge),
            default=0,
        ),
        "without_edge": WITHOUT_EDGE in real,
        "likely_luck": sum(1 for r in report.ranking if r.verdict == "likely_luck"),
        "same_flags": real == [r.strategy_id for r in other.ranking if r.verdict == "likely_real"],
        "spa_moves": abs(spa - other.evidence["spa"]["consistent"]),
        "stepm_moves": max(abs(p - other_p[name]) for name, p in by_p.items() if p is not None),
    }


def canary() -> bool:
    """Whether a strategy that knows the next bar is refused for just that."""
    from stratopt import IntRange, optimize, strategy
    from stratopt.errors import StratoptError

    @strategy(space={"bars": IntRange(1, 3)})
    def next_bar(bars: Any, params: Mapping[str, Any]) -> np.ndarray:
        """Holds the side of a move that is still to come."""
        ahead = params["bars"]
        return np.sign(np.append(bars.close[ahead:], [bars.close[-1]] * ahead) - bars.close).astype(int)

    try:
        optimize(market(SCENARIOS["null-iid"], 0, symbol="CANARY"), next_bar, max_evals=5)
    except StratoptError as error:
        return error.code == "look_ahead"
    return False


def repeatable(scenario: Scenario, seed: int, folder: Path) -> bool:
    """Whether one batch, run twice by two services, has the same ranking, verdicts and evidence."""
    reports = [report for _ in range(2) for _, report, _, _ in run(scenario, range(seed, seed + 1), folder)]
    one, other = ([[r.strategy_id, r.verdict, r.evidence, r.best_params] for r in report.ranking] for report in reports)
    return one == other and reports[0].evidence == reports[1].evidence


def naive(jobs: Sequence[Any]) -> bool:
    """Best in sample of everything that was tried, believed because its probabilistic Sharpe ratio is above 95 %."""
    best = max(
        (job.result["in_sample"] for job in jobs if job.result), key=lambda side: side["metrics"]["sharpe_ratio"]
    )
    metrics, periods = best["metrics"], best["metrics"]["period_count"]
    ratio = metrics["sharpe_ratio"] / math.sqrt(metrics["periods_per_year"])
    spread = 1.0 - metrics["skewness"] * ratio + (metrics["kurtosis"] - 1.0) / 4.0 * ratio**2
    return bool(ndtr(ratio * math.sqrt(periods - 1) / math.sqrt(spread)) > 0.95)


def true_sharpe(scenario: Scenario, seed: int, best: Any, jobs: Sequence[Any]) -> float:
    """Yearly ratio of the winner's out-of-sample parameters on fresh bars of the same market."""
    from stratopt.backtest.costs import Costs
    from stratopt.backtest.engine import backtest
    from stratopt.backtest.execution import Execution
    from stratopt.strategies.catalogue import StrategyCatalogue

    strategies = StrategyCatalogue.with_own(HERE / "honesty_families")
    fresh = market(scenario, seed + 1_000_000, symbol="FRESH", sessions=FRESH_BARS)
    (job,) = [job for job in jobs if job.spec.strategy_id == best.strategy_id]
    execution = Execution(fill="same_close", direction=scenario.direction)
    means, squares = [], []
    for params in {json.dumps(f["params"], sort_keys=True) for f in job.result["folds"] if f["params"]}:
        found = backtest(
            fresh,
            strategies.get(job.spec.strategy),
            json.loads(params),
            costs=Costs.free(),
            execution=execution,
            start=252,
        )
        weight = sum(1 for f in job.result["folds"] if json.dumps(f["params"], sort_keys=True) == params)
        returns = found.returns.to_numpy()
        means.append(weight * returns.mean())
        squares.append(weight * returns.var())
    folds = sum(1 for f in job.result["folds"] if f["params"])
    return float(sum(means) / folds / math.sqrt(sum(squares) / folds) * math.sqrt(YEAR))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="batches a scenario")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument("--minutes", type=float, default=30.0, help="stop in time; what is measured is told")
    parser.add_argument("--json", type=Path, default=HERE / "honesty.json")
    parser.add_argument("--document", type=Path, default=HERE.parent / "docs" / "explanation" / "honesty.md")
    parser.add_argument("--readme", type=Path, default=HERE.parent / "README.md")
    chosen = parser.parse_args()
    began, wanted = time.monotonic(), chosen.scenarios.split(",")
    facts: dict[str, list[Mapping[str, Any]]] = {name: [] for name in wanted}
    with tempfile.TemporaryDirectory(prefix="honesty-") as folder:
        os.environ["STRATOPT_DATA_DIR"], os.environ["STRATOPT_STRATEGY_FOLDER"] = folder, str(HERE / "honesty_families")
        checks = {"canary": canary(), "repeatable": repeatable(SCENARIOS[wanted[0]], chosen.first_seed, Path(folder))}
        for position, name in enumerate(wanted):
            left = [other for other in wanted[position:] if name in CURVE or other not in CURVE]  # bars come first
            share = (chosen.minutes * 60 - (time.monotonic() - began)) / len(left)
            until = time.monotonic() + share
            scenario = SCENARIOS[name]
            for seed, report, other, jobs in run(
                scenario, range(chosen.first_seed, chosen.first_seed + chosen.seeds), Path(folder)
            ):
                facts[name].append(measured(scenario, seed, report, other, jobs))
                if time.monotonic() > until:
                    break
            flagged = np.mean([bool(f["real"]) for f in facts[name]])
            print(
                f"{name}: {len(facts[name])} batches, {flagged:.1%} with a strategy called real, {time.monotonic() - began:.0f} s"
            )
    seconds = time.monotonic() - began
    chosen.json.write_text(json.dumps({"seconds": seconds, "checks": checks, "facts": facts}))
    bars = bars_of(facts, checks)
    write_pages(facts, bars, seconds, chosen.document, chosen.readme)
    for bar in bars:
        print(f"bar {bar.number} {WORDS[bar.met]}: {bar.text}: {bar.measured}")


if __name__ == "__main__":
    main()
