"""What batches and jobs cost, while they run and afterwards."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from stratopt.cli.server_process import running_server
from stratopt.client.client import BatchHandle, Client

from .conftest import STRATEGY_FOLDER, quick


def metric(client: Client, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", client.request("GET", "/metrics").text, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def running_job(client: Client, batch: BatchHandle) -> dict[str, Any]:
    """The first job, once its worker has told what it costs."""
    for event in batch.stream():
        if event["event"] == "progress" and event["data"]["progress"]["evaluations_done"]:
            break
    (item,) = batch.results()
    found: dict[str, Any] = client.read("GET", f"/api/v1/optimize/jobs/{item['job_id']}")
    return found


def test_a_finished_batch_tells_what_it_cost(client: Client) -> None:
    before = metric(client, "stratopt_job_cpu_seconds_total")
    batch = client.optimize_batch({"strategies": ["RSI", "MACD", "Raises"], "common_config": quick(30)}).wait()
    items, cost = list(batch.results()), batch.status["resources"]
    for name in ("cpu_seconds", "evaluations"):
        assert cost[name] == round(sum(item["resources"][name] for item in items), 3)
    assert cost["peak_memory_bytes"] == max(item["resources"]["peak_memory_bytes"] for item in items) > 2**20
    assert cost["memory_bytes"] == 0
    assert 0 < cost["worker_utilisation"] <= 1
    assert cost["evaluations_per_second"] > 0
    for item in items[:2]:
        assert item["evaluations"] == {"done": item["result"]["search"]["evaluations"], "total": 30}
        assert item["resources"]["evaluations_per_second"] > 0
    assert metric(client, "stratopt_job_cpu_seconds_total") > before


def wait_for_other_tests(client: Client) -> None:
    """The server is shared, and its metrics are of all batches."""
    for status in client.batches(max_items=1000):
        client.batch(status["batch_id"]).wait()


def test_a_running_job_tells_what_it_costs_now(client: Client) -> None:
    wait_for_other_tests(client)
    batch = client.optimize_batch({"strategies": ["RSI"], "common_config": quick(1_000_000)})
    job = running_job(client, batch)
    assert job["status"] == "running"
    assert job["resources"]["memory_bytes"] > 2**20
    assert job["resources"]["evaluations"] > 0
    status = batch.refresh().status["resources"]
    assert status["memory_bytes"] > 2**20
    assert status["cpu_seconds"] > 0
    assert metric(client, "stratopt_worker_memory_bytes") > 2**20
    assert metric(client, "stratopt_worker_utilisation") == 0.5
    batch.cancel().wait()
    (item,) = batch.results()
    assert item["status"] == "cancelled"
    assert item["resources"]["cpu_seconds"] > 0
    assert batch.status["resources"]["evaluations"] == item["resources"]["evaluations"] > 0


def test_an_overloaded_machine_runs_one_job_at_a_time_and_says_so(tmp_path: Path) -> None:
    settings = {"strategy_folder": STRATEGY_FOLDER, "workers": 2, "maximum_load_per_core": 1e-9}
    with running_server(tmp_path, **settings) as address, Client(address) as client:  # type: ignore[arg-type]
        batch = client.optimize_batch({"strategies": ["RSI", "MACD", "HigherClose"], "common_config": quick(50)})
        assert batch.wait().status["counts"]["succeeded"] == 3
        times = sorted((item["started_at"], item["ended_at"]) for item in batch.results())
        assert all(ended <= started for (_, ended), (started, _) in pairwise(times))
        assert client.read("GET", "/api/v1/system")["admission"] == {"open": True, "reason": None}


def test_without_memory_no_job_starts_and_the_reason_is_told(tmp_path: Path) -> None:
    with running_server(tmp_path, minimum_free_memory_megabytes=10**9) as address, Client(address) as client:
        batch = client.optimize_batch({"strategies": ["RSI"], "common_config": quick()})
        assert client.read("GET", "/api/v1/system")["admission"] == {"open": False, "reason": "memory"}
        assert metric(client, 'stratopt_admission_slowed{reason="memory"}') == 1.0
        assert batch.refresh().status["status"] == "queued"
