"""The asynchronous client does what the blocking one does."""

from __future__ import annotations

import asyncio
import runpy
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stratopt import AsyncClient, Client
from stratopt.client.errors import ConflictError, ConnectionFailedError, NotFoundError

from .conftest import quick


def run(server: str, work: Callable[[AsyncClient], Awaitable[Any]], **options: Any) -> Any:
    async def connected() -> Any:
        async with AsyncClient(server, **options) as client:
            return await work(client)

    return asyncio.run(connected())


def test_the_blocking_client_is_written_from_the_asynchronous_one() -> None:
    path = Path(__file__).resolve().parents[2] / "tools" / "write_client.py"
    written = runpy.run_path(str(path))
    assert written["WRITTEN"].read_text(encoding="utf-8") == written["blocking_client"](), "run tools/write_client.py"


class Silent(BaseHTTPRequestHandler):
    """A server whose batch waits in the queue: its stream says so once and then only pings, or nothing."""

    protocol_version = "HTTP/1.1"
    pings = False
    stopped = threading.Event()

    def do_GET(self) -> None:
        status = b'{"batch_id": "bat_1", "status": "queued", "is_terminal": false}'
        if not self.path.endswith("/events"):
            self._begin("application/json", [("Content-Length", str(len(status)))])
            self.wfile.write(status)
            return
        self._begin("text/event-stream", [("Connection", "close")])
        with suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(b"event: snapshot\ndata: " + status + b"\n\n")
            while not self.stopped.wait(0.05):
                if self.pings:
                    self.wfile.write(b": ping\n\n")

    def _begin(self, kind: str, headers: list[tuple[str, str]]) -> None:
        self.send_response(200)
        for name, value in [("Content-Type", kind), *headers]:
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(params=[True, False], ids=["pings", "silence"])
def queue(request: pytest.FixtureRequest) -> Iterator[str]:
    kind = type("Handler", (Silent,), {"pings": request.param, "stopped": threading.Event()})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        kind.stopped.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


@pytest.mark.timeout(30)
def test_waiting_ends_when_its_time_is_over_though_nothing_happens(queue: str) -> None:
    async def follow(client: AsyncClient) -> None:
        await (await client.batch("bat_1")).wait(timeout_seconds=0.5)

    told = r"batch bat_1 has not ended after 0\.5 s; it goes on"
    with Client(queue) as client, pytest.raises(TimeoutError, match=told):
        client.batch("bat_1").wait(timeout_seconds=0.5)
    with pytest.raises(TimeoutError, match=told):
        run(queue, follow)


def test_a_batch_is_submitted_followed_and_read(server: str, client: Client) -> None:
    body = {"strategies": ["HigherClose", "Raises", "RSI"], "common_config": quick()}

    async def work(client: AsyncClient) -> Any:
        batch = await client.optimize_batch(body)
        events = [event["event"] async for event in batch.stream()]
        await batch.wait()
        items = [item async for item in batch.results(sort="rank")]
        again = await (await batch.retry()).wait()
        with pytest.raises(ConflictError):
            await _delete_while_it_runs(client, body)
        return batch, events, items, await batch.errors(), await batch.report("txt"), again.status

    batch, events, items, errors, report, again = run(server, work)
    assert events[0] == "snapshot"
    assert events[-1] == "batch.ended"
    assert [item["job_id"] for item in items] == [
        i["job_id"] for i in client.batch(batch.batch_id).results(sort="rank")
    ]
    assert errors["by_code"] == {"strategy_error": 1}
    assert "HigherClose" in report
    assert again["counts"]["total"] == 1


async def _delete_while_it_runs(client: AsyncClient, body: dict[str, Any]) -> None:
    batch = await client.optimize_batch({**body, "common_config": quick(1_000_000)})
    try:
        await batch.delete()
    finally:
        await (await batch.cancel()).wait()


def test_many_batches_at_once(server: str) -> None:
    async def work(client: AsyncClient) -> Any:
        body = {"strategies": ["HigherClose"], "common_config": quick()}
        made = await asyncio.gather(*(client.optimize_batch(body) for _ in range(10)))
        ended = await asyncio.gather(*(batch.wait() for batch in made))
        listed = [batch["batch_id"] async for batch in client.batches(max_items=10)]
        return [batch.status["status"] for batch in ended], {b.batch_id for b in made} == set(listed)

    assert run(server, work) == (["completed"] * 10, True)


def test_one_strategy_and_its_plan(server: str, client: Client) -> None:
    request = {"strategy_name": "RSI", **quick()}
    found = run(server, lambda c: c.optimize(request))
    assert found["result"]["best_params"] == client.optimize(request)["result"]["best_params"]
    plan = run(server, lambda c: c.estimate({"strategies": ["RSI"], "common_config": quick(7)}))
    assert plan["evaluations_total"] == 7


def test_errors_have_their_names(server: str) -> None:
    with pytest.raises(NotFoundError):
        run(server, lambda c: c.batch("bat_none"))
    with pytest.raises(ConnectionFailedError, match="stratopt serve"):
        run("http://127.0.0.1:9", lambda c: c.strategies(), retries=0)
