"""What the server removes by itself."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import pytest
from sqlalchemy import insert

from stratopt.bootstrap import make_parts
from stratopt.optimization.webhooks.messages import Delivery, Webhook
from stratopt.settings import Settings
from stratopt.storage.dialects import sqlite_engines
from stratopt.storage.schema import deliveries

DAY = 86_400.0


@pytest.mark.parametrize("webhooks", [False, True])
def test_messages_are_kept_as_long_as_batches(tmp_path: Path, webhooks: bool) -> None:
    settings = Settings(data_dir=tmp_path, retention_days=10, webhooks=webhooks, webhook_max_attempts=2)
    service = make_parts(settings).service
    now = time.time()
    receiver = Webhook(webhook_id="wh_1", owner="", url="https://a.example/", secret="whsec_x", created_at=now)
    service.webhooks.store.add(receiver)
    ages = {"old": (12, 11.0, None), "fresh": (12, 9.0, None), "dead": (11, None, None), "waits": (99, None, now)}
    ages["dead lately"] = (10, None, None)  # its attempts took their time
    writer, reader = sqlite_engines(settings.database_path)
    with writer.begin() as connection:
        for name, (created, delivered, next_at) in ages.items():
            message = Delivery(
                delivery_id=name,
                webhook_id="wh_1",
                batch_id="bat_1",
                event="batch.ended",
                body="{}",
                created_at=now - created * DAY,
                delivered_at=None if delivered is None else now - delivered * DAY,
                next_at=next_at,
            )
            connection.execute(insert(deliveries).values(asdict(message)))
    service.manager._books.keep({}, {})
    assert {d.delivery_id for d in service.webhooks.store.deliveries("wh_1", 9)} == {"fresh", "waits", "dead lately"}
    service.manager.store.close()
    writer.dispose()
    reader.dispose()
