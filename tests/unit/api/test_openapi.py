"""The OpenAPI document says what the server answers, and what it shows as a request is one."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from stratopt.api.openapi import REQUESTS
from stratopt.api.problems import PROBLEM_JSON, STATUS_OF_CODE

METHODS = {"get", "post", "delete"}


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    answer: dict[str, Any] = client.get("/openapi.json").json()
    return answer


def _operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{m} {p}", o) for p, item in document["paths"].items() for m, o in item.items() if m in METHODS]


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [(method, path, name) for (method, path), shown in REQUESTS.items() if "optimize" in path for name in shown],
)
def test_every_example_of_a_request_is_accepted(client: TestClient, method: str, path: str, name: str) -> None:
    body = REQUESTS[method, path][name]
    answer = client.post(path, params={"validate_only": True}, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["valid"] is True
    assert client.get("/api/v1/optimize/batch").json()["data"] == []


def test_problems_are_documented_as_problem_documents(document: dict[str, Any]) -> None:
    for name, operation in _operations(document):
        for status, answer in operation["responses"].items():
            if status == "default" or int(status) >= 400:
                assert list(answer["content"]) == [PROBLEM_JSON], (name, status)


def test_examples_of_problems_stand_under_their_status(document: dict[str, Any]) -> None:
    seen = set()
    for name, operation in _operations(document):
        for status, answer in operation["responses"].items():
            for code, example in answer.get("content", {}).get(PROBLEM_JSON, {}).get("examples", {}).items():
                assert STATUS_OF_CODE[code][0] == int(status) == example["value"]["status"], name
                seen.add(code)
    assert {
        "malformed_json",
        "missing_api_key",
        "insufficient_scope",
        "not_found",
        "not_acceptable",
        "rate_limited",
    } <= seen
    assert {"batch_running", "payload_too_large", "unsupported_media_type", "validation_failed", "queue_full"} <= seen


def test_a_refused_method_names_every_method_of_the_path(client: TestClient) -> None:
    assert client.put("/api/v1/optimize/batch/bat_1").headers["Allow"] == "DELETE, GET, HEAD"
    assert client.put("/api/v1/optimize/batch").headers["Allow"] == "GET, HEAD, POST"
