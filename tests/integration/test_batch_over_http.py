"""Batches over HTTP: a real server, real workers, real market data."""

from __future__ import annotations

import csv
import io
import json
import time

import httpx2
import pytest

from stratopt.client.client import Client
from stratopt.client.errors import ConflictError, NotFoundError

from .conftest import quick

FIRST_FORM = {
    "strategies": ["MovingAverageCrossover", "RSI"],
    "common_config": {
        "asset": "BTC",
        "timeframe": "1d",
        "start_date": "2015-01-01T00:00:00Z",
        "end_date": "2020-01-01T00:00:00Z",
        "optimization_config": {
            "max_evals": 6,
            "timeout_minutes": 60,
            "n_startup_jobs": 20,
            "algorithm": "tpe",
            "objective": "sharpe_ratio",
            "cross_validation": True,
        },
        "validation_config": {
            "out_of_sample_ratio": 0.3,
            "monte_carlo_runs": 10,
            "cross_asset_validation": False,
            "regime_analysis": True,
            "statistical_tests": True,
        },
    },
    "strategy_specific_configs": None,
    "parallel_jobs": 2,
}


def test_the_request_that_clients_already_send_works(client: Client) -> None:
    batch = client.optimize_batch(FIRST_FORM).wait()
    assert batch.status["status"] == "completed"
    assert batch.status["counts"] == {
        "total": 2,
        "queued": 0,
        "running": 0,
        "succeeded": 2,
        "failed": 0,
        "timed_out": 0,
        "cancelled": 0,
    }
    items = list(batch.results())
    assert [item["strategy_id"] for item in items] == ["MovingAverageCrossover", "RSI"]
    for item in items:
        assert item["result"]["validation"] == "walk_forward"
        assert len(item["result"]["folds"]) == 6
        assert item["result"]["out_of_sample"]["first_bar"] > item["result"]["in_sample"]["first_bar"]


@pytest.mark.parametrize(
    "specific",
    ["missing", None, {}, {"RSI": None}, {"RSI": {"optimization_config": {"max_evals": None}, "costs": None}}],
)
def test_null_missing_and_empty_specific_configs_mean_the_same(client: Client, specific: object) -> None:
    request = {**FIRST_FORM, "strategy_specific_configs": specific}
    if specific == "missing":
        del request["strategy_specific_configs"]
    configs = [job["config"] for job in client.estimate(request)["jobs"]]
    assert configs == [job["config"] for job in client.estimate(FIRST_FORM)["jobs"]]


def test_a_specific_config_overrides_field_by_field(client: Client) -> None:
    request = {
        **FIRST_FORM,
        "strategy_specific_configs": {"RSI": {"optimization_config": {"max_evals": 9}, "costs": {"fee_bps": 1}}},
    }
    average, rsi = (job["config"] for job in client.estimate(request)["jobs"])
    assert (average["search"]["max_evals"], rsi["search"]["max_evals"]) == (6, 9)
    assert rsi["search"]["algorithm"] == "tpe"
    assert (rsi["costs"]["fee_bps"], rsi["costs"]["slippage_bps"]) == (1.0, 5.0)


def test_the_batch_is_the_product_of_strategies_symbols_and_timeframes(client: Client) -> None:
    common = {**quick(), "symbols": ["BTC", "ETH"], "timeframes": ["1d", "1w"]}
    del common["asset"], common["timeframe"]
    batch = client.optimize_batch({"strategies": ["RSI", "HigherClose"], "common_config": common}).wait()
    assert batch.status["counts"]["total"] == 8
    items = list(batch.results())
    assert [(i["strategy_id"], i["symbol"], i["timeframe"]) for i in items[:4]] == [
        ("RSI", "BTC", "1d"),
        ("RSI", "BTC", "1w"),
        ("RSI", "ETH", "1d"),
        ("RSI", "ETH", "1w"),
    ]
    with pytest.raises(ConflictError) as ambiguous:
        batch.result("RSI")
    assert len(ambiguous.value.problem["candidates"]) == 4
    assert batch.result(items[1]["job_id"])["timeframe"] == "1w"


