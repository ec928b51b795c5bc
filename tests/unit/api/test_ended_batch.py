"""What can be read of a batch that has ended, and tried again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from stratopt.bootstrap import Parts
from stratopt.optimization.endings import cancelled
from stratopt.optimization.jobs import BatchState

BODY = {
    "strategies": ["RSI", "MACD", "Momentum"],
    "common_config": {"asset": "BTC"},
    "label": "night run",
    "metadata": {"ticket": 7},
    "priority": 4,
    "deadline_minutes": 600,
}


@pytest.fixture
def ended(client: TestClient, parts: Parts) -> dict[str, Any]:
    """A batch whose jobs were all cancelled: three events and the one of its end."""
    batch = client.post("/api/v1/optimize/batch", json=BODY).json()
    store = parts.service.manager.store
    store.end_queued(batch["batch_id"], cancelled(), 1.0)
    store.end_batch(batch["batch_id"], BatchState.CANCELLED, 2.0)
    return client.get(batch["links"]["self"]).json()  # type: ignore[no-any-return]


@pytest.mark.parametrize("foreign", ["99", "5", "-1", "abc", "9" * 18, "9" * 40])
def test_an_event_id_of_another_batch_begins_anew(client: TestClient, ended: dict[str, Any], foreign: str) -> None:
    answer = client.get(ended["links"]["events"], headers={"Last-Event-ID": foreign})
    assert answer.status_code == 200
    assert [line for line in answer.text.splitlines() if line.startswith("id")] == ["id: 1", "id: 2", "id: 3", "id: 4"]


def test_the_last_event_id_of_the_batch_leaves_nothing(client: TestClient, ended: dict[str, Any]) -> None:
    assert client.get(ended["links"]["events"], headers={"Last-Event-ID": "4"}).status_code == 204


@pytest.mark.parametrize(("query", "left"), [("", [0, 1, 2]), ("?cursor=0", [1, 2]), ("?cursor=0&sort=-index", [1, 0])])
def test_lines_are_resumed_after_a_cursor(
    client: TestClient, ended: dict[str, Any], query: str, left: list[int]
) -> None:
    answer = client.get(ended["links"]["results"] + query, headers={"Accept": "application/x-ndjson"})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["index"] for line in lines[1:-1]] == left
    assert lines[-1]["count"] == len(left)


def test_a_retry_keeps_what_was_asked_for(client: TestClient, ended: dict[str, Any]) -> None:
    again = client.post(f"{ended['links']['self']}/retry").json()
    for name in ("label", "metadata", "deadline_seconds", "parallel_jobs", "seed"):
        assert again[name] == ended[name]
    stored = client.app.state.service.batch(again["batch_id"])  # type: ignore[attr-defined]
    assert (stored.priority, stored.label) == (4, "night run")


def test_a_retry_that_is_sent_again_with_its_key_is_made_once(client: TestClient, ended: dict[str, Any]) -> None:
    path, key = f"{ended['links']['self']}/retry", {"Idempotency-Key": "once"}
    first, again = (client.post(path, headers=key) for _ in range(2))
    assert again.json()["batch_id"] == first.json()["batch_id"]
    assert [answer.headers.get("Idempotency-Replayed") for answer in (first, again)] == [None, "true"]
    assert client.post(path).json()["batch_id"] != first.json()["batch_id"]


def test_a_batch_that_was_deleted_at_once_has_no_report_to_prepare(
    client: TestClient, ended: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = client.app.state.service  # type: ignore[attr-defined]
    monkeypatch.setattr(service.reports, "in_background", lambda action: action())
    assert client.delete(ended["links"]["self"]).status_code == 204
    service.prepare_report(ended["batch_id"])


@pytest.mark.parametrize("path", ["/api/v1/optimize/batch/", "/api/v1/strategies/RSI/", "/docs/"])
def test_an_address_with_one_slash_more_does_not_exist(client: TestClient, path: str) -> None:
    answer = client.get(path, follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
