"""Endpoints that submit, list, follow and end optimisations: parse, call the service, answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from stratopt.api.dependencies import (
    Idempotency,
    JsonResponse,
    ReadableBatch,
    ReadableJob,
    Service,
    WritableBatch,
    WritableJob,
    decode_cursor,
    encode_cursor,
    is_known_version,
    wait_seconds,
)
from stratopt.api.json_body import StrictJsonRoute
from stratopt.api.routers.results import script_answer
from stratopt.api.security import Reader, Submitter, not_modified
from stratopt.api.services.optimization_service import OptimizationService
from stratopt.api.services.views import result_view, version_of
from stratopt.api.streaming import ended
from stratopt.optimization.exceptions import BatchOptimizationError
from stratopt.optimization.jobs import Batch, BatchState
from stratopt.wire.answers import BatchPage, BatchPlan, BatchStatus, JobResult, JobStatus, SingleResult
from stratopt.wire.base import UtcDatetime
from stratopt.wire.optimization import BatchRequest, SingleRequest

router = APIRouter(prefix="/api/v1/optimize", tags=["optimize"], route_class=StrictJsonRoute)
SINGLE_WAIT_SECONDS = 60.0
LARGEST_PAGE = 1000
Prefer = Annotated[str | None, Header(description="`wait=N`: wait up to N (at most 60) seconds for the end.")]
CANCEL: dict[str, Any] = {
    "status_code": 202,
    "response_model": BatchStatus,
    "responses": {200: {"model": BatchStatus}},
}


def _applied(seconds: float | None) -> dict[str, str]:
    return {"Preference-Applied": f"wait={seconds:g}"} if seconds else {}


def _come_back(is_terminal: bool) -> dict[str, str]:
    return {} if is_terminal else {"Retry-After": "1"}


def _accepted(service: OptimizationService, batch: Batch, *, headers: dict[str, str] | None = None) -> Response:
    view = service.view(batch)
    merged = {"Location": view["links"]["self"], **(headers or {}), **_come_back(batch.state.is_terminal)}
    waited_for = "Preference-Applied" in merged and batch.state.is_terminal
    return JsonResponse(view, status_code=200 if waited_for else 202, headers=merged)


def _replayed(replayed: bool) -> dict[str, str]:
    return {"Idempotency-Replayed": "true"} if replayed else {}


def _cancelled(service: OptimizationService, batch: Batch) -> Response:
    batch = service.manager.cancel(batch.batch_id)
    return JsonResponse(service.view(batch), status_code=200 if batch.state.is_terminal else 202)


@router.post(
    "/batch",
    status_code=202,
    summary="Optimise many strategies",
    response_model=BatchStatus,
    responses={200: {"model": BatchStatus | BatchPlan}},
)
async def submit_batch(
    body: BatchRequest,
    request: Request,
    service: Service,
    caller: Submitter,
    key: Idempotency,
    validate_only: bool = False,
    prefer: Prefer = None,
) -> Response:
    """Submit strategies x symbols x timeframes as one durable batch.

    `validate_only=true` answers 200 with the resolved configuration and the number of evaluations and stores nothing.
    `Idempotency-Key` makes a repeated submission answer with the batch of the first.
    """
    if validate_only:
        return JsonResponse(await run_in_threadpool(service.plan, body))
    batch, replayed = await run_in_threadpool(service.submit_batch, body, owner=caller.owner, idempotency_key=key)
    headers = _replayed(replayed)
    if seconds := wait_seconds(prefer):
        batch = await ended(service, batch, seconds, is_draining=lambda: request.app.state.draining)
        headers |= _applied(seconds)
    return await run_in_threadpool(lambda: _accepted(service, batch, headers=headers))


@router.get("/batch", summary="List batches", response_model=BatchPage)
def list_batches(
    service: Service,
    caller: Reader,
    status: BatchState | None = None,
    label: Annotated[str | None, Query(max_length=200)] = None,
    created_after: UtcDatetime | None = None,
    limit: Annotated[int, Query(ge=1)] = 50,
    cursor: str | None = None,
) -> Response:
    """Newest first."""
    limit = min(limit, LARGEST_PAGE)
    found = service.manager.store.batches(
        owner=caller.sees,
        states=[status] if status else [],
        label=label,
        created_after=None if created_after is None else created_after.timestamp(),
        before=decode_cursor(cursor),
        limit=limit + 1,
    )
    page, more = found[:limit], len(found) > limit
    following = encode_cursor(page[-1].created_at, page[-1].batch_id) if more else None
    return JsonResponse({"data": [service.view(b) for b in page], "has_more": more, "next_cursor": following})


@router.get("/batch/{batch_id}", summary="Status of a batch", response_model=BatchStatus)
def get_batch(
    batch: ReadableBatch,
    service: Service,
    request: Request,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Counts, progress and links. The ETag changes whenever anything but the clock moved; a 304 costs no quota."""
    view = service.view(batch)
    etag = f'W/"{version_of(view)}"'
    headers = {"ETag": etag, **_come_back(batch.state.is_terminal)}
    if is_known_version(if_none_match, etag):
        return not_modified(request, headers)
    return JsonResponse(view, headers=headers)


