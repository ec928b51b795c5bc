"""Headers of requests: Accept, Prefer, If-None-Match; and what an unexpected error looks like."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from stratopt.api.dependencies import is_known_version, preferred, wait_seconds

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
        (None, 0),
        ("wait", 60),
        ("wait=5", 5),
        ("respond-async, WAIT=7", 7),
        ('wait="3"', 3),
        ("wait=99999999999", 60),
        ("wait=0", 0),
        ("wait=-1", 0),
        ("wait=x", 0),
        ("wait=1.5", 0),
        ("await", 0),
    ],
)
def test_prefer_waits_for_whole_seconds_and_ignores_the_rest(prefer: str | None, seconds: float) -> None:
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
