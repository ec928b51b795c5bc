"""A stream of events that is followed while the server is killed and started again: every end once, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from stratopt.client.async_client import AsyncClient
from stratopt.client.client import Client

from .harness import Server, assert_invariants

pytestmark = pytest.mark.faults
QUICK, SLOW = ["quick0", "quick1"], ["slow0", "slow1"]
KILLED_AFTER = str(len(QUICK))


def submitted(server: Server) -> str:
    strategies = [{"name": id_[:-1].capitalize(), "strategy_id": id_} for id_ in (*QUICK, *SLOW)]
    return server.submit(strategies).batch_id


def followed(server: Server, batch_id: str) -> list[dict[str, Any]]:
    found = []
    with Client(server.address) as client:
        for event in client.batch(batch_id).stream(timeout_seconds=90):
            found.append(event)
            if event["id"] == KILLED_AFTER:
                server.kill()
                server.start()
    return found


def followed_asynchronously(server: Server, batch_id: str) -> list[dict[str, Any]]:
    async def follow() -> list[dict[str, Any]]:
        found = []
        async with AsyncClient(server.address) as client:
            async for event in (await client.batch(batch_id)).stream(timeout_seconds=90):
                found.append(event)
                if event["id"] == KILLED_AFTER:
                    await asyncio.to_thread(server.kill)
                    await asyncio.to_thread(server.start)
        return found

    return asyncio.run(follow())


def assert_starts_come_before_ends(events: Sequence[dict[str, Any]]) -> None:
    ended: set[str] = set()
    for event in events:
        if event["event"] == "strategy.started":
            assert event["id"] is None
            assert event["data"]["job_id"] not in ended
        elif event["event"] == "strategy.completed":
            ended.add(event["data"]["job_id"])


@pytest.mark.parametrize("follow", [followed, followed_asynchronously])
def test_a_stream_survives_a_killed_server(server: Server, follow: Any) -> None:
    events = follow(server, submitted(server))
    ends = [event["id"] for event in events if event["id"]]
    assert ends == [str(k) for k in range(1, len(QUICK) + len(SLOW) + 2)]
    assert events[-1]["event"] == "batch.ended"
    assert [event["event"] for event in events].count("snapshot") >= 2
    started = {event["data"]["strategy_id"] for event in events if event["event"] == "strategy.started"}
    assert started >= set(SLOW)
    assert_starts_come_before_ends(events)
    assert_invariants(server)
