"""The service under load, as JSON: submissions, queues, one key from many threads, many readers, long streams, dispatch.

    python benchmarks/service.py [--part dispatch]

Figures are of one server on this machine, with the client on the same cores. Each has a limit; exit code 1 if one is missed.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.faults.harness import Server, assert_invariants, quick_config, running

from stratopt.client.errors import ApiError
from stratopt.optimization.endings import cancelled
from stratopt.storage.dialects import sqlite_engines
from stratopt.storage.sql_job_store import SqlJobStore

STRATEGIES = [{"name": "Quick", "strategy_id": f"q{i}"} for i in range(200)]
SYMBOLS = ["BTC", "ETH", "LTC", "SPX", "AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA"]
STREAMED_ROWS = 200_000
"""Distinct points over three folds and the final search."""

TIMEFRAMES = ["1d", "1w", "2w", "3d", "1M"]
ROUNDS = 3
CLAIMS = 1000


@dataclass(frozen=True)
class Target:
    """A promise about one figure; ``part/name`` says which."""

    figure: str
    says: str
    keeps: Callable[[Any], bool]

    def verdict(self, figures: dict[str, Any]) -> dict[str, Any] | None:
        """What was measured against the limit; None where its part did not run."""
        part, *names = self.figure.split("/")
        if part not in figures:
            return None
        found: Any = figures[part]
        for name in names:
            found = found[name]
        return {"figure": self.figure, "value": found, "limit": self.says, "met": self.keeps(found)}


def below(limit: float, unit: str) -> tuple[str, Callable[[Any], bool]]:
    return f"< {limit:g} {unit}", lambda value: value < limit


def exactly(wanted: object) -> tuple[str, Callable[[Any], bool]]:
    return f"= {wanted}", lambda value: value == wanted


TARGETS = (
    Target("submissions/jobs_10000_in_one_request/p99_seconds", *below(2, "s")),
    Target("submissions/cancel_of_10000_queued_seconds", *below(1, "s")),
    Target("submissions/requests_500_of_20_jobs/p99_seconds", *below(0.1, "s")),
    Target("one_key/batches", *exactly(1)),
    Target("readers/complete_without_gap", *exactly(200)),
    Target("long_stream/rows", *exactly(STREAMED_ROWS)),
    Target("long_stream/rows_per_second", "> 50000", lambda value: value > 50_000),
    Target("long_stream/memory_growth_megabytes", "within 50 MB", lambda value: abs(value) <= 50),
    Target("dispatch/overhead_per_job_milliseconds", *below(5, "ms")),
    Target("claims/p99_milliseconds", *below(50, "ms")),
    Target("overload/refused_by_status", "429 and 503", lambda value: set(value) == {"429", "503"}),
    Target("overload/refused_without_retry_after", *exactly(0)),
    Target("overload/accepted_and_lost", *exactly(0)),
    Target("overload/patient_client_got_through", "yes", bool),
    Target("two_workers/speedup", ">= 1.8", lambda value: value >= 1.8),
)


def many(jobs: int) -> dict[str, Any]:
    config = {**quick_config(2), "symbols": SYMBOLS, "timeframes": TIMEFRAMES}
    del config["asset"]
    return {"strategies": STRATEGIES[: jobs // 50], "common_config": config}


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, round(share * (len(values) - 1)))]


def submissions(server: Server) -> dict[str, Any]:
    client = server.client()
    client.optimize_batch({"strategies": ["Quick"], "common_config": quick_config(2)}).wait()
    blocker = server.submit(
        [{"name": "Slow", "strategy_id": f"s{i}"} for i in range(2)], quick_config(3000), priority=9
    )
    one_request, cancel = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        large = client.optimize_batch(many(10_000))
        one_request.append(time.perf_counter() - began)
        began = time.perf_counter()
        large.cancel()
        while not large.refresh().is_terminal:
            time.sleep(0.005)
        cancel.append(time.perf_counter() - began)
    body = {"strategies": STRATEGIES[:20], "common_config": quick_config(2)}
    seconds, made = [], []
    for _ in range(500):
        began = time.perf_counter()
        made.append(client.optimize_batch(body))
        seconds.append(time.perf_counter() - began)
    small = client.optimize_batch({"strategies": ["Quick"], "common_config": quick_config(2), "priority": 9})
    for batch in [*made, blocker]:
        batch.cancel()
    small.wait()
    return {
        "jobs_10000_in_one_request": {
            "rounds": ROUNDS,
            "median_seconds": percentile(one_request, 0.5),
            "p99_seconds": percentile(one_request, 0.99),
        },
        "cancel_of_10000_queued_seconds": max(cancel),
        "requests_500_of_20_jobs": {
            "p50_seconds": percentile(seconds, 0.5),
            "p99_seconds": percentile(seconds, 0.99),
            "max_seconds": max(seconds),
        },
    }


def one_key(server: Server) -> dict[str, Any]:
    body = {"strategies": ["Quick"], "common_config": quick_config(2)}
    with ThreadPoolExecutor(50) as pool:
        made = set(
            pool.map(lambda _: server.client().optimize_batch(body, idempotency_key="bench").batch_id, range(50))
        )
    return {"threads": 50, "batches": len(made)}


def readers(server: Server) -> dict[str, Any]:
    batch = server.submit([{"name": "Slow", "strategy_id": f"s{i}"} for i in range(6)], quick_config(15))
    seen: list[list[int]] = []

    def follow() -> None:
        with (
            httpx2.Client(base_url=server.address, timeout=120) as http,
            http.stream("GET", f"/api/v1/optimize/batch/{batch.batch_id}/events") as answer,
        ):
            seen.append([int(line[4:]) for line in answer.iter_lines() if line.startswith("id: ")])

    threads = [threading.Thread(target=follow) for _ in range(200)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    complete = sum(ids == list(range(1, 8)) for ids in seen)
    return {"readers": 200, "complete_without_gap": complete, "seconds": time.perf_counter() - began}


def long_stream(server: Server) -> dict[str, Any]:
    config = quick_config(STREAMED_ROWS // 4, timeout_minutes=10, cross_validation=True)
    batch = server.submit([{"name": "MovingAverageCrossover"}], {**config, "validation_config": {"folds": 3}}).wait()
    batch.report("json")  # made when a batch ends; its memory is not the stream's
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    before, peak, rows = process.memory_info().rss, 0, 0
    began = time.perf_counter()
    with (
        httpx2.Client(base_url=server.address, timeout=120) as http,
        http.stream("GET", f"/api/v1/optimize/batch/{batch.batch_id}/results/MovingAverageCrossover/trials") as answer,
    ):
        last = b""
        for piece in answer.iter_bytes():
            rows += piece.count(b"\n")
            last = (last + piece)[-200:]
            peak = max(peak, process.memory_info().rss)
    seconds = time.perf_counter() - began
    end = json.loads(last.splitlines()[-1])
    assert end["count"] == STREAMED_ROWS, f"{end['count']} rows are not the {STREAMED_ROWS} that were to be streamed"
    return {
        "rows": end["count"],
        "rows_per_second": rows / seconds,
        "memory_growth_megabytes": (peak - before) / 1e6,
        "complete": end["complete"],
    }


def dispatch(server: Server) -> dict[str, Any]:
    batch = server.submit(STRATEGIES, quick_config(1), parallel_jobs=1).wait()
    items = list(batch.results())
    rows = server.rows(
        f"SELECT MIN(started_at) AS first, MAX(ended_at) AS last FROM jobs WHERE batch_id = '{batch.batch_id}'"
    )
    wall = rows[0]["last"] - rows[0]["first"]
    worked = sum(item["resources"]["wall_seconds"] for item in items)
    return {
        "jobs": len(items),
        "overhead_per_job_milliseconds": (wall - worked) / len(items) * 1000,
        "work_per_job_milliseconds": worked / len(items) * 1000,
    }


def claims(folder: Path) -> dict[str, Any]:
    """From the store directly, with 10,000 jobs in the queue: the claim alone, and that of the next job with the end of one."""
    with running(folder) as server:
        blocker = server.submit([{"name": "Slow", "strategy_id": f"s{i}"} for i in range(2)], quick_config(3000))
        large = server.submit(many(10_000)["strategies"], many(10_000)["common_config"])
        server.kill()
    writer, reader = sqlite_engines(folder / "stratopt.sqlite")
    store = SqlJobStore(writer, reader)
    alone, with_end = [], []
    try:
        for _ in range(CLAIMS):
            began = time.perf_counter()
            job = store.claim(full_batches=[blocker.batch_id], now=time.time())
            alone.append((time.perf_counter() - began) * 1000)
            assert job is not None
            assert job.batch_id == large.batch_id
            began = time.perf_counter()
            store.finish_and_claim(job.job_id, job.fence, cancelled(), full_batches=[blocker.batch_id], now=time.time())
            with_end.append((time.perf_counter() - began) * 1000)
    finally:
        store.close()
    return {
        "queued_jobs": 10_000,
        "claims": CLAIMS,
        "p50_milliseconds": percentile(alone, 0.5),
        "p99_milliseconds": percentile(alone, 0.99),
        "with_the_end_of_another_p99_milliseconds": percentile(with_end, 0.99),
    }


def overload(folder: Path) -> dict[str, Any]:
    refused: list[ApiError] = []
    body = {"strategies": STRATEGIES[:10], "common_config": quick_config(2)}
    with running(folder, max_queued_jobs=50, submissions_per_minute=200) as server:
        accepted = []
        client = server.client(retries=0)
        for _ in range(300):
            try:
                accepted.append(client.optimize_batch(body))
            except ApiError as error:
                refused.append(error)
        server.acknowledged += [batch.batch_id for batch in accepted]
        lost = sum(batch.wait().status["counts"]["succeeded"] != 10 for batch in accepted)
        patient = server.client(retries=10)
        through = patient.optimize_batch(body).wait().status["status"] == "completed"
        assert_invariants(server)
    return {
        "accepted": len(accepted),
        "accepted_and_lost": lost,
        "refused": dict(Counter(error.code for error in refused)),
        "refused_by_status": dict(Counter(str(error.status) for error in refused)),
        "refused_without_retry_after": sum(error.retry_after is None for error in refused),
        "patient_client_got_through": through,
    }


def two_workers(folder: Path) -> dict[str, Any]:
    """In turns, and the quicker run of each counts, for other programs only slow down; as ``stratopt doctor`` does."""
    body = {
        "strategies": [{"name": "MovingAverageCrossover", "strategy_id": f"m{i}"} for i in range(8)],
        "common_config": quick_config(4000),
    }
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with running(folder) as server:
        client = server.client()
        client.optimize_batch({**body, "common_config": quick_config(10)}).wait().report("json")
        for workers in (1, 2) * ROUNDS:
            batch = client.optimize_batch({**body, "parallel_jobs": workers}).wait()
            (row,) = server.rows(f"SELECT ended_at - started_at AS s FROM batches WHERE batch_id = '{batch.batch_id}'")
            seconds[workers].append(row["s"])
            batch.report("json")  # is made in the background: the next batch must not share the processor with it
    one, two = (min(seconds[workers]) for workers in (1, 2))
    return {"rounds": ROUNDS, "one_worker_seconds": one, "two_workers_seconds": two, "speedup": one / two}


def wanted(chosen: list[str] | None, name: str) -> bool:
    return not chosen or name in chosen


def judge(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """A table of what was promised, printed; the targets of parts that did not run are left out."""
    verdicts = [verdict for target in TARGETS if (verdict := target.verdict(figures))]
    for verdict in verdicts:
        value = f"{verdict['value']:.4g}" if isinstance(verdict["value"], float) else str(verdict["value"])
        print(f"{verdict['figure']:60} {value:>24} {verdict['limit']:>14}  {'yes' if verdict['met'] else 'NO'}")
    return verdicts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--part", action="append", help="only this part; may be repeated")
    options = parser.parse_args()
    parts = [p for p in (submissions, one_key, readers, long_stream, dispatch) if wanted(options.part, p.__name__)]
    figures: dict[str, Any] = {
        "machine": f"{platform.machine()}, {psutil.cpu_count()} cores, Python {platform.python_version()}"
    }
    with tempfile.TemporaryDirectory() as folder:
        generous = {
            "max_queued_jobs": 100_000,
            "submissions_per_minute": 100_000,
            "reads_per_minute": 1_000_000,
            "max_active_batches": 10_000,
            "max_streams": 1000,
        }
        with running(Path(folder) / "a", **generous) as server:
            for part in parts:
                figures[part.__name__] = part(server)
                print(json.dumps({part.__name__: figures[part.__name__]}), flush=True)
        for measure in (claims, overload, two_workers):
            if wanted(options.part, name := measure.__name__):
                figures[name] = measure(Path(folder) / name)
                print(json.dumps({name: figures[name]}), flush=True)
    figures["targets"] = judge(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0 if all(target["met"] for target in figures["targets"]) else 1


if __name__ == "__main__":
    sys.exit(main())
