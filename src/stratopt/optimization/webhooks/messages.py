"""Webhooks as values: receivers, deliveries, their signature (Standard Webhooks 1.0) and when to try again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import uuid4

import orjson

from stratopt.optimization.jobs import Batch, BatchState

SECRET_PREFIX = "whsec_"  # noqa: S105 - the published prefix, not a secret
SECRET_BYTES = 32
BATCH_ENDED = "batch.ended"
BACK_OFF_FACTOR = 4.0
LONGEST_PAUSE_SECONDS = 86_400.0
JITTER = 0.2


class DeliveryState(StrEnum):
    """A delivery is tried until the receiver took it or it is given up."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """A receiver. Times are Unix seconds; a disabled one gets nothing any more."""

    webhook_id: str
    owner: str
    url: str
    secret: str
    created_at: float
    disabled_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One message to one receiver; ``delivery_id`` is the same in every attempt. ``next_at`` None means that no attempt follows."""

    delivery_id: str
    webhook_id: str
    batch_id: str
    event: str
    body: str
    created_at: float
    attempts: int = 0
    next_at: float | None = None
    status_code: int | None = None
    error: str | None = None
    delivered_at: float | None = None

    @property
    def state(self) -> DeliveryState:
        """Where it stands."""
        if self.delivered_at is not None:
            return DeliveryState.DELIVERED
        return DeliveryState.DEAD if self.next_at is None else DeliveryState.PENDING


class WebhookStore(Protocol):
    """Where receivers and deliveries are kept; new deliveries come with ``JobStore.end_batch``. Safe for several threads."""

    def add(self, webhook: Webhook) -> None:
        """Store a new receiver."""
        ...

    def find(self, name: str) -> Webhook | None:
        """The enabled receiver with this id or this URL, the newest of several."""
        ...

    def get(self, webhook_id: str) -> Webhook | None:
        """A receiver, enabled or not."""
        ...

    def list(self) -> Sequence[Webhook]:
        """Every receiver, newest first."""
        ...

    def delete(self, webhook_id: str) -> bool:
        """Remove a receiver with its deliveries; False if there is none."""
        ...

    def disable(self, webhook_id: str, now: float) -> None:
        """Send nothing to it any more; what waits is given up."""
        ...

    def deliveries(self, webhook_id: str, limit: int) -> Sequence[Delivery]:
        """Deliveries to a receiver, newest first."""
        ...

    def due(self, now: float, limit: int) -> Sequence[Delivery]:
        """Deliveries whose next attempt may begin, the longest overdue first."""
        ...

    def next_due(self, *, apart_from: Collection[str] = ()) -> float | None:
        """When the next attempt may begin, of receivers that are not among ``apart_from``."""
        ...

    def record(self, delivery: Delivery) -> None:
        """Write what an attempt gave."""
        ...

    def prune(self, *, delivered_before: float, dead_created_before: float) -> int:
        """Remove deliveries that were taken before the one moment, or given up and made before the other. Returns how many.

        When a delivery was given up is not kept. Those that wait stay, however old they are.
        """
        ...


def new_secret() -> str:
    """A fresh signing secret."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(delivery_id: str, body: bytes, secret: str, timestamp: int) -> dict[str, str]:
    """The headers by which a receiver knows that the message is ours and fresh."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


def batch_ended(webhook_id: str, batch: Batch, state: BatchState, now: float, *, timestamp: str) -> Delivery:
    """The message that a batch has ended: thin, the results stay on the server. ``timestamp`` is ``now`` as it is written there."""
    body = {
        "type": BATCH_ENDED,
        "timestamp": timestamp,
        "data": {
            "batch_id": batch.batch_id,
            "status": state.value,
            "counts": dict(batch.counts),
            "label": batch.label,
            "path": f"/api/v1/optimize/batch/{batch.batch_id}",
        },
    }
    return Delivery(
        delivery_id=f"msg_{uuid4().hex}",
        webhook_id=webhook_id,
        batch_id=batch.batch_id,
        event=BATCH_ENDED,
        body=orjson.dumps(body).decode(),
        created_at=now,
        next_at=now,
    )


def pause_before(attempt: int, first_seconds: float) -> float:
    """Seconds until attempt ``attempt`` (2 is the first repetition): growing fourfold up to a day, with jitter."""
    return _pause(attempt, first_seconds) * random.uniform(1 - JITTER, 1 + JITTER)


def longest_pauses(attempts: int, first_seconds: float) -> float:
    """Seconds that the pauses between so many attempts last at most."""
    return sum(_pause(attempt, first_seconds) for attempt in range(2, attempts + 1)) * (1 + JITTER)


def _pause(attempt: int, first_seconds: float) -> float:
    return min(LONGEST_PAUSE_SECONDS, first_seconds * BACK_OFF_FACTOR ** (attempt - 2))
