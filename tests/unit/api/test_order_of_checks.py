"""Who may not write is told so before a look at the body, whatever is in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from stratopt.optimization.api_keys import Scope

from .conftest import MakeClient

DOCUMENT = json.loads((Path(__file__).resolve().parents[3] / "docs" / "reference" / "openapi.json").read_text())
WITH_A_BODY = [
    (method, path) for path, item in DOCUMENT["paths"].items() for method in item if "requestBody" in item[method]
]
MALFORMED = {
    "cut off": b'{"strategies": [',
    "no text": b"\xff\xfe\x00",
    "nested": b"[" * 10_000 + b"]" * 10_000,
    "a key twice": b'{"a": 1, "a": 2}',
}


def test_there_are_operations_with_a_body() -> None:
    assert len(WITH_A_BODY) >= 3


@pytest.mark.parametrize(("method", "path"), WITH_A_BODY)
@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_body_is_told_only_to_who_may_send_one(
    client: TestClient, add_key: Callable[..., str], method: str, path: str, kind: str
) -> None:
    def send(**headers: str) -> tuple[int, str]:
        told = {"Content-Type": "application/json", **headers}
        answer = client.request(method, path, content=MALFORMED[kind], headers=told)
        return answer.status_code, answer.json()["code"]

    reader, admin = add_key(Scope.READ, name="reader"), add_key(Scope.ADMIN, name="admin")
    assert send() == (401, "missing_api_key")
    assert send(Authorization="Bearer stratopt_wrong") == (401, "invalid_api_key")
    assert send(Authorization=f"Bearer {reader}") == (403, "insufficient_scope")
    assert send(Authorization=f"Bearer {admin}") == (400, "malformed_json")


@pytest.mark.parametrize(("method", "path"), WITH_A_BODY)
def test_a_request_with_a_body_counts_once(make_client: MakeClient, method: str, path: str) -> None:
    client = make_client(submissions_per_minute=3)
    answer = client.request(method, path, content=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["RateLimit"][:12]) == (400, '"submit";r=2')
    answer = client.request(method, path, json={})
    assert (answer.status_code, answer.headers["RateLimit"][:12]) == (422, '"submit";r=1')
