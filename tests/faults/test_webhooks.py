"""Receivers that fail, hang, redirect, are gone; and servers that are killed before a message got through."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from .conftest import BASE
from .harness import Server, assert_invariants, running, unstarted, until

pytestmark = pytest.mark.faults
LOOPBACK = {
    "webhooks": True,
    "webhook_allow_http": True,
    "webhook_allowed_networks": "127.0.0.0/8",
    "webhook_first_pause_seconds": 0.05,
    "webhook_timeout_seconds": 1.0,
    "webhook_max_attempts": 3,
}


class Receiver:
    """A receiver on loopback: answers ``statuses`` in turn, the last one for ever; 0 hangs until the test ends."""

    def __init__(self, statuses: list[int]) -> None:
        self.statuses, self.got = statuses, []
        self.arrived = threading.Condition()
        self.over = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.arrived:
                    number = len(receiver.got)
                    receiver.got.append((self.path, dict(self.headers), body))
                    receiver.arrived.notify_all()
                status = receiver.statuses[min(number, len(receiver.statuses) - 1)]
                if status == 0:
                    receiver.over.wait()
                    return
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def wait_for(self, count: int, seconds: float = 60.0) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.got) >= count, seconds), f"{len(self.got)} of {count} came"


@contextmanager
def receiving(*statuses: int) -> Iterator[Receiver]:
    receiver = Receiver(list(statuses))
    thread = threading.Thread(target=receiver.server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        receiver.server.shutdown()
        thread.join()
        receiver.server.server_close()


def register(server: Server, url: str) -> dict[str, Any]:
    answer: dict[str, Any] = server.client().read("POST", "/api/v1/webhooks", json={"url": url})
    return answer


def deliveries(server: Server, webhook: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.client().read("GET", f"/api/v1/webhooks/{webhook['webhook_id']}/deliveries")[
        "data"
    ]
    return found


def is_signed(headers: dict[str, str], body: bytes, secret: str) -> bool:
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256)
    fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 60
    return fresh and headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


def test_the_end_of_a_batch_is_told_signed_and_after_failures_again(tmp_path: Path) -> None:
    with receiving(500, 503, 204) as receiver, running(tmp_path / "data", **LOOPBACK) as server:
        webhook = register(server, receiver.url)
        batch = server.submit(BASE, webhook=receiver.url).wait()
        receiver.wait_for(3)
        until(lambda: deliveries(server, webhook)[0]["status"] == "delivered")
        (delivery,) = deliveries(server, webhook)
        assert (delivery["attempts"], delivery["status_code"], delivery["batch_id"]) == (3, 204, batch.batch_id)
        assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1
        for path, headers, body in receiver.got:
            assert path == "/hook"
            assert is_signed(headers, body, webhook["secret"])
            told = json.loads(body)
            assert told["type"] == "batch.ended"
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told["timestamp"])
            assert told["data"]["counts"]["succeeded"] == len(BASE)
        assert webhook["secret"] not in (server.data_dir / "server.log").read_text()
        assert (
            'stratopt_webhook_attempts_total{outcome="failed"} 2.0' in server.client().request("GET", "/metrics").text
        )
        assert_invariants(server)


def test_a_receiver_that_always_fails_is_given_up_and_that_is_seen(tmp_path: Path) -> None:
    with receiving(500) as receiver, running(tmp_path / "data", **LOOPBACK) as server:
        webhook = register(server, receiver.url)
        server.submit(BASE, webhook=webhook["webhook_id"]).wait()
        until(lambda: deliveries(server, webhook)[0]["status"] == "dead")
        (delivery,) = deliveries(server, webhook)
        assert (delivery["attempts"], delivery["next_at"], delivery["error"]) == (3, None, "the receiver answered 500")
        assert len(receiver.got) == 3


def test_a_redirect_is_a_failure_and_is_not_followed(tmp_path: Path) -> None:
    with receiving(302) as receiver, running(tmp_path / "data", **LOOPBACK) as server:
        webhook = register(server, receiver.url)
        server.submit(BASE, webhook=receiver.url).wait()
        until(lambda: deliveries(server, webhook)[0]["status"] == "dead")
        assert [path for path, _, _ in receiver.got] == ["/hook"] * 3
        assert deliveries(server, webhook)[0]["error"] == "the receiver answered 302"


def test_a_receiver_that_hangs_costs_its_time_limit_and_holds_back_no_other(tmp_path: Path) -> None:
    with receiving(0) as hanging, receiving(200) as good, running(tmp_path / "data", **LOOPBACK) as server:
        slow, quick = register(server, hanging.url), register(server, good.url)
        for _ in range(3):
            server.submit(BASE[:1], webhook=hanging.url).wait()
        hanging.wait_for(1)
        server.submit(BASE[:1], webhook=good.url).wait()
        until(lambda: deliveries(server, quick)[0]["status"] == "delivered")
        until(lambda: all(d["status"] == "dead" for d in deliveries(server, slow)))
        assert "no answer within 1 s" in deliveries(server, slow)[0]["error"]
        assert server.stop() in {0, -signal.SIGTERM}


def test_a_receiver_that_is_gone_is_switched_off(tmp_path: Path) -> None:
    with receiving(410) as receiver, running(tmp_path / "data", **LOOPBACK) as server:
        webhook = register(server, receiver.url)
        server.submit(BASE[:1], webhook=receiver.url).wait()
        until(lambda: server.client().read("GET", "/api/v1/webhooks")["data"][0]["disabled_at"] is not None)
        assert deliveries(server, webhook)[0]["status"] == "dead"
        refused = server.client().request
        with pytest.raises(Exception, match="names no registered receiver"):
            refused(
                "POST",
                "/api/v1/optimize/batch",
                json={"strategies": BASE, "common_config": {"asset": "BTC"}, "webhook": receiver.url},
            )


@pytest.mark.parametrize("when", ["before_commit", "after_commit"])
def test_a_message_survives_a_server_killed_at_the_end_of_the_batch(tmp_path: Path, when: str) -> None:
    with receiving(200) as receiver, unstarted(tmp_path / "data", **LOOPBACK) as server:
        server.start(crash_point=f"end_batch.{when}")
        webhook = register(server, receiver.url)
        server.submit(BASE, webhook=receiver.url)
        server.wait_until_dead()
        server.start()
        receiver.wait_for(1)
        until(lambda: deliveries(server, webhook)[0]["status"] == "delivered")
        assert len(server.rows("SELECT * FROM deliveries")) == 1
        assert_invariants(server)


def test_a_message_under_way_when_the_server_is_killed_is_sent_again(tmp_path: Path) -> None:
    patient = {**LOOPBACK, "webhook_timeout_seconds": 30}
    with receiving(0, 200) as receiver, running(tmp_path / "data", **patient) as server:
        webhook = register(server, receiver.url)
        server.submit(BASE, webhook=receiver.url).wait()
        receiver.wait_for(1)
        server.kill()
        server.start()
        receiver.wait_for(2)
        until(lambda: deliveries(server, webhook)[0]["status"] == "delivered")
        assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1


def test_loopback_is_refused_where_the_operator_did_not_allow_it(tmp_path: Path) -> None:
    with receiving(200) as receiver, running(tmp_path / "data", webhooks=True, webhook_allow_http=True) as server:
        with pytest.raises(Exception, match="not a public address"):
            register(server, receiver.url)
        with pytest.raises(Exception, match="names no registered receiver"):
            server.submit(BASE, webhook=receiver.url)
    assert receiver.got == []
