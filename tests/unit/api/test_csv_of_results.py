"""CSV of results is the whole ranking so far: it says whether that is all, and refuses what it cannot follow."""

from __future__ import annotations

import csv
import io
import json

import pytest
from fastapi.testclient import TestClient

from stratopt.bootstrap import Parts
from stratopt.optimization.endings import cancelled
from stratopt.optimization.jobs import BatchState

BODY = {"strategies": ["RSI", "MACD"], "common_config": {"asset": "BTC"}}
AS_CSV = {"Accept": "text/csv"}


@pytest.mark.parametrize(
    "sent", [{"status": "failed"}, {"sort": "index"}, {"cursor": 0}, {"limit": 10, "sort": "rank"}]
)
def test_what_csv_does_not_follow_is_refused(client: TestClient, sent: dict[str, object]) -> None:
    path = client.post("/api/v1/optimize/batch", json=BODY).json()["links"]["results"]
    answer = client.get(path, headers=AS_CSV, params=sent)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}" for name in sent]
    name = next(iter(sent))
    expected = f"CSV of results is the whole ranking and does not follow {name!r}; leave it out, or accept application/json or application/x-ndjson"
    assert answer.json()["detail"] == expected
    for other in ("application/json", "application/x-ndjson"):
        assert client.get(path, headers={"Accept": other}, params=sent).status_code == 200  # type: ignore[arg-type]


def test_csv_tells_whether_it_is_complete(client: TestClient, parts: Parts) -> None:
    batch = client.post("/api/v1/optimize/batch", json=BODY).json()
    path, report = batch["links"]["results"], batch["links"]["report"]
    partial = client.get(path, headers=AS_CSV)
    assert (partial.headers["Stratopt-Complete"], len(partial.text.splitlines())) == ("false", 1)
    assert client.get(f"{report}?format=csv&allow_partial=true").headers["Stratopt-Complete"] == "false"
    store = parts.service.manager.store
    store.end_queued(batch["batch_id"], cancelled(), 1.0)
    store.end_batch(batch["batch_id"], BatchState.CANCELLED, 2.0)
    whole = client.get(path, headers=AS_CSV)
    assert (whole.headers["Stratopt-Complete"], len(list(csv.DictReader(io.StringIO(whole.text))))) == ("true", 2)
    for kind in ("csv", "html", "json"):
        assert client.get(report, params={"format": kind}).headers["Stratopt-Complete"] == "true"


def test_the_header_is_documented(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for name in ("results", "report"):
        answer = paths[f"/api/v1/optimize/batch/{{batch_id}}/{name}"]["get"]["responses"]["200"]
        assert "Stratopt-Complete" in json.dumps(answer["headers"])
