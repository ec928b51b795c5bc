"""A batch that is deleted while its results are streamed: the stream does not look complete."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from stratopt.bootstrap import Parts
from stratopt.optimization.exceptions import BatchOptimizationError
from stratopt.optimization.job_store import JobStore
from stratopt.optimization.jobs import BatchState, Ending, JobState

BODY = {"strategies": ["RSI", "MACD", "Donchian"], "common_config": {"asset": "BTC"}}
SUCCESS = Ending(state=JobState.SUCCEEDED, result={"summary": {}, "artifacts": {}})


class Deleting:
    """A store that reads one job at a time and loses the batch before it reads the second."""

    def __init__(self, store: JobStore, batch_id: str, during: str) -> None:
        self.store, self.batch_id, self.during, self.read = store, batch_id, during, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def _one_more(self, method: str) -> None:
        self.read += method == self.during
        if self.read == 2:
            self.store.delete_batch(self.batch_id)

    def jobs(self, batch_id: str, **options: Any) -> Any:
        if "limit" in options:
            self._one_more("jobs")
            options["limit"] = 1
        return self.store.jobs(batch_id, **options)

    def job(self, job_id: str) -> Any:
        self._one_more("job")
        return self.store.job(job_id)


def ended_batch(client: TestClient, store: JobStore) -> str:
    batch_id: str = client.post("/api/v1/optimize/batch", json=BODY).json()["batch_id"]
    while job := store.claim(full_batches=[], now=time.time()):
        store.finish(job.job_id, job.fence, SUCCESS, time.time())
    store.end_batch(batch_id, BatchState.COMPLETED, time.time())
    return batch_id


@pytest.mark.parametrize(
    ("sort", "during", "count"),
    [
        ("index", "never", 3),
        ("strategy", "never", 3),
        ("index", "jobs", 1),
        ("strategy", "jobs", 0),
        ("-strategy", "job", 1),
    ],
)
def test_the_end_line_tells_whether_everything_came(
    client: TestClient, parts: Parts, monkeypatch: pytest.MonkeyPatch, sort: str, during: str, count: int
) -> None:
    manager = parts.service.manager
    batch_id = ended_batch(client, manager.store)
    monkeypatch.setattr(manager, "store", Deleting(manager.store, batch_id, during))
    path = f"/api/v1/optimize/batch/{batch_id}/results"
    answer = client.get(path, params={"sort": sort}, headers={"Accept": "application/x-ndjson"})
    meta, *items, end = map(json.loads, answer.text.splitlines())
    assert meta["status"] == "completed"
    assert end == {"type": "end", "count": count, "complete": during == "never"}
    assert len(items) == count


class Emptied:
    """A store that loses the batch just before its jobs are read."""

    def __init__(self, store: JobStore) -> None:
        self.store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def jobs(self, batch_id: str, **options: Any) -> Any:
        if self.store.batch(batch_id) is not None:
            self.store.delete_batch(batch_id)
        return self.store.jobs(batch_id, **options)


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/results", "application/json"),
        ("/results?sort=rank", "application/json"),
        ("/results", "text/csv"),
        ("/report", "application/json"),
        ("/report?format=html", "text/html"),
        ("/errors", "application/json"),
    ],
)
def test_what_would_be_made_of_nothing_is_not_found(
    client: TestClient, parts: Parts, monkeypatch: pytest.MonkeyPatch, path: str, accept: str
) -> None:
    manager = parts.service.manager
    batch_id = ended_batch(client, manager.store)
    batch = parts.service.batch(batch_id)
    monkeypatch.setattr(manager, "store", Emptied(manager.store))
    answer = client.get(f"/api/v1/optimize/batch/{batch_id}{path}", headers={"Accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    with pytest.raises(BatchOptimizationError, match="there is no batch"):
        parts.service.report(batch)
