"""Endpoints of webhooks, for administrators."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from stratopt.api.dependencies import JsonResponse, Service
from stratopt.api.json_body import StrictJsonRoute
from stratopt.api.security import AdministrativeReader, Administrator
from stratopt.optimization.webhooks.messages import Delivery, Webhook
from stratopt.wire.base import rfc3339
from stratopt.wire.optimization import WebhookRequest
from stratopt.wire.webhook_answers import DeliveryList, NewWebhook, WebhookList

router = APIRouter(prefix="/api/v1/webhooks", tags=["webhooks"], route_class=StrictJsonRoute)


@router.post("", status_code=201, summary="Register a receiver", response_model=NewWebhook)
def register_webhook(body: WebhookRequest, service: Service, caller: Administrator) -> Response:
    """The answer is the only one that shows the secret; verify messages with any library of Standard Webhooks.

    Batches name a receiver by its id or URL in `webhook` and tell it when they have ended.
    """
    webhook = service.webhooks.register(body.url, owner=caller.owner)
    path = f"/api/v1/webhooks/{webhook.webhook_id}"
    return JsonResponse({**_webhook(webhook), "secret": webhook.secret}, status_code=201, headers={"Location": path})


@router.get("", summary="Receivers", response_model=WebhookList)
def list_webhooks(service: Service, caller: AdministrativeReader) -> Response:
    """Newest first, without their secrets."""
    return JsonResponse({"data": [_webhook(webhook) for webhook in service.webhooks.store.list()]})


@router.delete("/{webhook_id}", status_code=204, summary="Forget a receiver")
def delete_webhook(webhook_id: str, service: Service, caller: Administrator) -> Response:
    """With its deliveries; what waits is not sent."""
    service.webhooks.delete(webhook_id)
    return Response(status_code=204)


@router.get("/{webhook_id}/deliveries", summary="Messages to a receiver", response_model=DeliveryList)
def list_deliveries(webhook_id: str, service: Service, caller: AdministrativeReader) -> Response:
    """The newest 200: `pending` (tried again at `next_at`), `delivered` or `dead`."""
    return JsonResponse({"data": [_delivery(delivery) for delivery in service.webhooks.deliveries(webhook_id)]})


def _webhook(webhook: Webhook) -> dict[str, Any]:
    times = {name: rfc3339(getattr(webhook, name)) for name in ("created_at", "disabled_at")}
    return {"webhook_id": webhook.webhook_id, "url": webhook.url, **times}


def _delivery(delivery: Delivery) -> dict[str, Any]:
    shown = {
        name: getattr(delivery, name)
        for name in ("delivery_id", "batch_id", "event", "attempts", "status_code", "error")
    }
    times = {name: rfc3339(getattr(delivery, name)) for name in ("created_at", "next_at", "delivered_at")}
    return {**shown, **times, "status": delivery.state.value}
