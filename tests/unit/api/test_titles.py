"""Every code has one title, wherever it is told."""

from __future__ import annotations

import time

import pytest
from fastapi.testclient import TestClient

from stratopt.bootstrap import Parts
from stratopt.optimization.jobs import Ending, Failure, JobState

BODY = {"strategies": ["RSI"], "common_config": {"asset": "BTC"}}


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("unknown_symbol", "The symbol does not exist"),
        ("unknown_strategy", "The strategy does not exist"),
        ("no_trades", "No parameters led to enough trades"),
        ("unknown_objective", "The objective does not exist"),
    ],
)
def test_an_item_that_failed_has_the_title_of_its_code(client: TestClient, parts: Parts, code: str, title: str) -> None:
    batch = client.post("/api/v1/optimize/batch", json=BODY).json()
    store = parts.service.manager.store
    job = store.claim(full_batches=[], now=time.time())
    assert job is not None
    failure = Failure(code=code, message="it is gone since")
    store.finish(job.job_id, job.fence, Ending(state=JobState.FAILED, failure=failure), time.time())
    (item,) = client.get(batch["links"]["results"]).json()["data"]
    assert item["error"]["title"] == title
    assert title in client.get(item["error"]["type"]).text


@pytest.mark.parametrize("code", ["unknown_symbol", "unknown_strategy", "internal_error"])
def test_the_page_of_a_code_says_that_items_have_it_too(client: TestClient, code: str) -> None:
    assert "An item of a batch may have it, too." in client.get(f"/errors/{code}").text
    assert "An item" not in client.get("/errors/rate_limited").text
