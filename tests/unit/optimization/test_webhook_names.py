"""Names of receivers that lead inside: some of their addresses, or all of them after a while (DNS rebinding)."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from stratopt.api.services.webhook_service import WebhookService
from stratopt.optimization.exceptions import ParameterValidationError
from stratopt.optimization.webhooks.addresses import AddressPolicy, parse_networks
from stratopt.optimization.webhooks.messages import Delivery, Webhook, new_secret
from stratopt.optimization.webhooks.sender import RetryPolicy, WebhookSender

PUBLIC, PRIVATE = "93.184.215.14", "10.0.0.1"
NAME = "receiver.example"
Resolve = Callable[[Sequence[Sequence[str]]], list[str]]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Let ``NAME`` be each of the answers in turn, the last one for ever; returned is what was asked for, and grows."""
    real = socket.getaddrinfo

    def with_answers(answers: Sequence[Sequence[str]]) -> list[str]:
        asked: list[str] = []

        def getaddrinfo(host: str, port: int, *args: Any, **options: Any) -> Any:
            if host != NAME:
                return real(host, port, *args, **options)
            asked.append(host)
            found = answers[min(len(asked), len(answers)) - 1]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return with_answers


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Where connections were asked for; none comes about."""
    found: list[tuple[str, int]] = []

    def create_connection(address: tuple[str, int], *_: Any, **__: Any) -> None:
        found.append(address)
        raise ConnectionRefusedError("nobody is there")

    monkeypatch.setattr(socket, "create_connection", create_connection)
    return found


class Receivers:
    """A store of receivers that remembers the last one."""

    def add(self, webhook: Webhook) -> None:
        self.last = webhook


def sent(policy: AddressPolicy, webhook: Webhook) -> tuple[int | None, str | None]:
    message = Delivery(delivery_id="m", webhook_id="w", batch_id="b", event="e", body="{}", created_at=0.0)
    sender = WebhookSender(None, policy, RetryPolicy(timeout_seconds=5.0, max_attempts=1))  # type: ignore[arg-type]
    return sender._send(webhook, message)


def hook() -> Webhook:
    return Webhook(webhook_id="w", owner="", url=f"https://{NAME}/", secret=new_secret(), created_at=1.0)


@pytest.mark.parametrize("address", ["fec0::1", "feff:ffff::1"])
def test_site_local_addresses_are_refused(address: str) -> None:
    """Python 3.11 calls them global."""
    assert not AddressPolicy().allows(ipaddress.ip_address(address))
    with pytest.raises(ParameterValidationError, match="not a public address"):
        AddressPolicy().target(f"https://[{address}]/")
    assert AddressPolicy(allowed_networks=parse_networks("fec0::/10")).allows(ipaddress.ip_address(address))


@pytest.mark.parametrize("addresses", [[PUBLIC, PRIVATE], [PRIVATE, PUBLIC]])
def test_a_name_with_one_private_address_is_refused(resolve: Resolve, addresses: list[str]) -> None:
    resolve([addresses])
    with pytest.raises(ParameterValidationError, match=f"{NAME} is {PRIVATE}, which is not a public address"):
        AddressPolicy().target(f"https://{NAME}/")


def test_a_name_that_became_private_since_it_was_registered_is_not_connected_to(
    resolve: Resolve, connected: list[tuple[str, int]]
) -> None:
    resolve([[PUBLIC], ["127.0.0.1"]])
    receivers, policy = Receivers(), AddressPolicy()
    WebhookService(store=receivers, addresses=policy, enabled=True).register(f"https://{NAME}/", owner="")  # type: ignore[arg-type]
    status, error = sent(policy, receivers.last)
    assert status is None
    assert error is not None
    assert "127.0.0.1, which is not a public address" in error
    assert connected == []


def test_a_name_that_changes_after_the_check_changes_nothing(
    resolve: Resolve, connected: list[tuple[str, int]]
) -> None:
    """It is resolved once an attempt, and the connection goes to the address that was checked."""
    asked = resolve([[PUBLIC], ["127.0.0.1"]])
    assert sent(AddressPolicy(), hook()) == (None, "ConnectionRefusedError: nobody is there")
    assert connected == [(PUBLIC, 443)]
    assert asked == [NAME]
