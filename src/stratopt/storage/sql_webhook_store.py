"""WebhookStore on SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Engine, Select, delete, func, insert, or_, select, update

from stratopt.optimization.webhooks.messages import Delivery, Webhook
from stratopt.storage.failures import translated
from stratopt.storage.schema import deliveries, webhooks

RECORDED = ("attempts", "next_at", "status_code", "error", "delivered_at")


class SqlWebhookStore:
    """See ``WebhookStore`` for the contract."""

    def __init__(self, writer: Engine, reader: Engine) -> None:
        self._writer, self._reader = writer, reader

    def add(self, webhook: Webhook) -> None:
        """Store a new receiver."""
        self._write(insert(webhooks).values(asdict(webhook)))

    def find(self, name: str) -> Webhook | None:
        """The enabled receiver with this id or this URL."""
        same = or_(webhooks.c.webhook_id == name, webhooks.c.url == name)
        query = select(webhooks).where(same, webhooks.c.disabled_at.is_(None)).order_by(webhooks.c.created_at.desc())
        return next((Webhook(**row) for row in self._read(query.limit(1))), None)

    def get(self, webhook_id: str) -> Webhook | None:
        """A receiver, enabled or not."""
        return next(
            (Webhook(**row) for row in self._read(select(webhooks).where(webhooks.c.webhook_id == webhook_id))), None
        )

    def list(self) -> Sequence[Webhook]:
        """Every receiver, newest first."""
        return [Webhook(**row) for row in self._read(select(webhooks).order_by(webhooks.c.created_at.desc()))]

    def delete(self, webhook_id: str) -> bool:
        """Remove a receiver with its deliveries."""
        return self._write(delete(webhooks).where(webhooks.c.webhook_id == webhook_id)) > 0

    def disable(self, webhook_id: str, now: float) -> None:
        """Send nothing to it any more."""
        waiting = (deliveries.c.webhook_id == webhook_id) & deliveries.c.next_at.is_not(None)
        with translated(), self._writer.begin() as connection:
            connection.execute(update(webhooks).where(webhooks.c.webhook_id == webhook_id).values(disabled_at=now))
            given_up = update(deliveries).where(waiting)
            connection.execute(given_up.values(next_at=None, error="the receiver is gone (410)"))

    def deliveries(self, webhook_id: str, limit: int) -> Sequence[Delivery]:
        """Deliveries to a receiver, newest first."""
        query = select(deliveries).where(deliveries.c.webhook_id == webhook_id).order_by(deliveries.c.created_at.desc())
        return [Delivery(**row) for row in self._read(query.limit(limit))]

    def due(self, now: float, limit: int) -> Sequence[Delivery]:
        """Deliveries whose next attempt may begin; of each receiver the longest overdue one."""
        first = (
            select(deliveries.c.webhook_id, func.min(deliveries.c.next_at).label("next_at"))
            .where(deliveries.c.next_at <= now)
            .group_by(deliveries.c.webhook_id)
            .subquery()
        )
        same = (deliveries.c.webhook_id == first.c.webhook_id) & (deliveries.c.next_at == first.c.next_at)
        query = select(deliveries).join(first, same).order_by(deliveries.c.next_at).limit(limit)
        return [Delivery(**row) for row in self._read(query)]

    def next_due(self, *, apart_from: Collection[str] = ()) -> float | None:
        """When the next attempt may begin, of receivers that are not among ``apart_from``."""
        query = select(func.min(deliveries.c.next_at)).where(deliveries.c.webhook_id.not_in(apart_from))
        with translated(), self._reader.connect() as connection:
            found: float | None = connection.execute(query).scalar()
        return found

    def record(self, delivery: Delivery) -> None:
        """Write what an attempt gave."""
        values = {name: getattr(delivery, name) for name in RECORDED}
        self._write(update(deliveries).where(deliveries.c.delivery_id == delivery.delivery_id).values(values))

    def prune(self, *, delivered_before: float, dead_created_before: float) -> int:
        """Remove deliveries that are over and old."""
        delivered = deliveries.c.delivered_at < delivered_before
        never = deliveries.c.delivered_at.is_(None) & deliveries.c.next_at.is_(None)
        return self._write(
            delete(deliveries).where(delivered | (never & (deliveries.c.created_at < dead_created_before)))
        )

    def _write(self, statement: Any) -> int:
        with translated(), self._writer.begin() as connection:
            return int(connection.execute(statement).rowcount)

    def _read(self, query: Select[Any]) -> Any:
        with translated(), self._reader.connect() as connection:
            return connection.execute(query).mappings().all()
