"""Sends what is due: at least once, signed, to the checked address, without following anything."""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace

from stratopt._version import __version__
from stratopt.errors import StratoptError
from stratopt.optimization.exceptions import ResourceExhaustionError
from stratopt.optimization.webhooks.addresses import AddressPolicy, Target
from stratopt.optimization.webhooks.messages import (
    Delivery,
    DeliveryState,
    Webhook,
    WebhookStore,
    longest_pauses,
    pause_before,
    signed_headers,
)

GONE = 410
MOST_AT_ONCE = 4
IDLE_SECONDS = 60.0
STORAGE_RETRY_SECONDS = 5.0
LOOK_AHEAD = 64

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How long one attempt may take, how many there are and how long the first pause is."""

    timeout_seconds: float = 15.0
    max_attempts: int = 10
    first_pause_seconds: float = 5.0

    @property
    def longest_seconds(self) -> float:
        """From the making of a message to its last attempt, while a server runs."""
        pauses = longest_pauses(self.max_attempts, self.first_pause_seconds)
        return pauses + self.max_attempts * self.timeout_seconds


class WebhookSender:
    """A thread that looks for due deliveries and a few that send; a receiver that hangs holds back only its own messages.

    ``on_attempt`` hears ``delivered``, ``failed`` (another attempt follows) or ``dead`` of each attempt.
    """

    def __init__(
        self,
        store: WebhookStore,
        addresses: AddressPolicy,
        retries: RetryPolicy,
        *,
        on_attempt: Callable[[str], None] = lambda outcome: None,
    ) -> None:
        self._store = store
        self._addresses = addresses
        self._retries = retries
        self._on_attempt = on_attempt
        self._busy: set[str] = set()
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="stratopt-webhook")
        self._thread = threading.Thread(target=self._run, name="stratopt-webhooks", daemon=True)

    def start(self) -> None:
        """Begin with what an earlier server left."""
        self._thread.start()

    def wake(self) -> None:
        """There may be something new to send; from any thread."""
        self._news.set()

    def stop(self) -> None:
        """Send nothing more; attempts under way end, what they could not record is tried again at the next start."""
        self._stopping.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._news.clear()
            try:
                pause = self._dispatch()
            except ResourceExhaustionError as error:
                log.warning("webhook_storage_failed", extra={"code": error.code, "reason": error.message})
                pause = STORAGE_RETRY_SECONDS
            if not self._stopping.is_set():
                self._news.wait(pause)

    def _dispatch(self) -> float:
        """Hand out what is due; the answer is how long to wait for more."""
        with self._lock:
            busy = set(self._busy)
        for delivery in self._store.due(time.time(), LOOK_AHEAD):
            if len(busy) < MOST_AT_ONCE and delivery.webhook_id not in busy:
                busy.add(delivery.webhook_id)
                with self._lock:
                    self._busy.add(delivery.webhook_id)
                self._pool.submit(self._attempt, delivery)
        next_due = self._store.next_due(apart_from=busy)
        if next_due is None or len(busy) == MOST_AT_ONCE:
            return IDLE_SECONDS  # the end of an attempt is news
        return min(IDLE_SECONDS, max(0.0, next_due - time.time()))

    def _attempt(self, delivery: Delivery) -> None:
        try:
            webhook = self._store.get(delivery.webhook_id)
            if webhook is not None and webhook.disabled_at is None:
                self._record(delivery, *self._send(webhook, delivery))
        except ResourceExhaustionError as error:
            log.warning("webhook_storage_failed", extra={"code": error.code, "reason": error.message})
            self._stopping.wait(STORAGE_RETRY_SECONDS)
        finally:
            with self._lock:
                self._busy.discard(delivery.webhook_id)
            self._news.set()

    def _send(self, webhook: Webhook, delivery: Delivery) -> tuple[int | None, str | None]:
        """The status of the answer and what was wrong with it."""
        body = delivery.body.encode()
        headers = signed_headers(delivery.delivery_id, body, webhook.secret, int(time.time()))
        try:
            target = self._addresses.target(webhook.url)
            status = post(target, body, headers, self._retries.timeout_seconds)
        except StratoptError as error:
            return None, error.message
        except (OSError, http.client.HTTPException) as error:
            return None, f"{type(error).__name__}: {error}"
        return status, None if 200 <= status < 300 else f"the receiver answered {status}"

    def _record(self, delivery: Delivery, status: int | None, error: str | None) -> None:
        now, attempts = time.time(), delivery.attempts + 1
        done = replace(delivery, attempts=attempts, status_code=status, error=error and error[:500], next_at=None)
        if error is None:
            done = replace(done, delivered_at=now)
        elif status != GONE and attempts < self._retries.max_attempts:
            done = replace(done, next_at=now + pause_before(attempts + 1, self._retries.first_pause_seconds))
        self._store.record(done)
        if status == GONE:
            self._store.disable(delivery.webhook_id, now)
        outcome = "failed" if done.state is DeliveryState.PENDING else done.state.value
        facts = {
            "delivery_id": done.delivery_id,
            "attempt": attempts,
            "outcome": outcome,
            "status": status,
            "reason": error,
        }
        log.log(logging.INFO if error is None else logging.WARNING, "webhook_attempt", extra=facts)
        self._on_attempt(outcome)


def post(target: Target, body: bytes, headers: dict[str, str], timeout_seconds: float) -> int:
    """The status that the target answers; its body is not read and no redirect followed. OSError or HTTPException if there is none.

    ``timeout_seconds`` is the limit of the whole exchange, however slowly the other side drips.
    """
    until = time.monotonic() + timeout_seconds
    with socket.create_connection((target.address, target.port), timeout_seconds) as plain:
        timer = threading.Timer(timeout_seconds, _cut, [plain])
        timer.daemon = True
        timer.start()
        try:
            link = (
                ssl.create_default_context().wrap_socket(plain, server_hostname=target.host)
                if target.scheme == "https"
                else plain
            )
            connection = http.client.HTTPConnection(target.host, target.port, timeout=timeout_seconds)
            connection.sock = link
            told = {"Content-Type": "application/json", "User-Agent": f"stratopt/{__version__}", "Connection": "close"}
            connection.request("POST", target.path, body=body, headers={**told, **headers})
            status = connection.getresponse().status
            connection.close()
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() >= until:
                raise TimeoutError(f"no answer within {timeout_seconds:g} s") from error
            raise
        finally:
            timer.cancel()
    return status


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
