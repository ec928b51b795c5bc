"""The contract of WebhookStore, over every implementation: there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from sqlalchemy import insert

from stratopt.optimization.webhooks.messages import Delivery, DeliveryState, Webhook, WebhookStore
from stratopt.storage.dialects import sqlite_engines
from stratopt.storage.migrate import migrate
from stratopt.storage.schema import deliveries
from stratopt.storage.sql_webhook_store import SqlWebhookStore

RECEIVER = Webhook(webhook_id="wh_1", owner="", url="https://a.example/", secret="whsec_x", created_at=0.0)
Put = Callable[[Delivery], None]


def open_sqlite(folder: Path) -> tuple[WebhookStore, Put]:
    writer, reader = sqlite_engines(folder / "store.sqlite")
    migrate(writer)

    def put(delivery: Delivery) -> None:
        with writer.begin() as connection:
            connection.execute(insert(deliveries).values(asdict(delivery)))

    return SqlWebhookStore(writer, reader), put


@pytest.fixture(params=[open_sqlite])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[WebhookStore, Put]:
    store, put = request.param(tmp_path)
    store.add(RECEIVER)
    return store, put


def delivery(
    name: str, created_at: float, *, next_at: float | None = None, delivered_at: float | None = None
) -> Delivery:
    return Delivery(
        delivery_id=name,
        webhook_id=RECEIVER.webhook_id,
        batch_id="bat_1",
        event="batch.ended",
        body="{}",
        created_at=created_at,
        attempts=1,
        next_at=next_at,
        delivered_at=delivered_at,
    )


def test_messages_that_are_over_are_removed_and_those_that_wait_stay(opened: tuple[WebhookStore, Put]) -> None:
    store, put = opened
    put(delivery("delivered long ago", 1.0, delivered_at=99.0))
    put(delivery("created long ago, delivered lately", 1.0, delivered_at=100.0))
    put(delivery("given up long ago", 49.0))
    put(delivery("given up lately", 50.0))
    put(delivery("waits since long ago", 1.0, next_at=2.0))
    assert store.prune(delivered_before=100.0, dead_created_before=50.0) == 2
    left = {d.delivery_id: d.state for d in store.deliveries(RECEIVER.webhook_id, 9)}
    assert left == {
        "created long ago, delivered lately": DeliveryState.DELIVERED,
        "given up lately": DeliveryState.DEAD,
        "waits since long ago": DeliveryState.PENDING,
    }
    assert store.prune(delivered_before=100.0, dead_created_before=50.0) == 0
    assert [d.delivery_id for d in store.due(3.0, 9)] == ["waits since long ago"]


def test_a_message_that_was_removed_while_it_was_tried_stays_removed(opened: tuple[WebhookStore, Put]) -> None:
    store, put = opened
    put(gone := delivery("m", 1.0))
    store.prune(delivered_before=100.0, dead_created_before=50.0)
    store.record(gone)
    assert store.deliveries(RECEIVER.webhook_id, 9) == []