def test_failures_keep_their_reason_and_leave_the_others_intact(client: Client) -> None:
    names = ["HigherClose", "Raises", "ReturnsNaN", "NeverTrades", "KillsItself", "EatsMemory"]
    batch = client.optimize_batch({"strategies": names, "common_config": quick()}).wait()
    items = {item["strategy_id"]: item for item in batch.results()}
    assert items["HigherClose"]["status"] == "succeeded"
    codes = {name: item["error"]["code"] for name, item in items.items() if item["error"]}
    assert codes == {
        "Raises": "strategy_error",
        "ReturnsNaN": "strategy_error",
        "NeverTrades": "no_trades",
        "KillsItself": "worker_died",
        "EatsMemory": "out_of_memory",
    }
    assert "this strategy always fails" in items["Raises"]["error"]["detail"]
    assert items["KillsItself"]["attempts"] == 3
    assert all(item["result"] is None for name, item in items.items() if name in codes)
    assert batch.status["status"] == "completed"
    report = json.loads(batch.report("json"))
    assert len(report["ranking"]) == 1
    assert {f["strategy_id"]: f["code"] for f in report["failures"]} == codes


def test_a_job_that_holds_the_lock_in_native_code_is_killed_at_its_limit(client: Client) -> None:
    config = quick(timeout_minutes=1 / 60)
    began = time.monotonic()
    batch = client.optimize_batch({"strategies": ["HoldsTheGil"], "common_config": config}).wait()
    (item,) = batch.results()
    assert (item["status"], item["error"]["code"]) == ("timed_out", "timeout")
    assert time.monotonic() - began < 15
    assert batch.status["status"] == "failed"


def test_the_batch_limit_ends_what_runs_and_what_waits(client: Client) -> None:
    names = [{"name": "Sleeps", "strategy_id": f"s{i}"} for i in range(6)]
    batch = client.optimize_batch({"strategies": names, "common_config": quick(100), "deadline_minutes": 1 / 60}).wait()
    assert batch.status["status"] == "timed_out"
    assert {item["error"]["code"] for item in batch.results()} == {"deadline_exceeded"}


def test_cancel_keeps_what_was_finished(client: Client) -> None:
    batch = client.optimize_batch({"strategies": ["HigherClose", "Sleeps"], "common_config": quick(40)})
    for event in batch.stream():
        if event["event"] == "strategy.completed":
            batch.cancel()
    batch.refresh()
    states = {item["strategy_id"]: item["status"] for item in batch.results()}
    assert states == {"HigherClose": "succeeded", "Sleeps": "cancelled"}
    assert batch.status["status"] == "cancelled"
    assert batch.cancel().status["status"] == "cancelled"


def test_events_can_be_resumed_without_a_gap_or_a_repeat(client: Client, http: httpx2.Client) -> None:
    batch = client.optimize_batch({"strategies": ["HigherClose", "RSI", "MACD"], "common_config": quick()}).wait()
    path = f"/api/v1/optimize/batch/{batch.batch_id}/events"
    everything = [event for event in client.events(path) if event["id"]]
    assert [int(event["id"]) for event in everything] == [1, 2, 3, 4]
    assert everything[-1]["event"] == "batch.ended"
    resumed = [event for event in client.events(path, "2") if event["id"]]
    assert resumed == everything[2:]
    assert http.get(path, headers={"Last-Event-ID": "4"}).status_code == 204


def test_the_report_comes_in_five_formats(client: Client) -> None:
    batch = client.optimize_batch(
        {"strategies": ["HigherClose", "Raises"], "common_config": quick(), "label": "=cmd <script>"}
    )
    with pytest.raises(ConflictError):
        client.optimize_batch({"strategies": ["Sleeps"], "common_config": quick()}).report("json")
    batch.wait()
    rows = list(csv.DictReader(io.StringIO(batch.report("csv"))))
    assert [row["status"] for row in rows] == ["succeeded", "failed"]
    html = batch.report("html")
    assert "<script>" not in html
    assert "http" not in html.split("</head>")[1].replace("http://www.w3.org/2000/svg", "")
    assert "## Leaderboard" in batch.report("md")
    assert "strategy_error" in batch.report("txt")


