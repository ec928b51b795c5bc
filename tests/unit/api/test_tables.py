"""Trials, equity and trades of a result: lines, pages and CSV, as `Accept` asks."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from stratopt.api.streaming import csv_lines, ndjson
from stratopt.bootstrap import Parts
from stratopt.optimization.jobs import BatchState, Ending, JobState

BODY = {"strategies": ["RSI"], "common_config": {"asset": "BTC"}}
ROWS, EQUITY_ROWS = 20_500, 6_000
TRIALS = {
    "number": list(range(ROWS)),
    "params": [f'{{"period":{k}}}' for k in range(ROWS)],
    "score": [math.nan if k % 2 else -k / 2 for k in range(ROWS)],
    "reason": [None if k else "=cmd|' /C calc'!A0" for k in range(ROWS)],
}
TABLES: Mapping[str, Mapping[str, Any]] = {
    "trials": TRIALS,
    "equity": {"open_time": list(range(EQUITY_ROWS)), "equity": [1.0] * EQUITY_ROWS},
    "trades": {"entry_bar": [], "pnl": []},
}


@pytest.fixture
def path(client: TestClient, parts: Parts) -> str:
    return stored(client, parts, TABLES)


def stored(client: TestClient, parts: Parts, tables: Mapping[str, Any]) -> str:
    """Where the tables of a job that has ended are."""
    store = parts.service.manager.store
    batch_id = client.post("/api/v1/optimize/batch", json=BODY).json()["batch_id"]
    job = store.claim(full_batches=[], now=time.time())
    assert job is not None
    names = {name: parts.service.artifacts.of(batch_id).put(columns) for name, columns in tables.items()}
    ending = Ending(state=JobState.SUCCEEDED, result={"summary": {}, "artifacts": names})
    store.finish(job.job_id, job.fence, ending, time.time())
    store.end_batch(batch_id, BatchState.COMPLETED, time.time())
    return f"/api/v1/optimize/batch/{batch_id}/results/RSI"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/x-ndjson"),
        ("*/*", "application/x-ndjson"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/json", "application/json"),
        ("text/csv", "text/csv"),
        ("text/csv;q=0.5, application/json", "application/json"),
    ],
)
@pytest.mark.parametrize("table", TABLES)
def test_the_format_is_the_one_that_is_accepted(
    client: TestClient, path: str, table: str, accept: str | None, kind: str
) -> None:
    headers = {} if accept is None else {"Accept": accept}
    answer = client.get(f"{path}/{table}", headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, kind)


@pytest.mark.parametrize("table", TABLES)
def test_what_is_not_offered_is_not_acceptable(client: TestClient, path: str, table: str) -> None:
    answer = client.get(f"{path}/{table}", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert "application/x-ndjson, application/json and text/csv, not text/html" in answer.json()["detail"]


def test_pages_hold_every_row_once(client: TestClient, path: str) -> None:
    accept = {"Accept": "application/json"}
    first = client.get(f"{path}/trials", headers=accept).json()
    assert list(first) == ["data", "has_more", "next_cursor"]
    assert (len(first["data"]), first["has_more"], first["next_cursor"]) == (1000, True, 1000)
    assert first["data"][1] == {"number": 1, "params": '{"period":1}', "score": None, "reason": None}
    numbers: list[int] = []
    cursor: int | None = 0
    while cursor is not None:
        page = client.get(f"{path}/trials", headers=accept, params={"limit": 99_999, "cursor": cursor}).json()
        assert len(page["data"]) <= 10_000
        numbers += [row["number"] for row in page["data"]]
        assert page["has_more"] == (page["next_cursor"] is not None)
        cursor = page["next_cursor"]
    assert numbers == TRIALS["number"]


@pytest.mark.parametrize("cursor", [ROWS, ROWS + 1, 2**31 - 1])
def test_behind_the_last_row_there_is_nothing(client: TestClient, path: str, cursor: int) -> None:
    params = {"cursor": cursor}
    page = client.get(f"{path}/trials", headers={"Accept": "application/json"}, params=params).json()
    assert page == {"data": [], "has_more": False, "next_cursor": None}
    lines = client.get(f"{path}/trials", params=params).text.splitlines()
    assert json.loads(lines[-1]) == {"type": "end", "count": 0, "complete": True}
    text = client.get(f"{path}/trials", headers={"Accept": "text/csv"}, params=params).text
    assert text == "number,params,score,reason\n"


def test_an_empty_table_is_an_empty_page_and_a_header(client: TestClient, path: str) -> None:
    assert client.get(f"{path}/trades", headers={"Accept": "application/json"}).json()["data"] == []
    assert client.get(f"{path}/trades", headers={"Accept": "text/csv"}).text == "entry_bar,pnl\n"


@pytest.mark.parametrize("begin", [0, 1, 2_000, 16_383, 16_384, 20_499])
def test_lines_and_csv_begin_at_the_cursor(client: TestClient, path: str, begin: int) -> None:
    lines = client.get(f"{path}/trials", params={"cursor": begin}).text.splitlines()
    rows = [json.loads(line) for line in lines[1:-1]]
    assert [row["number"] for row in rows] == TRIALS["number"][begin:]
    text = client.get(f"{path}/trials", headers={"Accept": "text/csv"}, params={"cursor": begin}).text
    read = list(csv.DictReader(io.StringIO(text)))
    assert [int(row["number"]) for row in read] == TRIALS["number"][begin:]


def test_cells_of_csv_are_text_numbers_or_empty(client: TestClient, path: str) -> None:
    text = client.get(f"{path}/trials", headers={"Accept": "text/csv"}).text
    first, second, third = itertools.islice(csv.DictReader(io.StringIO(text)), 3)
    assert first == {"number": "0", "params": '{"period":0}', "score": "0.0", "reason": "'=cmd|' /C calc'!A0"}
    assert second == {"number": "1", "params": '{"period":1}', "score": "", "reason": ""}
    assert third["score"] == "-1.0"


@pytest.mark.parametrize(("max_points", "count"), [(2, 2), (100, 100), (5000, 5000), (None, 5000), (10_000, 6000)])
def test_only_equity_is_thinned_and_in_every_format(
    client: TestClient, path: str, max_points: int | None, count: int
) -> None:
    params = {} if max_points is None else {"max_points": max_points}
    assert client.get(f"{path}/equity", params=params).text.count("\n") == count + 2
    assert client.get(f"{path}/equity", headers={"Accept": "text/csv"}, params=params).text.count("\n") == count + 1
    accept = {"Accept": "application/json"}
    page = client.get(f"{path}/equity", headers=accept, params={**params, "limit": 10_000}).json()
    assert [len(page["data"]), page["data"][0]["open_time"], page["data"][-1]["open_time"]] == [count, 0, 5999]
    tail = client.get(f"{path}/equity", headers=accept, params={**params, "limit": 10, "cursor": count - 1}).json()
    assert tail == {"data": page["data"][-1:], "has_more": False, "next_cursor": None}
    assert client.get(f"{path}/trials", params=params).text.count("\n") == ROWS + 2


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": "x"}, {"cursor": -1}, {"cursor": 2**31}, {"cursor": "!"}])
def test_bad_places_are_refused(client: TestClient, path: str, wrong: dict[str, Any]) -> None:
    answer = client.get(f"{path}/trials", headers={"Accept": "application/json"}, params=wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["errors"][0]["pointer"] == f"/{next(iter(wrong))}"


def test_streams_take_their_rows_as_they_are_read() -> None:
    taken = itertools.count()

    def endless() -> Iterator[dict[str, Any]]:
        for k in itertools.repeat(1.5):
            next(taken)
            yield {"k": k}

    assert next(csv_lines(["k"], endless())) == b"k\n"
    for stream in (csv_lines(["k"], endless()), ndjson({}, endless(), kind="x", complete=lambda: True)):
        before = next(taken)
        next(stream)
        assert next(stream).count(b"\n") == 500
        assert next(taken) - before <= 1 + 500


def columns(table: pa.Table) -> Mapping[str, Any]:
    return dict(zip(table.column_names, table.columns, strict=True))


@pytest.mark.parametrize("table", TABLES)
def test_a_real_table_says_the_same_in_every_format(
    client: TestClient, parts: Parts, finished: Any, table: str
) -> None:
    """Times are RFC 3339 in UTC, here and there; an empty cell is null."""
    jobs, real = finished
    path = stored(client, parts, {name: columns(real.table(jobs[0].result["artifacts"][name])) for name in TABLES})
    page = client.get(f"{path}/{table}", headers={"Accept": "application/json"}, params={"limit": 10_000}).json()[
        "data"
    ]
    lines = client.get(f"{path}/{table}").text.splitlines()[1:-1]
    assert page
    assert page == [{k: v for k, v in json.loads(line).items() if k != "type"} for line in lines]
    times = [value for row in page for name, value in row.items() if name.endswith("_time")]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time) for time in times if time)
    assert bool(times) == (table != "trials")
    text = client.get(f"{path}/{table}", headers={"Accept": "text/csv"}).text
    expected = [{name: "" if v is None else str(v) for name, v in row.items()} for row in page]
    assert list(csv.DictReader(io.StringIO(text))) == expected


def test_a_list_in_a_cell_of_csv_is_json() -> None:
    """Such as the bucket returns of a trial, a column of lists of equal length."""
    returns = pa.FixedSizeListArray.from_arrays(pa.array([0.5, math.nan, -1.0, 0.0]), 2)
    rows = pa.table({"number": [0, 1], "returns": returns}).to_pylist()
    assert b"".join(csv_lines(["number", "returns"], rows)) == b'number,returns\n0,"[0.5,null]"\n1,"[-1.0,0.0]"\n'
