"""While the server shuts down it accepts nothing new, says so, and still answers who asks."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from stratopt.bootstrap import Parts
from stratopt.optimization.endings import cancelled
from stratopt.optimization.jobs import BatchState

BATCH, SINGLE = "/api/v1/optimize/batch", "/api/v1/optimize/single"
SERIES = {"asset": "BTC"}
BODIES = {BATCH: {"strategies": ["RSI"], "common_config": SERIES}, SINGLE: {"strategy_name": "RSI", **SERIES}}


@pytest.fixture
def ended(client: TestClient, parts: Parts) -> str:
    """Where a batch is that could be retried; the server has begun to shut down since."""
    batch = client.post(BATCH, json=BODIES[BATCH]).json()
    store = parts.service.manager.store
    store.end_queued(batch["batch_id"], cancelled(), 1.0)
    store.end_batch(batch["batch_id"], BatchState.CANCELLED, 2.0)
    client.app.state.draining = True  # type: ignore[attr-defined]
    path: str = batch["links"]["self"]
    return path


@pytest.mark.parametrize("what", ["batch", "single", "retry", "repeated"])
def test_a_submission_is_told_to_come_back_and_nothing_is_stored(
    client: TestClient, parts: Parts, ended: str, what: str
) -> None:
    path = {"batch": BATCH, "single": SINGLE, "retry": f"{ended}/retry", "repeated": BATCH}[what]
    headers = {"Idempotency-Key": "once"} if what == "repeated" else {}
    answer = client.post(path, json=BODIES.get(path), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "draining")
    assert 10 <= int(answer.headers["Retry-After"]) <= 13
    assert len(parts.service.manager.store.batches()) == 1


def test_what_is_there_is_still_told_and_can_be_ended(client: TestClient, ended: str) -> None:
    for path in ("", "/results", "/events", "/errors"):
        assert client.get(ended + path).status_code == 200, path
    assert client.post(f"{ended}/cancel").status_code == 200


def test_who_may_not_submit_is_not_told_how_the_server_is(client: TestClient, ended: str, add_key: Any) -> None:
    add_key()
    assert client.post(BATCH, json=BODIES[BATCH]).json()["code"] == "missing_api_key"


def test_refusals_are_counted(client: TestClient, ended: str) -> None:
    client.post(BATCH, json=BODIES[BATCH])
    rendered = client.app.state.metrics.render().decode()  # type: ignore[attr-defined]
    assert 'stratopt_requests_rejected_total{code="draining"} 1.0' in rendered
