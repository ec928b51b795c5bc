"""Endpoints under /api/v1/optimize: parse, call the service, answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pyarrow as pa
from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from stratopt.api.dependencies import Idempotency, JsonResponse, Service, decode_cursor, encode_cursor, wait_seconds
from stratopt.api.services.optimization_service import OptimizationService
from stratopt.api.services.views import result_view
from stratopt.api.streaming import EVENT_STREAM, NDJSON, batch_events, ndjson
from stratopt.errors import StratoptError
from stratopt.optimization.exceptions import BatchOptimizationError
from stratopt.optimization.jobs import Batch, BatchState, JobState
from stratopt.reporting.result_visualizer import ResultVisualizer
from stratopt.wire.base import UtcDatetime
from stratopt.wire.optimization import BatchRequest, SingleRequest

router = APIRouter(prefix="/api/v1/optimize", tags=["optimize"])
SINGLE_WAIT_SECONDS = 60.0
REPORT_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
}


def _accepted(
    service: OptimizationService, batch: Batch, *, status: int = 202, headers: dict[str, str] | None = None
) -> Response:
    view = service.view(batch)
    return JsonResponse(
        view,
        status_code=status,
        headers={
            "Location": view["links"]["self"],
            **({} if batch.state.is_terminal else {"Retry-After": "1"}),
            **(headers or {}),
        },
    )


@router.post("/batch", status_code=202, summary="Optimise many strategies")
async def submit_batch(
    body: BatchRequest,
    service: Service,
    key: Idempotency,
    validate_only: bool = False,
    prefer: Annotated[str | None, Header()] = None,
) -> Response:
    """Submit strategies x symbols x timeframes as one durable batch.

    `validate_only=true` answers 200 with the resolved configuration and the number of evaluations and stores nothing.
    `Prefer: wait=N` waits up to N (at most 60) seconds for the end.
    """
    if validate_only:
        return JsonResponse(await run_in_threadpool(service.plan, body))
    batch, replayed = await run_in_threadpool(service.submit_batch, body, idempotency_key=key)
    headers = {"Idempotency-Replayed": "true"} if replayed else {}
    if seconds := wait_seconds(prefer):
        batch = await run_in_threadpool(service.manager.wait, batch.batch_id, seconds)
        headers["Preference-Applied"] = f"wait={seconds:g}"
    return await run_in_threadpool(
        lambda: _accepted(service, batch, status=200 if batch.state.is_terminal else 202, headers=headers)
    )


@router.get("/batch", summary="List batches")
def list_batches(
    service: Service,
    status: BatchState | None = None,
    label: Annotated[str | None, Query(max_length=200)] = None,
    created_after: UtcDatetime | None = None,
    limit: Annotated[int, Query(ge=1)] = 50,
    cursor: str | None = None,
) -> Response:
    """Newest first."""
    limit = min(limit, 1000)
    after = None if created_after is None else created_after.timestamp()
    found = service.manager.store.batches(
        states=[status] if status else [],
        label=label,
        created_after=after,
        before=decode_cursor(cursor),
        limit=limit + 1,
    )
    page = found[:limit]
    more = len(found) > limit
    return JsonResponse(
        {
            "data": [service.view(b) for b in page],
            "has_more": more,
            "next_cursor": encode_cursor(page[-1].created_at, page[-1].batch_id) if more else None,
        }
    )


@router.get("/batch/{batch_id}", summary="Status of a batch")
def get_batch(batch_id: str, service: Service, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """Counts, progress and links. The ETag changes whenever something happened."""
    batch = service.batch(batch_id)
    etag = f'W/"{batch.row_version}"'
    headers = {"ETag": etag} | ({} if batch.state.is_terminal else {"Retry-After": "1"})
    if if_none_match == etag:
        return Response(status_code=304, headers=headers)
    return JsonResponse(service.view(batch), headers=headers)


@router.get("/batch/{batch_id}/results", summary="Results so far")
def get_results(
    batch_id: str,
    service: Service,
    status: JobState | None = None,
    limit: Annotated[int, Query(ge=1)] = 200,
    cursor: Annotated[int, Query(ge=-1)] = -1,
    accept: Annotated[str, Header()] = "*/*",
) -> Response:
    """Items in the order of submission, finished or not; `complete` says whether all have ended. NDJSON by `Accept`."""
    batch = service.batch(batch_id)
    states = [status] if status else []
    if NDJSON in accept:
        meta = {"batch_id": batch_id, "status": batch.state.value}
        return StreamingResponse(
            ndjson(meta, service.results(batch, states=states), kind="result", complete=batch.state.is_terminal),
            media_type=NDJSON,
        )
    if "text/csv" in accept:
        return Response(ResultVisualizer().csv(service.report(batch)), media_type="text/csv; charset=utf-8")
    if not any(kind in accept for kind in ("*/*", "application/json", "application/*")):
        raise StratoptError(
            f"results are offered as application/json, {NDJSON} and text/csv, not {accept}", code="not_acceptable"
        )
    limit = min(limit, 1000)
    jobs = service.manager.store.jobs(batch_id, states=states, after_index=cursor, limit=limit + 1)
    page = jobs[:limit]
    more = len(jobs) > limit
    return JsonResponse(
        {
            "data": [result_view(j, full=False) for j in page],
            "complete": batch.state.is_terminal,
            "has_more": more,
            "next_cursor": page[-1].index if more else None,
        }
    )


@router.get("/batch/{batch_id}/results/{strategy_id}", summary="One result in full")
def get_result(batch_id: str, strategy_id: str, service: Service) -> Response:
    """By `strategy_id`, or by `job_id` where several series share it."""
    return JsonResponse(result_view(service.job_of(service.batch(batch_id), strategy_id)))


@router.get("/batch/{batch_id}/results/{strategy_id}/{table}", summary="Trials, equity or trades of one result")
def get_table(
    batch_id: str,
    strategy_id: str,
    table: Literal["trials", "equity", "trades"],
    service: Service,
    max_points: Annotated[int, Query(ge=2)] = 5000,
) -> Response:
    """NDJSON; `equity` is thinned to `max_points` rows, the first and the last kept."""
    job = service.job_of(service.batch(batch_id), strategy_id)
    if job.result is None:
        raise BatchOptimizationError(
            f"job {job.job_id} is {job.state} and has no {table}",
            code="batch_not_finished" if not job.state.is_terminal else "not_found",
            job_id=job.job_id,
        )
    name = job.result["artifacts"][table]
    meta = {"job_id": job.job_id, "table": table}
    return StreamingResponse(
        ndjson(meta, _rows(service, name, max_points if table == "equity" else None), kind=table, complete=True),
        media_type=NDJSON,
    )


def _rows(service: OptimizationService, name: str, max_points: int | None) -> Iterator[dict[str, Any]]:
    if max_points is None:
        for batch in service.artifacts.batches(name):
            yield from batch.to_pylist()
        return
    table: pa.Table = service.artifacts.table(name)
    rows = table.num_rows
    count = min(rows, max_points)
    keep = [round(i * (rows - 1) / max(1, count - 1)) for i in range(count)]
    yield from table.take(keep).to_pylist()


@router.get("/batch/{batch_id}/events", summary="Follow a batch")
async def get_events(
    batch_id: str, service: Service, request: Request, last_event_id: Annotated[str | None, Header()] = None
) -> Response:
    """Server-sent events: `snapshot`, `progress`, `strategy.completed`, `strategy.failed`, `batch.ended`, `shutdown`.

    `Last-Event-ID` resumes; 204 says that nothing is left.
    """
    batch = await run_in_threadpool(service.batch, batch_id)
    after = int(last_event_id) if last_event_id and last_event_id.isdigit() else 0
    if (
        after
        and batch.state.is_terminal
        and not await run_in_threadpool(service.manager.store.events, batch_id, after_seq=after)
    ):
        return Response(status_code=204)
    stream = batch_events(service, batch, after, is_draining=lambda: request.app.state.draining)
    return StreamingResponse(
        stream, media_type=EVENT_STREAM, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


@router.get("/batch/{batch_id}/report", summary="Aggregated report")
def get_report(
    batch_id: str,
    service: Service,
    format: Literal["json", "csv", "html", "md", "txt"] = "json",
    allow_partial: bool = False,
) -> Response:
    """Ranking, statistics, executive summary and errors. Before the end 409, unless `allow_partial=true`."""
    batch = service.batch(batch_id)
    if not batch.state.is_terminal and not allow_partial:
        raise BatchOptimizationError(
            f"batch {batch_id} is {batch.state}; wait for its end or ask with allow_partial=true",
            code="batch_not_finished",
            batch_id=batch_id,
        )
    visualizer, report = ResultVisualizer(), service.report(batch)
    render = {
        "json": visualizer.json,
        "csv": visualizer.csv,
        "html": visualizer.html,
        "md": visualizer.markdown,
        "txt": visualizer.text,
    }[format]
    shown = "inline" if format in {"html", "json", "txt"} else "attachment"
    headers = {
        "Content-Disposition": f'{shown}; filename="{batch_id}.{format}"',
        "ETag": f'W/"{batch.row_version}-{format}"',
    }
    if format == "html":
        headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return Response(render(report), media_type=REPORT_TYPES[format], headers=headers)


@router.post("/batch/{batch_id}/cancel", status_code=202, summary="Cancel a batch")
def cancel_batch(batch_id: str, service: Service) -> Response:
    """Queued jobs end, running ones are killed, finished results stay. 200 if the batch had ended already."""
    service.batch(batch_id)
    batch = service.manager.cancel(batch_id)
    return JsonResponse(service.view(batch), status_code=200 if batch.state.is_terminal else 202)


@router.post("/batch/{batch_id}/retry", status_code=202, summary="Retry what failed")
def retry_batch(batch_id: str, service: Service) -> Response:
    """A new batch of the jobs that did not succeed."""
    return _accepted(service, service.retry(service.batch(batch_id)))


@router.delete("/batch/{batch_id}", status_code=204, summary="Delete a finished batch")
def delete_batch(batch_id: str, service: Service) -> Response:
    """Removes the batch, its results and its tables."""
    service.delete(service.batch(batch_id))
    return Response(status_code=204)


@router.post("/single", summary="Optimise one strategy")
async def submit_single(
    body: SingleRequest, service: Service, key: Idempotency, prefer: Annotated[str | None, Header()] = None
) -> Response:
    """200 with the result when it is ready within 60 seconds (or `Prefer: wait=N`), else 202 with the job to follow."""
    batch, replayed = await run_in_threadpool(service.submit_single, body, idempotency_key=key)
    seconds = wait_seconds(prefer) or SINGLE_WAIT_SECONDS
    batch = await run_in_threadpool(service.manager.wait, batch.batch_id, seconds)
    (job,) = await run_in_threadpool(service.manager.store.jobs, batch.batch_id)
    headers = {
        "Location": f"/api/v1/optimize/jobs/{job.job_id}",
        **({"Idempotency-Replayed": "true"} if replayed else {}),
    }
    view = {"batch_id": batch.batch_id, **result_view(job)}
    return JsonResponse(view, status_code=200 if job.state.is_terminal else 202, headers=headers)


@router.get("/jobs/{job_id}", summary="Status of one job")
def get_job(job_id: str, service: Service) -> Response:
    """Without its result."""
    view = result_view(service.job(job_id))
    view.pop("result")
    return JsonResponse(view)


@router.get("/jobs/{job_id}/result", summary="Result of one job")
def get_job_result(job_id: str, service: Service) -> Response:
    """409 while it is open; a failed job answers 200 with its problem in `error`."""
    job = service.job(job_id)
    if not job.state.is_terminal:
        raise BatchOptimizationError(
            f"job {job_id} is {job.state}; wait for its end", code="batch_not_finished", job_id=job_id
        )
    return JsonResponse(result_view(job))


@router.post("/jobs/{job_id}/cancel", status_code=202, summary="Cancel the batch of a single optimisation")
def cancel_job(job_id: str, service: Service) -> Response:
    """Only for jobs of `POST /optimize/single`; a job of a larger batch is cancelled with its batch."""
    job = service.job(job_id)
    batch = service.batch(job.batch_id)
    if batch.counts["total"] > 1:
        raise BatchOptimizationError(
            f"job {job_id} belongs to batch {batch.batch_id} of {batch.counts['total']} jobs; cancel the batch",
            code="conflict",
            batch_id=batch.batch_id,
        )
    batch = service.manager.cancel(batch.batch_id)
    return JsonResponse(service.view(batch), status_code=200 if batch.state.is_terminal else 202)
