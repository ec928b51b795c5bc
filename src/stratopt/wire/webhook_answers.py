"""Bodies about receivers of messages, and about the messages."""

from __future__ import annotations

from pydantic import Field

from stratopt.wire.base import Answer


class WebhookDescription(Answer):
    """A receiver of messages."""

    webhook_id: str
    url: str
    created_at: str
    disabled_at: str | None = Field(description="When it answered 410 and was switched off.")


class NewWebhook(WebhookDescription):
    """A receiver that was just registered."""

    secret: str = Field(description="`whsec_...`, shown only here.")


class WebhookList(Answer):
    """Receivers."""

    data: list[WebhookDescription]


class DeliveryStatus(Answer):
    """One message."""

    delivery_id: str
    batch_id: str
    event: str
    status: str = Field(description="pending, delivered or dead.")
    attempts: int
    status_code: int | None
    error: str | None
    created_at: str
    next_at: str | None
    delivered_at: str | None


class DeliveryList(Answer):
    """Messages to a receiver, newest first."""

    data: list[DeliveryStatus]
