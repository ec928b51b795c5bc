"""The asynchronous client does what the blocking one does."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from stratopt import AsyncBatchHandle, AsyncClient, BatchHandle, Client
from stratopt.client.errors import ConflictError, ConnectionFailedError, NotFoundError

from .conftest import quick


def run(server: str, work: Callable[[AsyncClient], Awaitable[Any]], **options: Any) -> Any:
    async def connected() -> Any:
        async with AsyncClient(server, **options) as client:
            return await work(client)

    return asyncio.run(connected())


@pytest.mark.parametrize(("blocking", "asynchronous"), [(Client, AsyncClient), (BatchHandle, AsyncBatchHandle)])
def test_both_clients_offer_the_same_methods(blocking: type, asynchronous: type) -> None:
    def offered(kind: type) -> dict[str, list[str]]:
        members = {name: getattr(kind, name) for name in vars(kind) if not name.startswith("_")}
        return {name: list(inspect.signature(m).parameters) for name, m in members.items() if inspect.isfunction(m)}

    assert offered(blocking) == offered(asynchronous)


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
