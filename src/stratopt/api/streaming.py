"""Streams: server-sent events of a batch, rows as newline-delimited JSON and as CSV."""

from __future__ import annotations

import asyncio
import csv
import io
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool

from stratopt.api.services.optimization_service import OptimizationService
from stratopt.api.services.views import identity
from stratopt.errors import StratoptError
from stratopt.monitoring.metrics import Metrics
from stratopt.optimization.jobs import Batch, JobState
from stratopt.reporting.csv_cells import safe_cell
from stratopt.wire.base import UTC_WITH_Z

PROGRESS_SECONDS = 0.25
POLL_SECONDS = 0.02
"""How often a reader looks at the revision counter, which is a number in memory; the store is read only when it moved."""
PING_SECONDS = 15.0
BLOCK_ROWS = 500
"""Rows that are sent together."""
NDJSON = "application/x-ndjson"
CSV = "text/csv"
EVENT_STREAM = "text/event-stream"
COMPLETE = "Stratopt-Complete"
"""Header of what has no place for it in its body: whether all jobs had ended."""


def sse(kind: str, data: Mapping[str, Any], seq: int | None = None) -> bytes:
    """One server-sent event; only events that can be resumed from carry an id."""
    head = f"event: {kind}\n" + (f"id: {seq}\n" if seq is not None else "")
    return head.encode() + b"data: " + orjson.dumps(data) + b"\n\n"


async def batch_events(
    service: OptimizationService, batch: Batch, after_seq: int, *, is_draining: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """A snapshot, then everything that ended after ``after_seq``, with starts and progress in between, until the batch has ended.

    A cursor over the store: a reader that comes back continues where it was. Starts are told from memory as they are seen, once a
    reader and job, before the store is read: the end of a job that runs now is not among what was sent.
    """
    yield b"retry: 2000\n\n"
    yield sse("snapshot", await run_in_threadpool(service.view, batch))
    seq, seen_revision, last_sent, next_progress, owes_progress = after_seq, -1, time.monotonic(), 0.0, False
    started: set[str] = set()
    while True:
        if is_draining():
            yield sse(
                "shutdown", {"batch_id": batch.batch_id, "reason": "the server is shutting down; reconnect to go on"}
            )
            return
        for job in service.manager.running_jobs(batch.batch_id):
            if job.job_id not in started:
                started.add(job.job_id)
                last_sent = time.monotonic()
                yield sse("strategy.started", {**identity(job), "status": JobState.RUNNING.value})
        revision = service.manager.revision(batch.batch_id)
        if revision != seen_revision:
            seen_revision, owes_progress = revision, True
            while found := await run_in_threadpool(service.manager.store.events, batch.batch_id, after_seq=seq):
                for event in found:
                    yield sse(event.kind, event.data, event.seq)
                    started.discard(event.data.get("job_id", ""))
                    if event.kind == "batch.ended":
                        return
                seq, last_sent = found[-1].seq, time.monotonic()
        if owes_progress and time.monotonic() >= next_progress:
            view = await run_in_threadpool(lambda: service.view(service.batch(batch.batch_id)))
            yield sse("progress", {name: view[name] for name in ("batch_id", "status", "counts", "progress")})
            next_progress, owes_progress, last_sent = time.monotonic() + PROGRESS_SECONDS, False, time.monotonic()
        elif time.monotonic() - last_sent > PING_SECONDS:
            last_sent = time.monotonic()
            yield b": ping\n\n"
        await asyncio.sleep(POLL_SECONDS)


async def ended(
    service: OptimizationService, batch: Batch, seconds: float, *, is_draining: Callable[[], bool]
) -> Batch:
    """The batch when it has ended, or as it is after ``seconds`` or at shutdown. Waiting holds no thread, so many may wait."""
    until, seen_revision = time.monotonic() + seconds, -1
    while not batch.state.is_terminal and time.monotonic() < until and not is_draining():
        revision = service.manager.revision(batch.batch_id)
        if revision != seen_revision:
            seen_revision = revision
            batch = await run_in_threadpool(service.batch, batch.batch_id)
        else:
            await asyncio.sleep(POLL_SECONDS)
    return batch


def ndjson(
    meta: Mapping[str, Any], rows: Iterable[Mapping[str, Any]], *, kind: str, complete: Callable[[], bool]
) -> Iterator[bytes]:
    """``meta``, one line a row, and an ``end`` line that tells a finished stream from a cut one.

    ``complete`` is asked after the last row: whether that was all there is.
    """
    yield orjson.dumps({"type": "meta", **meta}) + b"\n"
    count, block = 0, []
    for row in rows:
        count += 1
        block.append(orjson.dumps({"type": kind, **row}, default=str, option=UTC_WITH_Z))
        if len(block) == BLOCK_ROWS:
            yield b"\n".join(block) + b"\n"
            block = []
    if block:
        yield b"\n".join(block) + b"\n"
    yield orjson.dumps({"type": "end", "count": count, "complete": complete()}) + b"\n"


def csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """A header line and one line a row; what JSON has no number for is empty, lists and times are as in JSON, text is safe in a spreadsheet."""
    yield _csv_block([columns])
    cells = ([_cell(row[name]) for name in columns] for row in rows)
    while block := list(islice(cells, BLOCK_ROWS)):
        yield _csv_block(block)


def _cell(value: Any) -> Any:
    if isinstance(value, list | datetime):
        return orjson.dumps(value, option=UTC_WITH_Z).decode().strip('"')
    return "" if isinstance(value, float) and not math.isfinite(value) else safe_cell(value)


def _csv_block(rows: Iterable[Sequence[Any]]) -> bytes:
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows(rows)
    return sink.getvalue().encode()


class StreamGuard:
    """Counts the open streams of each caller and refuses more than ``most``."""

    def __init__(self, most: int, metrics: Metrics) -> None:
        self._most = most
        self._metrics = metrics
        self._open: Counter[str] = Counter()

    def count(self, caller: str, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """``stream``, counted until it ends; StratoptError ``too_many_streams`` at the limit."""
        if self._open[caller] >= self._most:
            raise StratoptError(
                f"{self._open[caller]} event streams are open, which is the limit; close one or poll the status instead",
                code="too_many_streams",
                limit=self._most,
            )
        self._open[caller] += 1
        self._metrics.streams.inc()
        return self._counted(caller, stream)

    async def _counted(self, caller: str, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for piece in stream:
                yield piece
        finally:
            self._open[caller] -= 1
            self._metrics.streams.dec()
