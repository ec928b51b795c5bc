"""Headers of requests: Accept, Prefer, If-None-Match; and what an unexpected error looks like."""

from __future__ import annotations

import base64
import json

import pytest
from fastapi.testclient import TestClient

from stratopt.api.dependencies import is_known_version, preferred, wait_seconds

BODY = {"strategies": ["RSI"], "common_config": {"asset": "BTC"}}
OFFERED = ("application/json", "application/x-ndjson", "text/csv")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", "application/json"),
        ("", "application/json"),
        ("APPLICATION/JSON", "application/json"),
        ("text/*", "text/csv"),
        ("application/json;q=0.1, text/csv", "text/csv"),
        ("application/x-ndjson, */*;q=0.5", "application/x-ndjson"),
        ("text/csv;q=0, */*", "application/json"),
        ("*/*;q=0", None),
        ("application/x-ndjson;q=0", None),
        ("text/html", None),
        ("garbage", None),
        ("text/csv;q=high", None),
    ],
)
def test_the_format_with_the_highest_quality_is_taken(accept: str, expected: str | None) -> None:
    assert preferred(accept, OFFERED) == expected


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, None),
        ("wait", 60),
        ("wait=5", 5),
        ("respond-async, WAIT=7", 7),
        ('wait="3"', 3),
        ("wait=99999999999", 60),
        ("wait=0", 0),
        ("respond-async", 0),
        ("wait=-1", None),
        ("wait=x", None),
        ("wait=1.5", None),
        ("await", None),
    ],
)
def test_prefer_waits_for_whole_seconds_and_ignores_the_rest(prefer: str | None, seconds: float | None) -> None:
    assert wait_seconds(prefer) == seconds


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Host": "[::1"}, 400, "host_not_allowed"),
        ({"Origin": "http://["}, 403, "origin_not_allowed"),
        ({"Origin": "null"}, 403, "origin_not_allowed"),
    ],
)
def test_addresses_that_cannot_be_read_are_refused(
    client: TestClient, headers: dict[str, str], status: int, code: str
) -> None:
    answer = client.post("/api/v1/optimize/batch", json={}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_lines_of_one_list_are_read_together(client: TestClient) -> None:
    batch = client.post("/api/v1/optimize/batch", json=BODY).json()
    etag = client.get(batch["links"]["self"]).headers["ETag"]
    known = client.get(batch["links"]["self"], headers=[("If-None-Match", '"other"'), ("If-None-Match", etag)])
    assert known.status_code == 304
    csv = client.get(batch["links"]["results"], headers=[("Accept", "text/html"), ("Accept", "text/csv")])
    assert csv.headers["Content-Type"].startswith("text/csv")
    lines = [("Prefer", "respond-async"), ("Prefer", "wait=1")]
    assert client.post("/api/v1/optimize/batch", json=BODY, headers=lines).headers["Preference-Applied"] == "wait=1"


@pytest.mark.parametrize("keys", [["one", "two"], ['"'], ['"a"b"'], [""], ["x" * 256]])
def test_a_key_that_is_not_one_key_is_refused(client: TestClient, keys: list[str]) -> None:
    lines = [("Idempotency-Key", key) for key in keys]
    answer = client.post("/api/v1/optimize/batch", json=BODY, headers=lines)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")


def test_a_single_optimisation_waits_as_long_as_it_is_preferred(client: TestClient) -> None:
    body = {"strategy_name": "RSI", "asset": "BTC"}
    at_once = client.post("/api/v1/optimize/single", json=body, headers={"Prefer": "respond-async"})
    assert (at_once.status_code, at_once.headers["Retry-After"]) == (202, "1")
    assert "Preference-Applied" not in at_once.headers
    assert client.get(at_once.headers["Location"]).headers["Retry-After"] == "1"
    waited = client.post("/api/v1/optimize/single", json=body, headers={"Prefer": "wait=1"})
    assert (waited.status_code, waited.headers["Preference-Applied"]) == (202, "wait=1")


@pytest.mark.parametrize("position", [["nan", "bat_1"], ["inf", "bat_1"], [True, "bat_1"], [1.5, {}], [1.5], "ab"])
def test_a_cursor_that_only_looks_like_one_is_refused(client: TestClient, position: object) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(position).encode()).decode()
    answer = client.get("/api/v1/optimize/batch", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


def test_versions_are_compared_weakly_and_from_a_list() -> None:
    assert is_known_version('W/"7"', 'W/"7"')
    assert is_known_version('"7"', 'W/"7"')
    assert is_known_version('"1", W/"7"', 'W/"7"')
    assert is_known_version("*", 'W/"7"')
    assert not is_known_version('"1"', 'W/"7"')
    assert not is_known_version(None, 'W/"7"')


def test_an_unexpected_error_has_its_request_id_and_keeps_the_headers(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(type(client.app.state.service.planner), "batch")  # type: ignore[attr-defined]
    answer = client.post("/api/v1/optimize/batch", json={"strategies": ["RSI"]}, headers={"X-Request-Id": "mine"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"] == "mine"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "planner" not in answer.text


def test_a_misspelt_query_parameter_is_refused_and_nothing_is_submitted(client: TestClient) -> None:
    refused = client.post("/api/v1/optimize/batch", params={"validateonly": "true", "x": "1"}, json=BODY)
    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
    first, second = refused.json()["errors"]
    assert (first["pointer"], first["suggestion"]) == ("/validateonly", "validate_only")
    assert second["detail"] == "there is no query parameter 'x' here; known: validate_only"
    assert client.get("/api/v1/optimize/batch").json()["data"] == []
    assert client.get("/healthz", params={"now": "1"}).status_code == 200
