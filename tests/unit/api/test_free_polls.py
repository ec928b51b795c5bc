"""Polls that are answered 304 cost no quota; whatever else is answered does."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from stratopt.api.rate_limit import RateLimiter
from stratopt.bootstrap import Parts, make_parts, make_server_app
from stratopt.optimization.api_keys import Scope
from stratopt.optimization.endings import job_late
from stratopt.optimization.executor import Progressed
from stratopt.optimization.under_way import Running
from stratopt.settings import Settings

from .conftest import MakeClient

BODY = {"strategies": ["RSI"], "common_config": {"asset": "BTC"}}


def left(answer: Any) -> int:
    """What the answer says is left of the quota of reads."""
    found = re.fullmatch(r'"read";r=(\d+);t=\d+', answer.headers["RateLimit"])
    assert found, answer.headers["RateLimit"]
    return int(found[1])


@pytest.mark.parametrize("suffix", ["", "/report?allow_partial=true"])
def test_a_poll_that_brings_nothing_new_costs_no_quota(make_client: MakeClient, suffix: str) -> None:
    client = make_client(reads_per_minute=3)
    path = client.post("/api/v1/optimize/batch", json=BODY).json()["links"]["self"] + suffix
    first = client.get(path)
    assert (first.status_code, left(first)) == (200, 2)
    known = {"If-None-Match": first.headers["ETag"]}
    for ask in (client.get, client.head):
        for _ in range(5):
            same = ask(path, headers=known)
            assert (same.status_code, left(same)) == (304, 2)
            assert same.headers["RateLimit-Policy"] == '"read";q=3;w=60'
            assert same.headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize("suffix", ["", "/report?allow_partial=true"])
def test_news_that_is_in_no_row_of_the_batch_has_another_tag(
    make_client: MakeClient, parts: Parts, suffix: str
) -> None:
    """Progress is stored with the jobs, several times a second, and costs of running jobs are in memory only."""
    client, manager = make_client(), parts.service.manager
    batch = client.post("/api/v1/optimize/batch", json=BODY).json()
    job = manager.store.claim(full_batches=[], now=1.0)
    assert job is not None
    path = batch["links"]["self"] + suffix
    manager._running[job.job_id] = Running(job, 0.0, 1e9, job_late(job))
    seen = client.get(path)
    assert client.get(path, headers={"If-None-Match": seen.headers["ETag"]}).status_code == 304
    manager.store.progress({job.job_id: {"evaluations": 7}}, {})
    manager._handle(Progressed(job_id=job.job_id, evaluations_done=7, resources={"wall_seconds": 1.0}))
    changed = client.get(path, headers={"If-None-Match": seen.headers["ETag"]})
    if suffix:
        assert changed.status_code == 304
    else:
        assert (changed.status_code, changed.json()["progress"]["evaluations_done"]) == (200, 7)
        assert client.get(path, headers={"If-None-Match": changed.headers["ETag"]}).status_code == 304


def test_a_place_in_the_queue_that_changes_is_news(make_client: MakeClient, parts: Parts) -> None:
    client = make_client()
    _, path = (client.post("/api/v1/optimize/batch", json=BODY).json()["links"]["self"] for _ in range(2))
    seen = client.get(path)
    parts.service.manager.store.claim(full_batches=[], now=1.0)
    changed = client.get(path, headers={"If-None-Match": seen.headers["ETag"]})
    assert (seen.json()["queue_position"], changed.status_code, changed.json()["queue_position"]) == (1, 200, 0)


def test_a_clock_that_goes_on_is_no_news_and_a_tag_outlives_the_server(
    make_client: MakeClient, parts: Parts, tmp_path: Path
) -> None:
    client = make_client()
    path = client.post("/api/v1/optimize/batch", json=BODY).json()["links"]["self"]
    job = parts.service.manager.store.claim(full_batches=[], now=time.time())
    assert job is not None
    parts.service.manager.store.progress({job.job_id: {"evaluations": 7}}, {})
    first, second = client.get(path), client.get(path)
    assert first.json()["resources"]["wall_seconds"] < second.json()["resources"]["wall_seconds"]
    assert first.headers["ETag"] == second.headers["ETag"]
    assert first.headers["ETag"].startswith('W/"')
    again = make_parts(Settings(data_dir=tmp_path))
    started_again = TestClient(make_server_app(Settings(data_dir=tmp_path), again), base_url="http://127.0.0.1")
    assert started_again.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    again.service.manager.store.close()


def test_an_answer_with_news_costs_its_quota_whatever_version_was_named(make_client: MakeClient) -> None:
    client = make_client(reads_per_minute=3)
    path = client.post("/api/v1/optimize/batch", json=BODY).json()["links"]["self"]
    old = {"If-None-Match": 'W/"of another time"'}
    assert [left(client.get(path, headers=old)) for _ in range(3)] == [2, 1, 0]
    refused = client.get(path, headers=old)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")


def test_a_caller_without_quota_is_refused_before_anything_is_looked_up(make_client: MakeClient) -> None:
    client = make_client(reads_per_minute=1)
    path = client.post("/api/v1/optimize/batch", json=BODY).json()["links"]["self"]
    known = {"If-None-Match": client.get(path).headers["ETag"]}
    assert client.get(path, headers=known).status_code == 429


def test_requests_without_a_valid_key_have_a_quota_too(make_client: MakeClient, add_key: Callable[..., str]) -> None:
    client, key = make_client(reads_per_minute=2), add_key(Scope.READ)
    path, known = "/api/v1/optimize/batch/bat_1", {"If-None-Match": "*"}
    wrong = {**known, "Authorization": "Bearer stratopt_wrong"}
    codes = [client.get(path, headers=headers).json()["code"] for headers in (known, wrong, known, wrong)]
    assert codes == ["missing_api_key", "invalid_api_key", "rate_limited", "rate_limited"]
    good = {**known, "Authorization": f"Bearer {key}"}
    assert client.get(path, headers=good).json()["code"] == "not_found"


def test_requests_that_a_key_may_not_make_have_a_quota_too(
    make_client: MakeClient, add_key: Callable[..., str]
) -> None:
    client = make_client(reads_per_minute=2, submissions_per_minute=2)
    wrong = {"Authorization": f"Bearer {add_key(Scope.METRICS)}"}
    good = {"Authorization": f"Bearer {add_key(Scope.READ, Scope.WRITE, name='good')}"}
    batches = "/api/v1/optimize/batch"
    for method in ("GET", "POST"):
        codes = [client.request(method, batches, headers=wrong).json()["code"] for _ in range(4)]
        assert codes == ["insufficient_scope", "insufficient_scope", "rate_limited", "rate_limited"]
    assert client.get(batches, headers=good).status_code == 200
    assert client.post(batches, json=BODY, headers=good).status_code == 202


def test_a_hit_that_is_given_back_leaves_those_of_others() -> None:
    limiter = RateLimiter({"read": 2})
    limiter.hit("read", "a")
    limiter.hit("read", "b")
    assert limiter.hit("read", "a").remaining == 0
    assert limiter.give_back("read", "a").remaining == 1
    assert limiter.hit("read", "b").remaining == 0
    assert not limiter.hit("read", "b").allowed
    for _ in range(3):
        assert limiter.give_back("read", "a").remaining == 2
