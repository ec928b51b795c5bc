"""What a list of batches tells of each: planned from its jobs, kept beside its counts, read without opening a result."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from stratopt.bootstrap import Parts
from stratopt.optimization.jobs import BatchState, Ending, Failure, JobState

BATCH = "/api/v1/optimize/batch"
BODY = {
    "strategies": [{"name": "RSI", "strategy_id": "fast"}, {"name": "RSI", "strategy_id": "slow"}, "MACD"],
    "common_config": {"symbols": ["ETH", "BTC"], "start_date": "2016-01-01", "end_date": "2020-01-01T00:00:00Z"},
    "strategy_specific_configs": {
        "slow": {"asset": "AAPL", "symbols": None, "timeframe": "1w", "start_date": "2015-06-01"}
    },
}
SUMMARY = ("strategies", "symbols", "timeframes", "start_date", "end_date", "best")


def summary(document: dict[str, Any]) -> dict[str, Any]:
    return {name: document[name] for name in SUMMARY}


def end_all(parts: Parts, batch_id: str, ratios: list[float | None]) -> None:
    """End the jobs of a batch with these out-of-sample Sharpe ratios; None fails."""
    store, now = parts.service.manager.store, time.time()
    failure = Ending(state=JobState.FAILED, failure=Failure(code="strategy_error", message="it broke"))
    for ratio in ratios:
        job = store.claim(full_batches=[], now=now)
        assert job is not None
        result = {"out_of_sample": {"metrics": {"sharpe_ratio": ratio}}, "summary": {}, "artifacts": {}}
        ending = failure if ratio is None else Ending(state=JobState.SUCCEEDED, result=result)
        store.finish(job.job_id, job.fence, ending, now)
    store.end_batch(batch_id, BatchState.COMPLETED, now)


def test_the_plan_of_a_batch_is_told_at_once(client: TestClient) -> None:
    """Of every layer of the request: a strategy with a series and a start of its own counts too."""
    submitted = client.post(BATCH, json=BODY).json()
    assert summary(submitted) == {
        "strategies": 3,
        "symbols": ["ETH", "BTC", "AAPL"],
        "timeframes": ["1d", "1w"],
        "start_date": "2015-06-01T00:00:00.000Z",
        "end_date": "2020-01-01T00:00:00.000Z",
        "best": None,
    }
    (row,) = client.get(BATCH).json()["data"]
    assert summary(row) == summary(submitted)


def test_a_list_tells_the_best_without_opening_a_result(client: TestClient, parts: Parts, tmp_path: Path) -> None:
    batch = client.post(BATCH, json=BODY).json()
    end_all(parts, batch["batch_id"], [0.5, 1.5, None, -1.0, 1.5])
    with sqlite3.connect(tmp_path / "stratopt.sqlite") as connection:
        connection.execute("UPDATE jobs SET result = 'unreadable' WHERE result IS NOT NULL")
    connection.close()
    (row,) = client.get(BATCH).json()["data"]
    job_id = parts.service.manager.store.jobs(batch["batch_id"], with_results=False)[1].job_id
    assert row["best"] == {
        "job_id": job_id,
        "strategy_id": "fast",
        "symbol": "BTC",
        "timeframe": "1d",
        "sharpe_ratio": 1.5,
    }
    assert client.get(batch["links"]["self"]).json()["best"] == row["best"]


def test_a_retry_is_about_what_it_tries_again(client: TestClient, parts: Parts) -> None:
    batch = client.post(BATCH, json=BODY).json()
    end_all(parts, batch["batch_id"], [0.5, 1.5, None, -1.0, 1.5])
    again = client.post(f"{batch['links']['self']}/retry").json()
    assert summary(again) == {
        "strategies": 1,
        "symbols": ["AAPL"],
        "timeframes": ["1w"],
        "start_date": "2015-06-01T00:00:00.000Z",
        "end_date": "2020-01-01T00:00:00.000Z",
        "best": None,
    }


def test_one_strategy_alone_is_listed_like_a_batch(client: TestClient) -> None:
    body = {"strategy_name": "RSI", "asset": "BTC"}
    single = client.post("/api/v1/optimize/single", json=body, headers={"Prefer": "wait=0"}).json()
    told = summary(client.get(f"{BATCH}/{single['batch_id']}").json())
    assert told == {
        "strategies": 1,
        "symbols": ["BTC"],
        "timeframes": ["1d"],
        "start_date": None,
        "end_date": None,
        "best": None,
    }
