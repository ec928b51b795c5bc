"""How much a caller may ask for."""

from __future__ import annotations

import re
import time

import pytest

from stratopt.api.problems import STATUS_OF_CODE, problem_response
from stratopt.api.rate_limit import RateLimiter
from stratopt.api.services.error_report import ADVICE
from stratopt.api.services.titles import ITEM_TITLES
from stratopt.bootstrap import Parts
from stratopt.optimization.jobs import Ending, JobState

from .conftest import MakeClient

BODY = {"strategies": ["RSI"], "common_config": {"asset": "BTC"}}


def test_the_rate_limit_is_told_and_kept(make_client: MakeClient) -> None:
    client = make_client(submissions_per_minute=2)
    first = client.post("/api/v1/optimize/batch", json=BODY)
    assert first.headers["RateLimit-Policy"] == '"submit";q=2;w=60'
    assert re.fullmatch(r'"submit";r=1;t=\d+', first.headers["RateLimit"])
    assert client.post("/api/v1/optimize/batch", json=BODY).status_code == 202
    refused = client.post("/api/v1/optimize/batch", json=BODY)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.json()["violated-policies"] == ["submit"]
    told = int(re.search(r"t=(\d+)", refused.headers["RateLimit"])[1])  # type: ignore[index]
    assert int(refused.headers["Retry-After"]) >= told
    assert client.get("/api/v1/symbols").status_code == 200


def test_callers_do_not_share_a_limit() -> None:
    limiter = RateLimiter({"submit": 1})
    assert [limiter.hit("submit", caller).allowed for caller in ("a", "b", "a")] == [True, True, False]


def test_a_full_queue_is_a_503_with_a_time_to_come_back(make_client: MakeClient, parts: object) -> None:
    client = make_client()
    service = client.app.state.service  # type: ignore[attr-defined]
    object.__setattr__(service.manager._limits, "max_queued_jobs", 1)
    assert client.post("/api/v1/optimize/batch", json=BODY).status_code == 202
    refused = client.post("/api/v1/optimize/batch", json=BODY)
    assert (refused.status_code, refused.json()["code"]) == (503, "queue_full")
    assert 10 <= int(refused.headers["Retry-After"]) <= 13


class Ended:
    """Says that room comes after so many seconds a job."""

    def __init__(self, seconds_a_job: float | None) -> None:
        self.seconds_a_job = seconds_a_job
        self.asked: list[int] = []

    def __call__(self, jobs: int) -> float | None:
        self.asked.append(jobs)
        return None if self.seconds_a_job is None else jobs * self.seconds_a_job


@pytest.mark.parametrize(
    ("seconds_a_job", "least", "most"),
    [(None, 10, 13), (0.0, 1, 4), (0.2, 1, 4), (4.1, 9, 12), (25.0, 50, 53), (1000.0, 57, 60)],
)
def test_a_full_queue_says_when_there_is_room_for_this_very_request(
    make_client: MakeClient, seconds_a_job: float | None, least: int, most: int
) -> None:
    client = make_client()
    limits = client.app.state.service.manager._limits  # type: ignore[attr-defined]
    object.__setattr__(limits, "max_queued_jobs", 3)
    object.__setattr__(limits, "seconds_until_room", room := Ended(seconds_a_job))
    two, three = ({**BODY, "strategies": names} for names in (["RSI", "MACD"], ["RSI", "MACD", "Donchian"]))
    assert client.post("/api/v1/optimize/batch", json=two).status_code == 202
    waits = set()
    for _ in range(60):
        refused = client.post("/api/v1/optimize/batch", json=three)
        assert (refused.status_code, refused.json()["code"]) == (503, "queue_full")
        waits.add(int(refused.headers["Retry-After"]))
    assert set(room.asked) == {2}
    assert refused.json()["room_in_seconds"] == (None if seconds_a_job is None else round(2 * seconds_a_job, 1))
    assert least <= min(waits) < max(waits) <= most


def test_what_will_never_fit_into_the_queue_is_given_no_time(make_client: MakeClient) -> None:
    client = make_client()
    limits = client.app.state.service.manager._limits  # type: ignore[attr-defined]
    object.__setattr__(limits, "max_queued_jobs", 1)
    object.__setattr__(limits, "seconds_until_room", room := Ended(1.0))
    refused = client.post("/api/v1/optimize/batch", json={**BODY, "strategies": ["RSI", "MACD"]})
    assert (refused.status_code, refused.json()["room_in_seconds"]) == (503, None)
    assert room.asked == []


def test_ends_of_jobs_are_what_the_queue_is_measured_by(make_client: MakeClient, parts: Parts) -> None:
    client, manager = make_client(), parts.service.manager
    client.post("/api/v1/optimize/batch", json=BODY)
    (job,) = manager.store.jobs(manager.store.unfinished()[0].batch_id)
    room = manager._limits.seconds_until_room  # type: ignore[union-attr]
    assert room(1) is None
    for _ in range(10):
        manager._listener.job_ended(job, Ending(state=JobState.SUCCEEDED, result={}))
    assert room(1) is not None


