"""Webhooks: the published signature, addresses that are refused, pauses that grow."""

from __future__ import annotations

import base64
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from stratopt.optimization.exceptions import ParameterValidationError
from stratopt.optimization.webhooks.addresses import AddressPolicy, Target, parse_networks
from stratopt.optimization.webhooks.messages import (
    Delivery,
    DeliveryState,
    Webhook,
    new_secret,
    pause_before,
    signed_headers,
)
from stratopt.optimization.webhooks.sender import RetryPolicy, post
from stratopt.storage.dialects import sqlite_engines
from stratopt.storage.migrate import migrate
from stratopt.storage.sql_webhook_store import SqlWebhookStore


def test_the_signature_is_the_one_of_the_published_example() -> None:
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", body, secret, 1614265330)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_has_the_length_that_the_standard_asks_for() -> None:
    secret = new_secret()
    assert secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"))) <= 64
    assert secret != new_secret()


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::"),
        *("64:ff9b::7f00:1", "64:ff9b::a00:1", "2001:db8::1"),
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not AddressPolicy().allows(ipaddress.ip_address(address))
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(ParameterValidationError) as refused:
        AddressPolicy().target(f"https://{host}/hook")
    assert refused.value.code == "webhook_url_forbidden"


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert AddressPolicy().allows(ipaddress.ip_address(address))


def test_a_network_is_allowed_only_when_the_operator_named_it() -> None:
    policy = AddressPolicy(allow_http=True, allowed_networks=parse_networks("10.1.2.0/24, ::1/128"))
    target = policy.target("http://10.1.2.3:8080/a?b=c")
    assert (target.address, target.port, target.path) == ("10.1.2.3", 8080, "/a?b=c")
    assert policy.allows(ipaddress.ip_address("::ffff:10.1.2.3"))
    for other in ("10.1.3.1", "127.0.0.1", "fe80::1"):
        assert not policy.allows(ipaddress.ip_address(other))


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://93.184.215.14/",
            "ftp://93.184.215.14/",
            "https://",
            "//93.184.215.14/",
            "93.184.215.14",
            "https:///x",
        ),
        *("https://user@93.184.215.14/", "https://user:secret@93.184.215.14/", "https://93.184.215.14/#part"),
        *(
            "https://93.184.215.14:99999/",
            "https://[::1",
            "https://93.184.215.14/\r\nHost: x",
            "https://93.184.215.14/ x",
        ),
        *(
            "https://0x7f000001/",
            "https://2130706433/",
            "https://127.1/",
            "https://localhost/",
            "https://93.184.215.14/é",
        ),
        "https://93.184.215.14/" + "a" * 2000,
    ],
)
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(ParameterValidationError) as refused:
        AddressPolicy().target(url)
    assert refused.value.code == "webhook_url_forbidden"


def test_pauses_grow_fourfold_up_to_a_day() -> None:
    for attempt, expected in ((2, 5.0), (3, 20.0), (4, 80.0), (12, 86_400.0)):
        assert 0.8 * expected <= pause_before(attempt, 5.0) <= 1.2 * expected


def test_the_attempts_of_a_message_have_a_longest_time() -> None:
    policy = RetryPolicy(timeout_seconds=15.0, max_attempts=3, first_pause_seconds=5.0)
    assert policy.longest_seconds == pytest.approx(1.2 * (5.0 + 20.0) + 3 * 15.0)
    assert RetryPolicy(timeout_seconds=1.0, max_attempts=1).longest_seconds == 1.0


@pytest.fixture
def store(tmp_path: Path) -> SqlWebhookStore:
    writer, reader = sqlite_engines(tmp_path / "x.sqlite")
    migrate(writer)
    return SqlWebhookStore(writer, reader)


def test_of_each_receiver_the_longest_overdue_message_is_due(store: SqlWebhookStore) -> None:
    from sqlalchemy import insert

    from stratopt.storage.schema import deliveries

    for name in ("wh_a", "wh_b"):
        store.add(Webhook(webhook_id=name, owner="", url=f"https://{name}/", secret=new_secret(), created_at=1.0))
    with store._writer.begin() as connection:
        for k, (receiver, next_at) in enumerate([("wh_a", 5.0), ("wh_a", 3.0), ("wh_b", 4.0), ("wh_b", 99.0)]):
            connection.execute(
                insert(deliveries).values(
                    delivery_id=f"msg_{k}",
                    webhook_id=receiver,
                    batch_id="b",
                    event="e",
                    body="{}",
                    created_at=float(k),
                    attempts=0,
                    next_at=next_at,
                )
            )
    assert [d.delivery_id for d in store.due(10.0, 9)] == ["msg_1", "msg_2"]
    assert store.next_due() == 3.0
    assert store.next_due(apart_from=["wh_a"]) == 4.0
    store.disable("wh_a", 11.0)
    assert [d.delivery_id for d in store.due(10.0, 9)] == ["msg_2"]
    assert {d.state for d in store.deliveries("wh_a", 9)} == {DeliveryState.DEAD}
    assert store.find("https://wh_a/") is None
    assert store.delete("wh_b")
    assert store.due(1000.0, 9) == []


def test_states_of_a_delivery() -> None:
    base = {"delivery_id": "m", "webhook_id": "w", "batch_id": "b", "event": "e", "body": "{}", "created_at": 0.0}
    assert Delivery(**base, next_at=1.0).state is DeliveryState.PENDING  # type: ignore[arg-type]
    assert Delivery(**base, delivered_at=1.0).state is DeliveryState.DELIVERED  # type: ignore[arg-type]
    assert Delivery(**base).state is DeliveryState.DEAD  # type: ignore[arg-type]


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, list[bytes]]]:
    """A receiver that proves to be receiver.example; its port and what it got."""
    authority, got = trustme.CA(), []
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("receiver.example").configure_cert(context)
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, got
        server.shutdown()
        thread.join()


def test_the_name_is_proved_while_the_checked_address_is_connected_to(tls: tuple[int, list[bytes]]) -> None:
    port, got = tls
    target = Target(scheme="https", host="receiver.example", port=port, path="/", address="127.0.0.1")
    assert post(target, b"{}", {}, 5.0) == 204
    assert got == [b"{}"]
    with pytest.raises(ssl.SSLCertVerificationError):
        post(replace(target, host="other.example"), b"secret", {}, 5.0)
    assert got == [b"{}"]


def test_an_answer_that_drips_is_cut_at_the_limit_of_the_whole_exchange() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def drip() -> None:
            link, _ = listener.accept()
            with link:
                while not over.wait(0.05):
                    try:
                        link.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        target = Target(scheme="http", host="h", port=listener.getsockname()[1], path="/", address="127.0.0.1")
        with pytest.raises(TimeoutError, match=r"no answer within 0\.5 s"):
            post(target, b"{}", {}, 0.5)
        over.set()
        thread.join()
