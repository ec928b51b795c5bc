"""Client: the HTTP API as Python objects. Needs nothing of the server."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import httpx2

from stratopt.client.errors import ApiError, ConnectionFailedError, NotFoundError, StratoptClientError, error_of

RETRIED_STATUSES = {408, 429, 500, 502, 503, 504}
LONGEST_PAUSE_SECONDS = 60.0
PAGE = 200


class Client:
    """A connection to a stratopt server.

    Retries connection errors, 408, 429 and server errors ``retries`` times; ``Retry-After`` decides the pause, else it grows from half
    a second. A submission carries one idempotency key over all its retries, so that it makes one batch.

    >>> with Client("http://127.0.0.1:8000") as client:          # doctest: +SKIP
    ...     batch = client.optimize_batch({"strategies": ["RSI"], "common_config": {"asset": "BTC"}})
    ...     batch.wait()
    ...     print(batch.report("txt"))
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        timeout_seconds: float = 75.0,
        retries: int = 4,
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx2.Client(base_url=base_url, headers=headers, timeout=timeout_seconds)
        self._base_url = base_url
        self._retries = retries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    # ---- optimise

    def optimize_batch(self, request: Mapping[str, Any], *, idempotency_key: str | None = None) -> BatchHandle:
        """Submit a batch; ``request`` is the body of ``POST /api/v1/optimize/batch``."""
        answer = self.request(
            "POST",
            "/api/v1/optimize/batch",
            json=dict(request),
            headers={"Idempotency-Key": idempotency_key or uuid4().hex},
        )
        return BatchHandle(self, answer.json())

    def estimate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What a batch would do, without doing it."""
        return self.request(
            "POST", "/api/v1/optimize/batch", params={"validate_only": "true"}, json=dict(request)
        ).json()

    def optimize(self, request: Mapping[str, Any], *, idempotency_key: str | None = None) -> dict[str, Any]:
        """Optimise one strategy and wait for its result; ``request`` is the body of ``POST /api/v1/optimize/single``."""
        answer = self.request(
            "POST",
            "/api/v1/optimize/single",
            json=dict(request),
            headers={"Idempotency-Key": idempotency_key or uuid4().hex},
        )
        job = answer.json()
        while not job["is_terminal"]:
            self.batch(job["batch_id"]).wait()
            job = {
                "batch_id": job["batch_id"],
                **self.request("GET", f"/api/v1/optimize/jobs/{job['job_id']}/result").json(),
            }
        return job

    def batch(self, batch_id: str) -> BatchHandle:
        """A batch that was submitted before."""
        if not batch_id:
            raise StratoptClientError("batch_id is empty; `client.batches()` and `stratopt batch list` show the ids")
        return BatchHandle(self, self.request("GET", f"/api/v1/optimize/batch/{quote(batch_id, safe='')}").json())

    def batches(self, *, max_items: int = 50, **filters: Any) -> Iterator[dict[str, Any]]:
        """Batches, newest first, at most ``max_items``; filters are ``status``, ``label`` and ``created_after``."""
        cursor: str | None = None
        left = max_items
        while left > 0:
            params = {
                "limit": min(left, PAGE),
                **{k: v for k, v in filters.items() if v is not None},
                **({"cursor": cursor} if cursor else {}),
            }
            page = self.request("GET", "/api/v1/optimize/batch", params=params).json()
            yield from page["data"]
            left -= len(page["data"])
            cursor = page["next_cursor"]
            if not cursor:
                return

    def strategies(self) -> list[dict[str, Any]]:
        """The catalogue of strategies."""
        return self.request("GET", "/api/v1/strategies").json()["data"]

    def symbols(self) -> list[dict[str, Any]]:
        """The series there are."""
        return self.request("GET", "/api/v1/symbols").json()["data"]

    # ---- plumbing

    def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """One exchange with retries; problems become exceptions (``client.errors``)."""
        attempt = 0
        while True:
            try:
                answer = self._http.request(method, path, **options)
            except httpx2.UnsupportedProtocol as error:
                raise StratoptClientError(
                    f"{self._base_url!r} is not an address; write it as http://127.0.0.1:8000"
                ) from error
            except httpx2.TransportError as error:
                if attempt >= self._retries:
                    raise ConnectionFailedError(
                        f"{self._base_url} did not answer: {error}; is the server running? start it with `stratopt serve`"
                    ) from error
                self._pause(attempt, None)
            else:
                if answer.status_code < 400:
                    return answer
                failure = _failure(answer)
                if attempt >= self._retries or answer.status_code not in RETRIED_STATUSES:
                    raise failure
                self._pause(attempt, failure.retry_after)
            attempt += 1

    def events(self, path: str, last_event_id: str | None = None) -> Iterator[dict[str, Any]]:
        """Server-sent events as ``{"event", "id", "data"}``, until the server closes the stream."""
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_event_id} if last_event_id else {})}
        with self._http.stream("GET", path, headers=headers, timeout=httpx2.Timeout(10.0, read=60.0)) as answer:
            if answer.status_code >= 400:
                answer.read()
                raise _failure(answer)
            event: dict[str, Any] = {}
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if not line and "data" in event:
                    yield {
                        "event": event.get("event", "message"),
                        "id": event.get("id"),
                        "data": json.loads(event["data"]),
                    }
                    event = {}
                elif name:
                    event[name] = value

    @staticmethod
    def _pause(attempt: int, retry_after: float | None) -> None:
        seconds = retry_after if retry_after is not None else min(8.0, 0.5 * 2**attempt) * random.uniform(0.75, 1.25)
        time.sleep(min(seconds, LONGEST_PAUSE_SECONDS))


class BatchHandle:
    """One batch on the server; ``status`` is the last status document that was read."""

    def __init__(self, client: Client, status: Mapping[str, Any]) -> None:
        self._client = client
        self.status = dict(status)
        self.batch_id: str = status["batch_id"]
        self._path = f"/api/v1/optimize/batch/{self.batch_id}"

    def __repr__(self) -> str:
        return f"BatchHandle({self.batch_id}, {self.status['status']})"

    @property
    def is_terminal(self) -> bool:
        """Whether the batch had ended when its status was read."""
        return bool(self.status["is_terminal"])

    def refresh(self) -> Self:
        """Read the status again."""
        self.status = self._client.request("GET", self._path).json()
        return self

    def stream(self) -> Iterator[dict[str, Any]]:
        """Events until the batch has ended; a broken connection is taken up where it was left."""
        last_id: str | None = None
        failures = 0
        while True:
            try:
                for event in self._client.events(f"{self._path}/events", last_id):
                    failures = 0
                    last_id = event["id"] or last_id
                    yield event
                    if event["event"] == "batch.ended":
                        return
            except httpx2.TransportError as error:
                failures += 1
                if failures > 5:
                    raise ConnectionFailedError(
                        f"the event stream of {self.batch_id} broke {failures} times in a row: {error}"
                    ) from error
            if self.refresh().is_terminal and last_id is None:
                return
            time.sleep(min(8.0, 0.25 * 2**failures))

    def wait(
        self, timeout_seconds: float | None = None, on_event: Callable[[dict[str, Any]], None] | None = None
    ) -> Self:
        """Wait for the end. TimeoutError after ``timeout_seconds``; the batch goes on."""
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        for event in self.stream():
            if on_event:
                on_event(event)
            if until is not None and time.monotonic() > until:
                raise TimeoutError(f"batch {self.batch_id} has not ended after {timeout_seconds:g} s; it goes on")
        return self.refresh()

    def results(self) -> Iterator[dict[str, Any]]:
        """Items in the order of submission, page by page; in every state of the batch."""
        cursor = -1
        while True:
            page = self._client.request("GET", f"{self._path}/results", params={"limit": PAGE, "cursor": cursor}).json()
            yield from page["data"]
            if not page["has_more"]:
                return
            cursor = page["next_cursor"]

    def result(self, strategy_id: str) -> dict[str, Any]:
        """One item in full, by strategy_id or job_id."""
        return self._client.request("GET", f"{self._path}/results/{strategy_id}").json()

    def export_pine(self, strategy_id: str, path: str | Path | None = None) -> str:
        """One result as a TradingView strategy (Pine Script v6), also written to ``path``; by strategy_id or job_id."""
        text = self._client.request("GET", f"{self._path}/results/{quote(strategy_id, safe='')}/export").text
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def report(self, format: str = "json", path: str | Path | None = None, *, allow_partial: bool = False) -> str:
        """The report as ``json``, ``csv``, ``html``, ``md`` or ``txt``, also written to ``path``."""
        if format == "pdf":
            raise StratoptClientError("a PDF is no text; take `report_pdf`")
        text = self._report(format, allow_partial=allow_partial).text
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def report_pdf(self, path: str | Path | None = None, *, allow_partial: bool = False) -> bytes:
        """The report as PDF, also written to ``path``; the server needs the extra ``pdf``."""
        document = self._report("pdf", allow_partial=allow_partial).content
        if path is not None:
            Path(path).write_bytes(document)
        return document

    def _report(self, format: str, *, allow_partial: bool) -> httpx2.Response:
        params = {"format": format, **({"allow_partial": "true"} if allow_partial else {})}
        return self._client.request("GET", f"{self._path}/report", params=params)

    def cancel(self) -> Self:
        """Ask for the end; finished results stay."""
        self.status = self._client.request("POST", f"{self._path}/cancel").json()
        return self

    def delete(self) -> None:
        """Remove the finished batch from the server."""
        self._client.request("DELETE", self._path)

    def to_frame(self) -> Any:
        """The ranking as a pandas frame."""
        import pandas as pd

        ranking = json.loads(self.report("json"))["ranking"]
        return pd.json_normalize(ranking)


def _failure(answer: httpx2.Response) -> ApiError:
    try:
        problem = answer.json()
    except ValueError:
        problem = {"detail": answer.text[:500]}
    header = answer.headers.get("Retry-After", "")
    return error_of(
        answer.status_code, problem if isinstance(problem, dict) else {}, float(header) if header.isdigit() else None
    )


__all__ = ["ApiError", "BatchHandle", "Client", "ConnectionFailedError", "NotFoundError"]
