"""Reading what a batch found: order, pages of events, HEAD; and what the SDK says to a page that is no API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx2
import pytest

from stratopt.client.client import BatchHandle, Client
from stratopt.client.errors import UnexpectedAnswerError

from .conftest import quick


@pytest.fixture(scope="module")
def finished(server: str) -> Iterator[BatchHandle]:
    names = ["RSI", "Raises", "MACD", "HigherClose"]
    with Client(server) as client:
        yield client.optimize_batch({"strategies": names, "common_config": quick(12)}).wait()


def values(items: list[dict[str, Any]], sort: str) -> list[Any]:
    def value(item: dict[str, Any]) -> Any:
        if item["result"] is None:
            return None
        if sort == "score":
            return item["result"]["search"]["convergence"][-1]["score"]
        return item["result"]["out_of_sample"]["metrics"][sort]

    return [value(item) for item in items]


@pytest.mark.parametrize("sort", ["score", "sharpe_ratio", "total_return"])
@pytest.mark.parametrize("turned", [False, True])
def test_results_are_sorted_and_items_without_a_value_come_last(finished: BatchHandle, sort: str, turned: bool) -> None:
    found = values(list(finished.results(sort=f"-{sort}" if turned else sort)), sort)
    assert found[-1] is None
    assert found[:-1] == sorted(found[:-1], reverse=turned)
    assert len(found) == 4


def test_results_by_rank_are_in_the_order_of_the_report(finished: BatchHandle) -> None:
    ranking = [item["job_id"] for item in json.loads(finished.report("json"))["ranking"]]
    assert [item["job_id"] for item in finished.results(sort="rank")][:3] == ranking
    assert [item["job_id"] for item in finished.results(sort="-rank")][:3] == ranking[::-1]
    names = [item["strategy_id"] for item in finished.results(sort="strategy")]
    assert names == sorted(names)
    seconds = [item["resources"]["wall_seconds"] for item in finished.results(sort="duration")]
    assert seconds == sorted(seconds)


def test_sorted_pages_and_lines_hold_every_item_once(finished: BatchHandle, http: httpx2.Client) -> None:
    path, whole = f"/api/v1/optimize/batch/{finished.batch_id}/results", []
    cursor: int | None = -1
    while cursor is not None:
        page = http.get(path, params={"sort": "-sharpe_ratio", "limit": 1, "cursor": cursor}).json()
        whole += [item["job_id"] for item in page["data"]]
        cursor = page["next_cursor"]
    assert whole == [item["job_id"] for item in finished.results(sort="-sharpe_ratio")]
    lines = http.get(path, params={"sort": "-sharpe_ratio"}, headers={"Accept": "application/x-ndjson"}).text
    assert [json.loads(line)["job_id"] for line in lines.splitlines()[1:-1]] == whole


def test_an_unknown_order_is_refused_with_those_that_there_are(finished: BatchHandle, http: httpx2.Client) -> None:
    answer = http.get(f"/api/v1/optimize/batch/{finished.batch_id}/results", params={"sort": "luck"})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert "'rank'" in answer.json()["detail"]


def test_events_are_pages_of_json_where_that_is_asked_for(finished: BatchHandle, http: httpx2.Client) -> None:
    path, accept = f"/api/v1/optimize/batch/{finished.batch_id}/events", {"Accept": "application/json"}
    page = http.get(path, headers=accept).json()
    assert [event["seq"] for event in page["data"]] == [1, 2, 3, 4, 5]
    assert page["data"][-1]["event"] == "batch.ended"
    assert page["complete"] is True
    first = http.get(path, headers=accept, params={"limit": 2}).json()
    assert (first["has_more"], first["complete"], first["next_cursor"]) == (True, False, 2)
    rest = http.get(path, headers=accept, params={"cursor": 2}).json()
    assert first["data"] + rest["data"] == page["data"]
    assert http.get(path, headers={"Accept": "image/png"}).json()["code"] == "not_acceptable"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/docs", "/api/v1/strategies", "/api/v1/version"])
def test_head_answers_as_get_without_the_body(http: httpx2.Client, path: str) -> None:
    head, get = http.head(path), http.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert head.headers["X-Request-Id"]


def test_head_of_streams_and_errors_ends_at_once(server: str, http: httpx2.Client) -> None:
    with Client(server) as client:
        batch = client.optimize_batch({"strategies": ["RSI"], "common_config": quick(200_000)})
    path = f"/api/v1/optimize/batch/{batch.batch_id}"
    assert http.head(f"{path}/events").headers["Content-Type"].startswith("text/event-stream")
    assert http.head(path).headers["ETag"]
    http.post(f"{path}/cancel").raise_for_status()
    assert http.head("/api/v1/nothing").status_code == 404
    refused = http.head("/api/v1/optimize/single")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "POST")


def test_a_common_config_of_null_means_the_defaults(http: httpx2.Client) -> None:
    plan = {"validate_only": "true"}
    refused = http.post("/api/v1/optimize/batch", params=plan, json={"strategies": ["RSI"], "common_config": None})
    assert "name at least one" in refused.json()["detail"]
    body = {"strategies": ["RSI"], "common_config": None, "strategy_specific_configs": {"RSI": {"asset": "BTC"}}}
    told = http.post("/api/v1/optimize/batch", params=plan, json=body).json()
    without = {name: value for name, value in body.items() if name != "common_config"}
    assert told == http.post("/api/v1/optimize/batch", params=plan, json=without).json()
    assert told["jobs"][0]["config"]["symbol"] == "BTC"


def test_a_single_optimisation_can_be_planned_without_being_run(http: httpx2.Client) -> None:
    path, query = "/api/v1/optimize/single", {"validate_only": "true"}
    before = [batch["batch_id"] for batch in http.get("/api/v1/optimize/batch").json()["data"]]
    told = http.post(path, params=query, json={"strategy_name": "RSI", **quick(9)}).json()
    assert (told["valid"], told["evaluations_total"], len(told["jobs"])) == (True, 9, 1)
    assert [batch["batch_id"] for batch in http.get("/api/v1/optimize/batch").json()["data"]] == before
    wrong = http.post(path, params=query, json={"strategy_name": "RSY", **quick(9)})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "unknown_strategy")


def test_a_plan_warns_of_jobs_that_will_fail_with_the_words_of_their_failure(
    http: httpx2.Client, client: Client
) -> None:
    """Of too few bars in the range, of too few for folds; the others are not warned of."""
    search = {"max_evals": 4, "cross_validation": False}
    body = {
        "strategies": [{"name": "MACD", "strategy_id": name} for name in ("short", "folded", "good")],
        "common_config": {"asset": "BTC", "optimization_config": search},
        "strategy_specific_configs": {
            "short": {"start_date": "2019-12-20"},
            "folded": {"asset": "EURUSD", "optimization_config": {"cross_validation": True}},
        },
    }
    warnings = http.post("/api/v1/optimize/batch", params={"validate_only": "true"}, json=body).json()["warnings"]
    failed = {item["strategy_id"]: item for item in client.optimize_batch(body).wait().results() if item["error"]}
    assert failed.keys() == {"short", "folded"}
    assert [item["error"]["code"] for item in failed.values()] == ["insufficient_data"] * 2
    assert warnings == [
        f"{item['strategy_id']} on {item['symbol']} 1d will fail: {item['error']['detail']}" for item in failed.values()
    ]


def test_a_plan_tells_how_long_comparable_jobs_took(http: httpx2.Client, client: Client) -> None:
    strategies = [{"name": "RSI", "strategy_id": f"r{i}"} for i in range(3)]
    client.optimize_batch({"strategies": strategies, "common_config": quick(37)}).wait()
    plan = client.estimate({"strategies": strategies[:2], "common_config": quick(37), "parallel_jobs": 1})
    told = plan["time_estimate"]
    assert told["worker_seconds"] == told["wall_seconds"] > 0
    assert told["comparable_jobs"] >= 3
    unlike = client.estimate({"strategies": ["RSI"], "common_config": quick(1_000_000)})
    assert unlike["time_estimate"] is None


class LoginPage(BaseHTTPRequestHandler):
    """What a proxy in front of a server may answer."""

    def do_GET(self) -> None:
        page = b"<html>please log in</html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def test_a_page_where_json_belongs_is_an_error_with_a_name() -> None:
    with HTTPServer(("127.0.0.1", 0), LoginPage) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            with Client(f"http://127.0.0.1:{proxy.server_port}", retries=0) as client:
                with pytest.raises(UnexpectedAnswerError, match=r"text/html where stratopt sends JSON"):
                    client.strategies()
                with pytest.raises(UnexpectedAnswerError, match=r"an event stream"):
                    list(client.events("/api/v1/optimize/batch/bat_1/events"))
        finally:
            proxy.shutdown()
            thread.join()