def test_without_room_for_results_nothing_is_accepted(make_client: MakeClient, parts: object) -> None:
    client = make_client()
    limits = client.app.state.service.manager._limits  # type: ignore[attr-defined]
    object.__setattr__(limits, "free_disk_bytes", lambda: limits.minimum_free_disk_bytes - 1)
    refused = client.post("/api/v1/optimize/batch", json=BODY)
    assert (refused.status_code, refused.json()["code"]) == (507, "storage_full")
    assert refused.json()["detail"].startswith("the data directory has 199 MiB left, and 200 must be free")
    assert "Retry-After" in refused.headers
    object.__setattr__(limits, "free_disk_bytes", lambda: limits.minimum_free_disk_bytes)
    assert client.post("/api/v1/optimize/batch", json=BODY).status_code == 202


def test_too_many_batches_name_the_policy_that_they_break(make_client: MakeClient) -> None:
    client = make_client()
    service = client.app.state.service  # type: ignore[attr-defined]
    object.__setattr__(service.manager._limits, "max_active_batches", 1)
    assert client.post("/api/v1/optimize/batch", json=BODY).status_code == 202
    refused = client.post("/api/v1/optimize/batch", json=BODY)
    assert (refused.status_code, refused.json()["violated-policies"]) == (429, ["concurrent-batches"])


def test_a_supervisor_that_hangs_is_seen(make_client: MakeClient, parts: object) -> None:
    client = make_client()
    assert client.get("/readyz").status_code == 200
    manager = client.app.state.service.manager  # type: ignore[attr-defined]
    manager._last_step = time.monotonic() - 61.0
    hung = client.get("/readyz")
    assert (hung.status_code, hung.json()["detail"][:39]) == (503, "the supervisor has not moved for 61 s; ")


def test_there_is_advice_for_every_way_a_job_can_fail() -> None:
    assert set(ADVICE) == set(ITEM_TITLES)


@pytest.mark.parametrize("code", sorted(STATUS_OF_CODE))
def test_every_code_becomes_a_problem_document(code: str) -> None:
    answer = problem_response(None, code, "why", context={"fact": 1})
    assert answer.status_code == STATUS_OF_CODE[code][0]
    assert answer.media_type == "application/problem+json"
    assert ("retry-after" in answer.headers) == (
        code in {"batch_not_finished"} or answer.status_code in {429, 503, 507}
    ) or code == "rate_limited"


def test_the_queue_position_counts_what_waits_before(make_client: MakeClient) -> None:
    client = make_client()
    first, second = (
        client.post("/api/v1/optimize/batch", json={**BODY, "strategies": ["RSI", "MACD"]}).json() for _ in range(2)
    )
    assert (first["queue_position"], second["queue_position"]) == (0, 2)


def test_the_queue_position_knows_priorities(make_client: MakeClient) -> None:
    client = make_client()
    for priority in (0, 5):
        client.post("/api/v1/optimize/batch", json={**BODY, "priority": priority})
    second = client.post("/api/v1/optimize/batch", json={**BODY, "priority": 3}).json()
    assert second["queue_position"] == 1


def test_codes_that_alerts_watch_begin_at_zero(make_client: MakeClient) -> None:
    lines = make_client().app.state.metrics.render().decode().splitlines()  # type: ignore[attr-defined]
    for sample in (
        'stratopt_job_failures_total{code="worker_died"}',
        'stratopt_requests_rejected_total{code="storage_full"}',
        'stratopt_jobs_total{state="failed"}',
        'stratopt_batches_total{state="completed"}',
    ):
        assert f"{sample} 0.0" in lines


def test_metrics_count_requests_by_route_and_never_by_id(make_client: MakeClient) -> None:
    client = make_client()
    batch = client.post("/api/v1/optimize/batch", json=BODY).json()
    client.get(batch["links"]["self"])
    client.get("/nowhere")
    text = (
        client.get("/metrics", headers={}).text
        if client.get("/metrics").status_code == 200
        else client.app.state.metrics.render().decode()
    )  # type: ignore[attr-defined]
    assert "stratopt_queue_depth 1.0" in text
    assert batch["batch_id"] not in text
    assert 'route="/api/v1/optimize/batch/{batch_id}"' in text


def test_a_snapshot_is_flat_for_a_client_that_lists(make_client: MakeClient) -> None:
    client = make_client()
    for _ in range(3):
        client.post("/api/v1/optimize/batch", json=BODY)
    page = client.get("/api/v1/optimize/batch?limit=2").json()
    assert (len(page["data"]), page["has_more"]) == (2, True)