def test_a_report_comes_whole_or_by_section(http: httpx2.Client, client: Client) -> None:
    """Each section is a part of its own; an unknown one is refused with the field's name."""
    batch = client.optimize_batch({"strategies": ["HigherClose"], "common_config": quick()}).wait()
    path = f"/api/v1/optimize/batch/{batch.batch_id}/report"
    summary = http.get(path, params={"format": "md", "section": "executive_summary"}).text
    assert "## Executive summary" in summary
    assert "## Leaderboard" not in summary
    assert set(http.get(path, params={"section": "leaderboard"}).json()) > {"ranking", "batch_id"}
    assert "failures" not in http.get(path, params={"section": "leaderboard"}).json()
    assert http.get(path, params={"section": "gossip"}).status_code == 422


def test_a_strategy_that_peeks_fails_with_its_own_code(client: Client) -> None:
    """Before any search, whatever its results would have been; the others of the batch go on."""
    batch = client.optimize_batch({"strategies": ["HigherClose", "Peeks"], "common_config": quick()}).wait()
    items = {item["strategy_id"]: item for item in batch.results()}
    assert items["HigherClose"]["status"] == "succeeded"
    assert items["Peeks"]["error"]["code"] == "look_ahead"
    assert "looks ahead" in items["Peeks"]["error"]["detail"]


def test_results_stream_as_lines_and_say_where_they_end(http: httpx2.Client, client: Client) -> None:
    batch = client.optimize_batch({"strategies": ["HigherClose"], "common_config": quick()}).wait()
    base = f"/api/v1/optimize/batch/{batch.batch_id}/results"
    lines = [json.loads(line) for line in http.get(base, headers={"Accept": "application/x-ndjson"}).text.splitlines()]
    assert [line["type"] for line in lines] == ["meta", "result", "end"]
    assert (lines[-1]["count"], lines[-1]["complete"]) == (1, True)
    trials = [json.loads(line) for line in http.get(f"{base}/HigherClose/trials").text.splitlines()]
    assert len(trials) == 6 + 2
    equity = [
        json.loads(line) for line in http.get(f"{base}/HigherClose/equity", params={"max_points": 10}).text.splitlines()
    ]
    assert len(equity) == 10 + 2


