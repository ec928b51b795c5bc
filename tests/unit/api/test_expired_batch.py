"""A batch that retention removed is 410 to whom it belonged; what was deleted and what is another's is 404."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from stratopt.bootstrap import Parts
from stratopt.client.errors import NotFoundError, error_of
from stratopt.optimization.api_keys import Scope
from stratopt.optimization.endings import cancelled
from stratopt.optimization.jobs import BatchState

BODY = {"strategies": ["RSI"], "common_config": {"asset": "BTC"}}
DAY = 86_400.0
AddKey = Callable[..., str]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def ended(client: TestClient, parts: Parts, **headers: Any) -> dict[str, Any]:
    """A batch that ended a moment ago."""
    batch: dict[str, Any] = client.post("/api/v1/optimize/batch", json=BODY, **headers).json()
    store, now = parts.service.manager.store, time.time()
    store.end_queued(batch["batch_id"], cancelled(), now)
    store.end_batch(batch["batch_id"], BatchState.CANCELLED, now)
    return client.get(batch["links"]["self"], **headers).json()  # type: ignore[no-any-return]


def expired(client: TestClient, parts: Parts, **headers: Any) -> dict[str, Any]:
    batch = ended(client, parts, **headers)
    assert parts.service.manager.store.expire_batch(batch["batch_id"], time.time() + 31 * DAY)
    return batch


def test_the_problem_says_when_it_expired_and_what_sets_the_time(client: TestClient, parts: Parts) -> None:
    batch = expired(client, parts)
    answer = client.get(batch["links"]["self"])
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (410, "batch_expired")
    assert (problem["expired_at"], problem["retention_days"]) == (batch["expires_at"], 30.0)
    for part in (batch["batch_id"], batch["expires_at"], "30 days", "retention_days"):
        assert part in problem["detail"]
    assert isinstance(error_of(410, problem, None), NotFoundError)


def test_every_path_of_the_batch_is_gone(client: TestClient, parts: Parts) -> None:
    batch = expired(client, parts)
    names = {"batch_id": batch["batch_id"], "strategy_id": "RSI", "table": "trials"}
    asked = [
        (method, template.format(**names))
        for template, operations in client.get("/openapi.json").json()["paths"].items()
        for method in operations
        if "{batch_id}" in template
    ]
    assert len(asked) >= 11
    for method, path in asked:
        answer = client.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (410, "batch_expired"), f"{method} {path}"


def test_only_its_owner_and_administrators_learn_that_there_was_one(
    client: TestClient, parts: Parts, add_key: AddKey
) -> None:
    mine, other = (bearer(add_key(Scope.READ, Scope.WRITE, name=name)) for name in ("a", "b"))
    batch = expired(client, parts, headers=mine)
    path = batch["links"]["self"]
    statuses = [
        client.get(path, headers=who).status_code for who in (mine, other, bearer(add_key(Scope.ADMIN, name="c")))
    ]
    assert statuses == [410, 404, 410]
    shown = client.get(path, headers=other).json()
    missing = re.sub("bat_[0-9a-f]+", "bat_1", str(shown["detail"]))
    assert missing == client.get("/api/v1/optimize/batch/bat_1", headers=other).json()["detail"]


@pytest.mark.parametrize("later", [0.0, 60 * DAY])
def test_what_was_deleted_or_expired_long_ago_does_not_exist(client: TestClient, parts: Parts, later: float) -> None:
    store = parts.service.manager.store
    batch = expired(client, parts) if later else ended(client, parts)
    if later:
        store.forget_expired(time.time() + later)
    else:
        assert client.delete(batch["links"]["self"]).status_code == 204
        assert not store.expire_batch(batch["batch_id"], time.time() + 31 * DAY)
    assert client.get(batch["links"]["self"]).status_code == 404
