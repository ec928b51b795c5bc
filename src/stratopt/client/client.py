"""Client: the HTTP API as Python objects. Needs nothing of the server.

Written by ``tools/write_client.py`` from ``async_client.py``: change it there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import httpx2

from stratopt.client.blocking import sleep, to_thread
from stratopt.client.errors import ConnectionFailedError, StratoptClientError
from stratopt.client.protocol import (
    BATCHES,
    MOST_BREAKS,
    PAGE,
    RETRIED_STATUSES,
    SINGLE,
    EventReader,
    Patience,
    document_of,
    event_headers,
    failure_of,
    given,
    has_events,
    pause_seconds,
    unreachable,
)


class Client:
    """A connection to a stratopt server.

    Retries connection errors, 408, 429 and server errors ``retries`` times; ``Retry-After`` decides the pause, else it grows from half
    a second. A submission carries one idempotency key over all its retries, so that it makes one batch.

    >>> with Client("http://127.0.0.1:8000") as client:          # doctest: +SKIP
    ...     batch = client.optimize_batch({"strategies": ["RSI"], "common_config": {"asset": "BTC"}})
    ...     for event in batch.stream():
    ...         print(event["event"])
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
        headers = {"Idempotency-Key": idempotency_key or uuid4().hex}
        return BatchHandle(self, self.read("POST", BATCHES, json=dict(request), headers=headers))

    def estimate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What a batch would do, without doing it."""
        found: dict[str, Any] = self.read("POST", BATCHES, params={"validate_only": "true"}, json=dict(request))
        return found

    def optimize(self, request: Mapping[str, Any], *, idempotency_key: str | None = None) -> dict[str, Any]:
        """Optimise one strategy and wait for its result; ``request`` is the body of ``POST /api/v1/optimize/single``."""
        headers = {"Idempotency-Key": idempotency_key or uuid4().hex}
        job: dict[str, Any] = self.read("POST", SINGLE, json=dict(request), headers=headers)
        while not job["is_terminal"]:
            batch = self.batch(job["batch_id"])
            batch.wait()
            result = self.read("GET", f"/api/v1/optimize/jobs/{job['job_id']}/result")
            job = {"batch_id": job["batch_id"], **result}
        return job

    def batch(self, batch_id: str) -> BatchHandle:
        """A batch that was submitted before."""
        if not batch_id:
            raise StratoptClientError("batch_id is empty; `client.batches()` and `stratopt batch list` show the ids")
        return BatchHandle(self, self.read("GET", f"{BATCHES}/{quote(batch_id, safe='')}"))

    def batches(self, *, max_items: int = 50, **filters: Any) -> Iterator[dict[str, Any]]:
        """Batches, newest first, at most ``max_items``; filters are ``status``, ``label`` and ``created_after``."""
        cursor: str | None = None
        left = max_items
        while left > 0:
            params = given(limit=min(left, PAGE), cursor=cursor, **filters)
            page = self.read("GET", BATCHES, params=params)
            yield from page["data"]
            left -= len(page["data"])
            cursor = page["next_cursor"]
            if not cursor:
                return

    def strategies(self) -> list[dict[str, Any]]:
        """The catalogue of strategies."""
        found = self.read("GET", "/api/v1/strategies")
        return list(found["data"])

    def symbols(self) -> list[dict[str, Any]]:
        """The series there are."""
        found = self.read("GET", "/api/v1/symbols")
        return list(found["data"])

    # ---- plumbing

    def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """One exchange with retries; problems become exceptions (``client.errors``)."""
        attempt = 0
        while True:
            try:
                answer = self._http.request(method, path, **options)
            except httpx2.TransportError as error:
                if attempt >= self._retries or isinstance(error, httpx2.UnsupportedProtocol):
                    raise unreachable(self._base_url, error) from error
                sleep(pause_seconds(attempt, None))
            else:
                if answer.status_code < 400:
                    return answer
                failure = failure_of(answer)
                if attempt >= self._retries or answer.status_code not in RETRIED_STATUSES:
                    raise failure
                sleep(pause_seconds(attempt, failure.retry_after))
            attempt += 1

    def read(self, method: str, path: str, **options: Any) -> Any:
        """The JSON document that an exchange answers; UnexpectedAnswerError if it is something else."""
        return document_of(self.request(method, path, **options))

    def events(
        self, path: str, last_event_id: str | None = None, *, patience: Patience | None = None
    ) -> Iterator[dict[str, Any]]:
        """Server-sent events as ``{"event", "id", "data"}``, until the server closes the stream.

        With ``patience`` the stream also ends, by an error of the connection or without one, when it has to be read less patiently.
        """
        patience = patience or Patience(None)
        headers, limit = event_headers(last_event_id), patience.of_a_connection()
        with self._http.stream("GET", path, headers=headers, timeout=limit) as answer:
            if answer.status_code >= 400:
                answer.read()
                raise failure_of(answer)
            if not has_events(answer):
                return
            reader = EventReader()
            for line in answer.iter_lines():
                if event := reader.feed(line):
                    yield event
                elif line.startswith(":") and patience.wanes(limit):
                    return


class BatchHandle:
    """One batch on the server; ``status`` is the last status document that was read."""

    def __init__(self, client: Client, status: Mapping[str, Any]) -> None:
        self._client = client
        self.status = dict(status)
        self.batch_id: str = status["batch_id"]
        self._path = f"{BATCHES}/{self.batch_id}"

    def __repr__(self) -> str:
        return f"BatchHandle({self.batch_id}, {self.status['status']})"

    @property
    def is_terminal(self) -> bool:
        """Whether the batch had ended when its status was read."""
        return bool(self.status["is_terminal"])

    def refresh(self) -> Self:
        """Read the status again."""
        self.status = self._client.read("GET", self._path)
        return self

    def stream(self, *, timeout_seconds: float | None = None) -> Iterator[dict[str, Any]]:
        """Events until the batch has ended; a broken connection is taken up where it was left.

        TimeoutError after ``timeout_seconds``; the batch goes on.
        """
        patience = Patience(timeout_seconds)
        last_id: str | None = None
        failures = 0
        while True:
            try:
                for event in self._client.events(f"{self._path}/events", last_id, patience=patience):
                    failures = 0
                    last_id = event["id"] or last_id
                    yield event
                    if event["event"] == "batch.ended":
                        return
                    patience.check(self.batch_id)
            except httpx2.TransportError as error:
                patience.check(self.batch_id)
                failures += 1
                if failures > MOST_BREAKS:
                    raise ConnectionFailedError(
                        f"the event stream of {self.batch_id} broke {failures} times in a row: {error}"
                    ) from error
            patience.check(self.batch_id)
            self.refresh()
            if self.is_terminal and last_id is None:
                return
            sleep(min(8.0, 0.25 * 2**failures, patience.left))

    def wait(
        self, timeout_seconds: float | None = None, on_event: Callable[[dict[str, Any]], None] | None = None
    ) -> Self:
        """Wait for the end. TimeoutError after ``timeout_seconds``; the batch goes on."""
        for event in self.stream(timeout_seconds=timeout_seconds):
            if on_event:
                on_event(event)
        return self.refresh()

    def results(self, *, sort: str | None = None) -> Iterator[dict[str, Any]]:
        """Items page by page, in every state of the batch; ``sort`` as ``rank`` or ``-score``, else in the order of submission."""
        cursor = -1
        while True:
            params = given(limit=PAGE, sort=sort, cursor=cursor)
            page = self._client.read("GET", f"{self._path}/results", params=params)
            yield from page["data"]
            if not page["has_more"]:
                return
            cursor = page["next_cursor"]

    def result(self, strategy_id: str) -> dict[str, Any]:
        """One item in full, by strategy_id or job_id."""
        found: dict[str, Any] = self._client.read("GET", f"{self._path}/results/{quote(strategy_id, safe='')}")
        return found

    def export_pine(self, strategy_id: str, path: str | Path | None = None) -> str:
        """One result as a TradingView strategy (Pine Script v6), also written to ``path``; by strategy_id or job_id."""
        answer = self._client.request("GET", f"{self._path}/results/{quote(strategy_id, safe='')}/export")
        if path is not None:
            to_thread(Path(path).write_text, answer.text, encoding="utf-8")
        return answer.text

    def report(self, format: str = "json", path: str | Path | None = None, *, allow_partial: bool = False) -> str:
        """The report as ``json``, ``csv``, ``html``, ``md`` or ``txt``, also written to ``path``."""
        if format == "pdf":
            raise StratoptClientError("a PDF is no text; take `report_pdf`")
        answer = self._report(format, allow_partial=allow_partial)
        if path is not None:
            to_thread(Path(path).write_text, answer.text, encoding="utf-8")
        return answer.text

    def report_pdf(self, path: str | Path | None = None, *, allow_partial: bool = False) -> bytes:
        """The report as PDF, also written to ``path``; the server needs the extra ``pdf``."""
        answer = self._report("pdf", allow_partial=allow_partial)
        if path is not None:
            to_thread(Path(path).write_bytes, answer.content)
        return answer.content

    def _report(self, format: str, *, allow_partial: bool) -> httpx2.Response:
        params = given(format=format, allow_partial="true" if allow_partial else None)
        return self._client.request("GET", f"{self._path}/report", params=params)

    def cancel(self) -> Self:
        """Ask for the end; finished results stay."""
        self.status = self._client.read("POST", f"{self._path}/cancel")
        return self

    def retry(self) -> BatchHandle:
        """A new batch of the jobs that did not succeed."""
        headers = {"Idempotency-Key": uuid4().hex}
        again = self._client.read("POST", f"{self._path}/retry", headers=headers)
        return BatchHandle(self._client, again)

    def errors(self) -> dict[str, Any]:
        """The error report: by code, by strategy, rate, trend, advice."""
        found: dict[str, Any] = self._client.read("GET", f"{self._path}/errors")
        return found

    def delete(self) -> None:
        """Remove the finished batch from the server."""
        self._client.request("DELETE", self._path)

    def to_frame(self) -> Any:
        """The ranking as a pandas frame."""
        import pandas as pd

        report = json.loads(self.report("json"))
        return pd.json_normalize(report["ranking"])
