"""Every error that the OpenAPI document promises is provoked, and looks as its example says."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from stratopt.api.problems import PROBLEM_JSON
from stratopt.bootstrap import Parts, make_parts
from stratopt.market.catalogue import Catalogue
from stratopt.optimization.api_keys import Scope
from stratopt.optimization.jobs import BatchState, Ending, Failure, JobState
from stratopt.optimization.strategy_optimizer import optimize_strategy
from stratopt.settings import Settings
from stratopt.storage.dialects import sqlite_engines
from stratopt.storage.sql_job_store import SqlJobStore
from stratopt.strategies.catalogue import StrategyCatalogue

from .conftest import MakeClient

DOCUMENT = json.loads((Path(__file__).resolve().parents[3] / "docs" / "reference" / "openapi.json").read_text())
BATCH, SINGLE, WEBHOOKS = "/api/v1/optimize/batch", "/api/v1/optimize/single", "/api/v1/webhooks"
SERIES = {"asset": "BTC", "timeframe": "1d"}
BODIES: dict[str, dict[str, Any]] = {
    BATCH: {"strategies": ["RSI"], "common_config": SERIES},
    SINGLE: {"strategy_name": "RSI", **SERIES},
    WEBHOOKS: {"url": "https://93.184.215.14/"},
}
CASES = [
    (method, path, code)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    for status, answer in operation["responses"].items()
    for code in answer.get("content", {}).get(PROBLEM_JSON, {}).get("examples", {})
]
SUCCESS = Ending(state=JobState.SUCCEEDED, result={"summary": {}, "artifacts": {}})
YEAR = 366 * 86_400.0
FAILURE = Ending(state=JobState.FAILED, failure=Failure(code="strategy_error", message="it broke"))


class Situation:
    """An application, a batch in it, and what to send; the provokers below change one thing each."""

    def __init__(self, method: str, path: str, make: MakeClient, parts: Parts, folder: Path) -> None:
        self.method, self.path, self.make, self.parts, self.folder = method, path, make, parts, folder
        self.client = make()
        self.headers: dict[str, str] = {"Prefer": "wait=1"}
        self.query: dict[str, str] = {}
        self.names = {
            "name": "RSI",
            "strategy_id": "RSI",
            "table": "trials",
            "batch_id": "bat_1",
            "job_id": "job_1",
            "webhook_id": "wh_1",
        }
        self.content = json.dumps(BODIES[path]).encode() if path in BODIES else None
        self.store = parts.service.manager.store

    def submit(self, body: dict[str, Any] | None = None) -> Any:
        answer = self.make().post(BATCH, json=body or BODIES[BATCH])
        if answer.status_code == 202:
            self.names["batch_id"] = answer.json()["batch_id"]
            self.names["job_id"] = self.store.jobs(self.names["batch_id"])[0].job_id
        return answer

    def submitted(self) -> Situation:
        if "{batch_id}" in self.path or "{job_id}" in self.path:
            self.submit()
        return self

    def finish_with_a_stop(self) -> None:
        """End a batch with a real result whose rules no script can follow."""
        search = {"max_evals": 3, "algorithm": "random", "cross_validation": False}
        config = {**SERIES, "optimization_config": search, "execution": {"stop_loss_pct": 0.1}}
        self.submit({"strategies": ["RSI"], "common_config": config})
        job = self.store.claim(full_batches=[], now=time.time())
        assert job is not None
        found = optimize_strategy(job.spec, Catalogue(self.folder).bars("BTC", "1d"), StrategyCatalogue().get("RSI"))
        names = {
            name: self.parts.service.artifacts.of(job.batch_id).put(columns) for name, columns in found.tables.items()
        }
        ending = Ending(state=JobState.SUCCEEDED, result={**found.result, "artifacts": names})
        self.store.finish(job.job_id, job.fence, ending, time.time())
        self.store.end_batch(job.batch_id, BatchState.COMPLETED, time.time())

    def end_batch(self, ending: Ending) -> None:
        self.submit()
        job = self.store.claim(full_batches=[], now=time.time())
        assert job is not None
        self.store.finish(job.job_id, job.fence, ending, time.time())
        self.store.end_batch(job.batch_id, BatchState.COMPLETED, time.time())

    def body(self, **changes: Any) -> None:
        self.content = json.dumps({**BODIES[self.path], **changes}).encode()

    def config(self, **changes: Any) -> None:
        self.body(**(changes if self.path == SINGLE else {"common_config": {**SERIES, **changes}}))

    def send(self) -> Any:
        headers = {"Content-Type": "application/json", **self.headers} if self.content else self.headers
        path = self.path.format(**self.names)
        return self.client.request(self.method, path, content=self.content, headers=headers, params=self.query)


@pytest.fixture
def parts(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Parts]:
    limits = {"too_many_active_batches": {"max_active_batches": 1}, "queue_full": {"max_queued_jobs": 1}}
    parts = make_parts(Settings(data_dir=tmp_path, **limits.get(request.node.callspec.params["code"], {})))
    yield parts
    parts.service.manager.store.close()


def with_key(situation: Situation, scope: Scope, add_key: Callable[..., str]) -> None:
    situation.headers["Authorization"] = f"Bearer {add_key(scope)}"


def break_endpoint(situation: Situation, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("a fault of ours")

    for included in situation.client.app.routes:  # type: ignore[attr-defined]
        for route in getattr(included, "effective_candidates", list)():
            if route.path == situation.path and situation.method.upper() in route.methods:
                monkeypatch.setattr(route.dependant, "call", broken)


def break_database(situation: Situation) -> None:
    with sqlite3.connect(situation.folder / "stratopt.sqlite") as connection:
        for table in ("api_keys", "batches"):
            connection.execute(f"ALTER TABLE {table} RENAME TO gone_{table}")
    connection.close()


def reuse_key(situation: Situation) -> None:
    """Send something else with the key first."""
    situation.headers["Idempotency-Key"] = "k"
    situation.send()
    situation.config(seed=7)


def fill_disk(situation: Situation) -> None:
    """Let the database not grow any more, and use what room is left in it."""
    if situation.path.endswith("/retry"):
        situation.end_batch(FAILURE)
    manager = situation.parts.service.manager
    writer, reader = sqlite_engines(situation.folder / "stratopt.sqlite", max_pages=1)
    manager.store = SqlJobStore(writer, reader)
    while situation.client.post(BATCH, json=BODIES[BATCH]).status_code == 202:
        pass


def too_many_streams(situation: Situation) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b""

    situation.client = situation.make(max_streams=1)
    situation.client.app.state.streams.count("testclient", endless())  # type: ignore[attr-defined]


def test_every_operation_has_examples_of_errors() -> None:
    assert {(m, p) for m, p, _ in CASES} == {(m, p) for p, item in DOCUMENT["paths"].items() for m in item}


@pytest.mark.parametrize(("method", "path", "code"), CASES)
def test_the_error_is_provoked_and_looks_like_its_example(
    method: str,
    path: str,
    code: str,
    make_client: MakeClient,
    parts: Parts,
    tmp_path: Path,
    add_key: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s = Situation(method, path, make_client, parts, tmp_path)
    wrong_query = {"validation_failed": {"limit": "0", "max_points": "1", "format": "docx"}}
    both = {"asset": None, "symbols": ["BTC", "ETH"]}
    provoke: dict[str, Callable[[], object]] = {
        "host_not_allowed": lambda: s.headers.update(Host="evil.example"),
        "origin_not_allowed": lambda: s.headers.update(Origin="http://evil.example"),
        "internal_error": lambda: break_endpoint(s.submitted(), monkeypatch),
        "missing_api_key": lambda: add_key(Scope.READ),
        "invalid_api_key": lambda: s.headers.update(Authorization="Bearer stratopt_wrong"),
        "insufficient_scope": lambda: with_key(s, Scope.READ if path == "/metrics" else Scope.METRICS, add_key),
        "rate_limited": lambda: (
            setattr(s, "client", make_client(reads_per_minute=1, submissions_per_minute=1)),
            s.client.request(method, path.format(**s.names), json={} if s.content else None),
        ),
        "storage_unavailable": lambda: break_database(s),
        "draining": lambda: (s.submitted(), setattr(s.client.app.state, "draining", True)),  # type: ignore[attr-defined]
        "payload_too_large": lambda: (
            setattr(s, "client", make_client(max_body_bytes=1024)),
            setattr(s, "content", b" " * 1025),
        ),
        "not_found": lambda: s.names.update(name="Nope", batch_id="bat_1", job_id="job_1"),
        "validation_failed": lambda: (
            s.submitted(),
            s.query.update(wrong_query["validation_failed"]),
            s.content and s.body(**({"url": ""} if path == WEBHOOKS else {"seed": -1})),
        ),
        "invalid_cursor": lambda: s.query.update(cursor="garbage"),
        "not_acceptable": lambda: (s.submitted(), s.headers.update(Accept="image/png")),
        "too_many_streams": lambda: (s.submit(), too_many_streams(s)),
        "malformed_json": lambda: setattr(s, "content", b"{"),
        "unsupported_media_type": lambda: s.headers.update({"Content-Type": "text/plain"}),
        "invalid_idempotency_key": lambda: (s.submitted(), s.headers.update({"Idempotency-Key": 'a"b'})),
        "idempotency_key_reused": lambda: reuse_key(s),
        "unknown_strategy": lambda: s.body(**{"strategies" if path == BATCH else "strategy_name": _named(path, "RSY")}),
        "unknown_symbol": lambda: s.config(asset="NOPE"),
        "search_space_too_large": lambda: s.config(
            optimization_config={"max_evals": 1_000_000}, validation_config={"folds": 50}
        ),
        "webhook_url_forbidden": lambda: s.body(**{"url" if path == WEBHOOKS else "webhook": "http://127.0.0.1/"}),
        "too_many_active_batches": lambda: (s.end_batch(FAILURE), _keeping_names(s, s.submit)),
        "queue_full": lambda: (s.end_batch(FAILURE), _keeping_names(s, s.submit)),
        "storage_full": lambda: fill_disk(s),
        "cannot_be_exported": s.finish_with_a_stop,
        "missing_extra": lambda: (
            s.end_batch(FAILURE),
            s.query.update(format="pdf"),
            monkeypatch.setitem(sys.modules, "weasyprint", None),
        ),
        "batch_expired": lambda: (s.end_batch(FAILURE), s.store.expire_batch(s.names["batch_id"], time.time() + YEAR)),
        "batch_running": s.submit,
        "batch_not_finished": s.submit,
        "nothing_to_retry": lambda: s.end_batch(SUCCESS),
        "ambiguous_strategy_id": lambda: s.submit({"strategies": ["RSI"], "common_config": {**SERIES, **both}}),
        "conflict": lambda: s.submit({"strategies": ["RSI", "MACD"], "common_config": SERIES}),
    }
    provoke[code]()
    answer = s.send()
    assert answer.headers["content-type"] == PROBLEM_JSON, answer.text
    problem = answer.json()
    response = DOCUMENT["paths"][path][method]["responses"][str(answer.status_code)]["content"][PROBLEM_JSON]
    example = response["examples"][code]["value"]
    told = {name: problem[name] for name in ("type", "title", "status", "code")}
    assert told == {name: example[name] for name in told}
    assert set(example) <= set(problem)
    for shown in (problem, example):
        Draft202012Validator({**response["schema"], "components": DOCUMENT["components"]}).validate(shown)


def _named(path: str, name: str) -> Any:
    return [name] if path == BATCH else name


def _keeping_names(situation: Situation, action: Callable[[], object]) -> None:
    names = dict(situation.names)
    action()
    situation.names = names
