"""What the blocking and the asynchronous client share: which answers are tried again, when, and what answers mean."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from typing import Any

import httpx2

from stratopt.client.errors import ApiError, ConnectionFailedError, StratoptClientError, UnexpectedAnswerError, error_of

RETRIED_STATUSES = {408, 429, 500, 502, 503, 504}
LONGEST_PAUSE_SECONDS = 60.0
MOST_BREAKS = 5
CONNECT_SECONDS = 10.0
QUIET_SECONDS = 60.0
"""A stream without even a ping for so long is broken."""

PAGE = 200
NO_CONTENT = 204
BATCHES = "/api/v1/optimize/batch"
SINGLE = "/api/v1/optimize/single"


def pause_seconds(attempt: int, retry_after: float | None) -> float:
    """How long to wait before the next attempt: what the server said, else growing from half a second."""
    seconds = retry_after if retry_after is not None else min(8.0, 0.5 * 2**attempt) * random.uniform(0.75, 1.25)
    return min(seconds, LONGEST_PAUSE_SECONDS)


def unreachable(base_url: str, error: Exception) -> StratoptClientError:
    """The error for an exchange that did not take place."""
    if isinstance(error, httpx2.UnsupportedProtocol):
        return StratoptClientError(f"{base_url!r} is not an address; write it as http://127.0.0.1:8000")
    return ConnectionFailedError(
        f"{base_url} did not answer: {error}; is the server running? start it with `stratopt serve`"
    )


def failure_of(answer: httpx2.Response) -> ApiError:
    """The error that a read answer with a status of 400 or more describes."""
    try:
        problem = answer.json()
    except ValueError:
        problem = {"detail": answer.text[:500]}
    header = answer.headers.get("Retry-After", "")
    return error_of(
        answer.status_code, problem if isinstance(problem, dict) else {}, float(header) if header.isdigit() else None
    )


def document_of(answer: httpx2.Response) -> Any:
    """The JSON document of an answer, or UnexpectedAnswerError."""
    try:
        return answer.json()
    except ValueError as error:
        raise unexpected(answer, "JSON") from error


def unexpected(answer: httpx2.Response, wanted: str) -> UnexpectedAnswerError:
    """The error for an answer that no stratopt server gives."""
    kind = answer.headers.get("Content-Type", "no content type")
    return UnexpectedAnswerError(
        f"{answer.request.url} answered {answer.status_code} with {kind} where stratopt sends {wanted}; "
        "is this the address of a stratopt server, and not of a proxy or a login page?"
    )


def has_events(answer: httpx2.Response) -> bool:
    """Whether an answer is an event stream; False when nothing is left, UnexpectedAnswerError for anything else."""
    if answer.status_code == NO_CONTENT:
        return False
    if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
        raise unexpected(answer, "an event stream")
    return True


def event_headers(last_event_id: str | None) -> dict[str, str]:
    """Headers of a request for events, after ``last_event_id`` if there was one."""
    return {"Accept": "text/event-stream", **({"Last-Event-ID": last_event_id} if last_event_id else {})}


class EventReader:
    """Puts lines of a stream together to events."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}

    def feed(self, line: str) -> dict[str, Any] | None:
        """The event ``{"event", "id", "data"}`` that this line completes."""
        name, _, value = line.partition(": ")
        if line or "data" not in self._fields:
            if name:
                self._fields[name] = value
            return None
        fields, self._fields = self._fields, {}
        return {
            "event": fields.get("event", "message"),
            "id": fields.get("id"),
            "data": json.loads(fields["data"]),
        }


def given(**params: Any) -> Mapping[str, Any]:
    """The parameters that are not None."""
    return {name: value for name, value in params.items() if value is not None}


class Patience:
    """How long a batch is followed: ``timeout_seconds`` from now, or for ever."""

    def __init__(self, timeout_seconds: float | None) -> None:
        self._seconds = float("inf") if timeout_seconds is None else timeout_seconds
        self._until = time.monotonic() + self._seconds

    @property
    def left(self) -> float:
        """Seconds, not below zero."""
        return max(0.0, self._until - time.monotonic())

    def of_a_connection(self) -> httpx2.Timeout:
        """A connection that is quiet until the time is over breaks then."""
        return httpx2.Timeout(CONNECT_SECONDS, read=min(QUIET_SECONDS, self.left))

    def wanes(self, limit: httpx2.Timeout) -> bool:
        """Whether a connection with this ``limit`` would be listened to for longer than there is time."""
        return limit.read is not None and limit.read > self.left

    def check(self, batch_id: str) -> None:
        """TimeoutError when the time is over."""
        if self.left == 0.0:
            raise TimeoutError(f"batch {batch_id} has not ended after {self._seconds:g} s; it goes on")
