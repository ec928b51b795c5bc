"""A repeated request is answered with what the first one made, whatever changed since; a key of another request is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from stratopt.bootstrap import Parts, make_parts, make_server_app
from stratopt.optimization.endings import cancelled
from stratopt.optimization.jobs import BatchState
from stratopt.settings import Settings

BATCH, SINGLE = "/api/v1/optimize/batch", "/api/v1/optimize/single"
BODY = {"strategies": ["RSI"], "common_config": {"asset": "BTC"}}
ONCE = {"Idempotency-Key": "once"}
RECEIVER = "https://93.184.215.14/hook"


def started(folder: Path, **settings: Any) -> tuple[TestClient, Parts]:
    """A server on ``folder``, as one that was started again with other settings."""
    chosen = Settings(data_dir=folder, **settings)
    parts = make_parts(chosen)
    client = TestClient(make_server_app(chosen, parts), base_url="http://127.0.0.1", headers={"Prefer": "wait=0"})
    return client, parts


def assert_replayed(first: Any, again: Any) -> None:
    assert (first.status_code, again.status_code) == (202, 202), again.text
    assert again.json()["batch_id"] == first.json()["batch_id"]
    assert [answer.headers.get("Idempotency-Replayed") for answer in (first, again)] == [None, "true"]


@pytest.mark.parametrize("registered_again", [True, False])
def test_a_receiver_that_came_or_went_since_does_not_matter(tmp_path: Path, registered_again: bool) -> None:
    client, parts = started(tmp_path, webhooks=True)
    body = {**BODY, "webhook": RECEIVER}
    receiver = client.post("/api/v1/webhooks", json={"url": RECEIVER}).json()["webhook_id"]
    first = client.post(BATCH, json=body, headers=ONCE)
    client.delete(f"/api/v1/webhooks/{receiver}")
    if registered_again:
        client.post("/api/v1/webhooks", json={"url": RECEIVER})
    assert_replayed(first, client.post(BATCH, json=body, headers=ONCE))
    stored = parts.service.manager.store.batches()
    assert [batch.request["webhook"] for batch in stored] == [receiver]


@pytest.mark.parametrize(("path", "named"), [(BATCH, {"strategies": ["Mine"]}), (SINGLE, {"strategy_name": "Mine"})])
def test_a_strategy_that_is_gone_since_does_not_matter(tmp_path: Path, path: str, named: dict[str, Any]) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "mine.py").write_text(
        "import numpy as np\nimport stratopt\n\n\n@stratopt.strategy()\ndef Mine(bars, params):\n"
        '    """Never in the market."""\n    return np.zeros(len(bars), dtype=int)\n'
    )
    body = {**named, **({"common_config": {"asset": "BTC"}} if path == BATCH else {"asset": "BTC"})}
    client, _ = started(tmp_path / "data", strategy_folder=folder)
    first = client.post(path, json=body, headers=ONCE)
    client, _ = started(tmp_path / "data")
    assert_replayed(first, client.post(path, json=body, headers=ONCE))
    assert client.post(path, json=body).json()["code"] == "unknown_strategy"
    other = client.post(path, json={**body, "seed": 5}, headers=ONCE)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def ended_batch(client: TestClient, parts: Parts, seed: int) -> str:
    batch = client.post(BATCH, json={**BODY, "seed": seed}).json()
    parts.service.manager.store.end_queued(batch["batch_id"], cancelled(), 1.0)
    parts.service.manager.store.end_batch(batch["batch_id"], BatchState.CANCELLED, 2.0)
    path: str = batch["links"]["self"]
    return path


def test_one_key_retries_two_batches(client: TestClient, parts: Parts) -> None:
    paths = [ended_batch(client, parts, seed) for seed in (1, 2)]
    first = [client.post(f"{path}/retry", headers=ONCE) for path in paths]
    assert first[0].json()["batch_id"] != first[1].json()["batch_id"]
    for path, answer in zip(paths, first, strict=True):
        assert_replayed(answer, client.post(f"{path}/retry", headers=ONCE))


def test_a_key_of_another_request_is_refused_with_a_way_out(client: TestClient) -> None:
    client.post(BATCH, json=BODY, headers=ONCE)
    answer = client.post(BATCH, json={**BODY, "label": "other"}, headers=ONCE)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    expected = (
        "Idempotency-Key 'once' was used for another request in the last 24 hours; use a new key for a new request"
    )
    assert answer.json()["detail"] == expected


@pytest.mark.parametrize("key", ["two words", "a, b", "~", "!", "x" * 255])
def test_a_key_is_any_printable_ascii_with_or_without_quotes(client: TestClient, key: str) -> None:
    first = client.post(BATCH, json=BODY, headers={"Idempotency-Key": key})
    assert_replayed(first, client.post(BATCH, json=BODY, headers={"Idempotency-Key": f'"{key}"'}))