@router.post("/batch/{batch_id}/cancel", summary="Cancel a batch", **CANCEL)
def cancel_batch(batch: WritableBatch, service: Service) -> Response:
    """Queued jobs end, running ones are killed, finished results stay. 200 if the batch had ended already."""
    return _cancelled(service, batch)


@router.post("/batch/{batch_id}/retry", status_code=202, summary="Retry what failed", response_model=BatchStatus)
def retry_batch(batch: WritableBatch, service: Service, caller: Submitter, key: Idempotency) -> Response:
    """A new batch of the jobs that did not succeed, with the label, metadata, priority and limit of the first.

    `Idempotency-Key` makes a repeated call answer with the batch of the first.
    """
    again, replayed = service.retry(batch, owner=caller.owner, idempotency_key=key)
    return _accepted(service, again, headers=_replayed(replayed))


@router.delete("/batch/{batch_id}", status_code=204, summary="Delete a finished batch")
def delete_batch(batch: WritableBatch, service: Service) -> Response:
    """Removes the batch, its results and its tables."""
    service.delete(batch)
    return Response(status_code=204)


@router.post(
    "/single",
    summary="Optimise one strategy",
    response_model=SingleResult | BatchPlan,
    responses={202: {"model": SingleResult}},
)
async def submit_single(
    body: SingleRequest,
    request: Request,
    service: Service,
    caller: Submitter,
    key: Idempotency,
    validate_only: bool = False,
    prefer: Prefer = None,
) -> Response:
    """200 with the result when it is ready within 60 seconds (or `Prefer: wait=N`), else 202 with the job to follow.

    `Prefer: respond-async` or `wait=0` answers 202 at once.

    `validate_only=true` answers 200 with what it would do and stores nothing.
    """
    if validate_only:
        return JsonResponse(await run_in_threadpool(service.plan, body))
    batch, replayed = await run_in_threadpool(service.submit_single, body, owner=caller.owner, idempotency_key=key)
    said = wait_seconds(prefer)
    seconds = SINGLE_WAIT_SECONDS if said is None else said
    batch = await ended(service, batch, seconds, is_draining=lambda: request.app.state.draining)
    (job,) = await run_in_threadpool(service.manager.store.jobs, batch.batch_id)
    headers = {
        "Location": f"/api/v1/optimize/jobs/{job.job_id}",
        **_replayed(replayed),
        **_applied(said),
        **_come_back(job.state.is_terminal),
    }
    view: dict[str, Any] = {"batch_id": batch.batch_id, **result_view(job)}
    return JsonResponse(view, status_code=200 if job.state.is_terminal else 202, headers=headers)


@router.get("/jobs/{job_id}", summary="Status of one job", response_model=JobStatus)
def get_job(job: ReadableJob, service: Service) -> Response:
    """Without its result; `resources` of a running job are those that its worker told last."""
    view = result_view(job, usage=service.manager.usage(job.batch_id).get(job.job_id))
    view.pop("result")
    return JsonResponse(view, headers=_come_back(job.state.is_terminal))


@router.get("/jobs/{job_id}/result", summary="Result of one job", response_model=JobResult)
def get_job_result(job: ReadableJob) -> Response:
    """409 while it is open; a failed job answers 200 with its problem in `error`."""
    if not job.state.is_terminal:
        raise BatchOptimizationError(
            f"job {job.job_id} is {job.state}; wait for its end", code="batch_not_finished", job_id=job.job_id
        )
    return JsonResponse(result_view(job))


@router.get("/jobs/{job_id}/export", summary="Result of one job as a TradingView script")
def get_job_export(job: ReadableJob, service: Service, format: Literal["pine"] = "pine") -> Response:
    """Pine Script v6 with the verdict of the job's batch; 422 `cannot_be_exported` for strategies of your own and for stops."""
    return script_answer(service, service.batch(job.batch_id), job)


@router.post("/jobs/{job_id}/cancel", summary="Cancel a single optimisation", **CANCEL)
def cancel_job(job: WritableJob, service: Service) -> Response:
    """Only for jobs of `POST /optimize/single`; a job of a larger batch is cancelled with its batch."""
    batch = service.batch(job.batch_id)
    if batch.counts["total"] > 1:
        raise BatchOptimizationError(
            f"job {job.job_id} belongs to batch {batch.batch_id} of {batch.counts['total']} jobs; cancel the batch",
            code="conflict",
            batch_id=batch.batch_id,
        )
    return _cancelled(service, batch)