def test_one_idempotency_key_makes_one_batch(http: httpx2.Client) -> None:
    body = {"strategies": ["HigherClose"], "common_config": quick()}
    first, second = (
        http.post("/api/v1/optimize/batch", json=body, headers={"Idempotency-Key": '"k1"'}) for _ in range(2)
    )
    assert first.json()["batch_id"] == second.json()["batch_id"]
    assert second.headers["Idempotency-Replayed"] == "true"
    other = http.post("/api/v1/optimize/batch", json={**body, "seed": 5}, headers={"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_prefer_wait_answers_with_the_end(http: httpx2.Client) -> None:
    answer = http.post(
        "/api/v1/optimize/batch",
        json={"strategies": ["HigherClose"], "common_config": quick()},
        headers={"Prefer": "wait=30"},
    )
    assert answer.status_code == 200
    assert answer.json()["status"] == "completed"
    assert answer.headers["Preference-Applied"] == "wait=30"


def test_status_has_an_etag_that_spares_the_body(http: httpx2.Client, client: Client) -> None:
    batch = client.optimize_batch({"strategies": ["HigherClose"], "common_config": quick()}).wait()
    path = f"/api/v1/optimize/batch/{batch.batch_id}"
    etag = http.get(path).headers["ETag"]
    assert http.get(path, headers={"If-None-Match": etag}).status_code == 304


def test_batches_are_listed_page_by_page_and_deleted(http: httpx2.Client, client: Client) -> None:
    for _ in range(3):
        client.optimize_batch({"strategies": ["HigherClose"], "common_config": quick(), "label": "listed"}).wait()
    first = http.get("/api/v1/optimize/batch", params={"limit": 2, "label": "listed"}).json()
    second = http.get(
        "/api/v1/optimize/batch", params={"limit": 2, "label": "listed", "cursor": first["next_cursor"]}
    ).json()
    assert (len(first["data"]), len(second["data"]), second["has_more"]) == (2, 1, False)
    (last,) = second["data"]
    handle = client.batch(last["batch_id"])
    handle.delete()
    with pytest.raises(NotFoundError):
        client.batch(last["batch_id"])


def test_rows_of_the_list_tell_what_a_batch_is_about_and_its_best_result(http: httpx2.Client, client: Client) -> None:
    common = {**quick(), "symbols": ["ETH", "BTC"], "start_date": "2016-01-01", "end_date": "2021-01-01"}
    del common["asset"]
    request = {"strategies": ["RSI", "HigherClose", "Raises"], "common_config": common, "label": "rows"}
    batch = client.optimize_batch(request).wait()
    (row,) = http.get("/api/v1/optimize/batch", params={"label": "rows"}).json()["data"]
    assert row == http.get(f"/api/v1/optimize/batch/{batch.batch_id}").json()
    assert (row["strategies"], row["symbols"], row["timeframes"]) == (3, ["ETH", "BTC"], ["1d"])
    assert (row["start_date"], row["end_date"]) == ("2016-01-01T00:00:00.000Z", "2021-01-01T00:00:00.000Z")
    items = {item["job_id"]: item for item in batch.results() if item["result"]}
    ratios = {name: item["result"]["out_of_sample"]["metrics"]["sharpe_ratio"] for name, item in items.items()}
    ratio, first = max((ratio, name) for name, ratio in ratios.items() if ratio is not None)
    identity = {name: items[first][name] for name in ("job_id", "strategy_id", "symbol", "timeframe")}
    assert row["best"] == {**identity, "sharpe_ratio": ratio}


def test_what_failed_can_be_tried_again(http: httpx2.Client, client: Client) -> None:
    batch = client.optimize_batch({"strategies": ["HigherClose", "Raises"], "common_config": quick()}).wait()
    again = http.post(f"/api/v1/optimize/batch/{batch.batch_id}/retry")
    assert again.status_code == 202
    assert again.json()["counts"]["total"] == 1
    assert next(client.batch(again.json()["batch_id"]).wait().results())["strategy_id"] == "Raises"


def test_a_single_optimisation_answers_with_its_result(client: Client) -> None:
    job = client.optimize({"strategy_name": "HigherClose", **quick()})
    assert job["status"] == "succeeded"
    assert set(job["result"]["best_params"]) == {"period"}


def test_a_result_is_exported_with_its_verdict_and_the_rest_is_refused(client: Client, http: httpx2.Client) -> None:
    """A script of a catalogue strategy tells the batch's verdict; a strategy of one's own and a failed one say why there is none."""
    request = {"strategies": ["RSI", "HigherClose", "Raises"], "common_config": quick()}
    batch = client.optimize_batch(request).wait()
    (row,) = [r for r in json.loads(batch.report())["ranking"] if r["strategy_id"] == "RSI"]
    script = batch.export_pine("RSI")
    assert script.startswith("//@version=6\n")
    assert f"// Verdict: {row['verdict'].replace('_', ' ')} (" in script
    base = f"/api/v1/optimize/batch/{batch.batch_id}/results"
    answer = http.get(f"{base}/RSI/export", params={"format": "pine"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="RSI-BTC-1d.pine"'
    assert answer.text == script
    assert http.get(f"/api/v1/optimize/jobs/{row['job_id']}/export").text == script
    refused = http.get(f"{base}/HigherClose/export")
    assert (refused.status_code, refused.json()["code"]) == (422, "cannot_be_exported")
    assert "Python of your own" in refused.json()["detail"]
    assert http.get(f"{base}/Raises/export").status_code == 404
    assert http.get(f"{base}/RSI/export", params={"format": "mql"}).status_code == 422
