"""Receivers of messages about batches: registered by an administrator, named by batches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from stratopt.optimization.exceptions import BatchOptimizationError, ParameterValidationError
from stratopt.optimization.jobs import Batch, BatchState
from stratopt.optimization.webhooks.addresses import AddressPolicy
from stratopt.optimization.webhooks.messages import Delivery, Webhook, WebhookStore, batch_ended, new_secret
from stratopt.wire.base import rfc3339

MOST_SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class WebhookService:
    """What the endpoints and the planner need; ``enabled`` False refuses every new use."""

    store: WebhookStore
    addresses: AddressPolicy
    enabled: bool

    def register(self, url: str, *, owner: str) -> Webhook:
        """A new receiver with a fresh secret, or ParameterValidationError ``webhook_url_forbidden``."""
        self._refuse_if_off()
        self.addresses.target(url)
        webhook = Webhook(
            webhook_id=f"wh_{uuid4().hex}", owner=owner, url=url, secret=new_secret(), created_at=time.time()
        )
        self.store.add(webhook)
        return webhook

    def named(self, name: str) -> str:
        """The id of the receiver that a batch names by id or URL, or ParameterValidationError ``webhook_url_forbidden``."""
        self._refuse_if_off()
        found = self.store.find(name)
        if found is None:
            raise ParameterValidationError(
                "this names no registered receiver; an administrator registers one with POST /api/v1/webhooks",
                code="webhook_url_forbidden",
            )
        return found.webhook_id

    def deliveries(self, webhook_id: str) -> Sequence[Delivery]:
        """The newest deliveries to a receiver."""
        if self.store.get(webhook_id) is None:
            raise _unknown(webhook_id)
        return self.store.deliveries(webhook_id, MOST_SHOWN)

    def delete(self, webhook_id: str) -> None:
        """Forget a receiver and its deliveries."""
        if not self.store.delete(webhook_id):
            raise _unknown(webhook_id)

    def announcement(self, batch: Batch, state: BatchState) -> Delivery | None:
        """The message that a batch has ended, if it named a receiver."""
        name = batch.request.get("webhook")
        if not name or not self.enabled:
            return None
        now = time.time()
        return batch_ended(name, batch, state, now, timestamp=str(rfc3339(now)))

    def _refuse_if_off(self) -> None:
        if not self.enabled:
            raise ParameterValidationError(
                "this server sends no webhooks; leave the field out and follow links.events or ask for the status, "
                "or let the operator set STRATOPT_WEBHOOKS=true",
                code="webhook_url_forbidden",
            )


def _unknown(webhook_id: str) -> BatchOptimizationError:
    return BatchOptimizationError(f"there is no webhook {webhook_id!r}", code="not_found", webhook_id=webhook_id)
