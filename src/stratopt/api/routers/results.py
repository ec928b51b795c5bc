"""Endpoints that read what a batch found: results, tables, events, report, errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Any, Literal

import pyarrow as pa
from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from stratopt.api.dependencies import JsonResponse, ReadableBatch, Service, is_known_version, preferred
from stratopt.api.middleware import HEAD_ONLY
from stratopt.api.security import Reader, not_modified
from stratopt.api.services.error_report import error_report
from stratopt.api.services.optimization_service import OptimizationService, require_result
from stratopt.api.services.result_order import SORT_TEXT, SortKey
from stratopt.api.services.views import result_view
from stratopt.api.streaming import COMPLETE, CSV, EVENT_STREAM, NDJSON, batch_events, csv_lines, ndjson
from stratopt.errors import StratoptError
from stratopt.optimization.artifacts import ArtifactStore
from stratopt.optimization.batch_report import BatchAnalysisReport
from stratopt.optimization.exceptions import BatchOptimizationError
from stratopt.optimization.job_store import JobStore
from stratopt.optimization.jobs import Batch, Job, JobState
from stratopt.reporting.result_visualizer import ResultVisualizer
from stratopt.wire.answers import ErrorReport, EventPage, ItemPage, JobResult, TablePage
from stratopt.wire.problems import json_pointer

router = APIRouter(prefix="/api/v1/optimize/batch/{batch_id}", tags=["results"])
LARGEST_PAGE = 1000
LARGEST_TABLE_PAGE = 10_000
Cursor = Annotated[int, Query(ge=-1, le=2**31 - 1)]
EVENT_ID = re.compile(r"[0-9]{1,18}")
REPORT_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "pdf": "application/pdf",
}
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@router.get("/results", summary="Results so far", response_model=ItemPage)
def get_results(
    batch: ReadableBatch,
    service: Service,
    request: Request,
    status: JobState | None = None,
    sort: Annotated[SortKey, Query(description=SORT_TEXT)] = "index",
    limit: Annotated[int, Query(ge=1)] = 200,
    cursor: Cursor = -1,
    accept: Annotated[str, Header()] = "*/*",
) -> Response:
    """Items, finished or not; `complete` says whether all have ended. NDJSON or CSV by `Accept`.

    NDJSON is not limited; `cursor` resumes it too: the `index` of the last line, or in another order its place, from 0.
    Its last line is not `complete` if the batch was deleted meanwhile. CSV is the whole ranking so far: it takes no parameters,
    and the header `Stratopt-Complete` says whether all have ended.
    """
    states = [status] if status else []
    ended = batch.state.is_terminal
    kind = preferred(accept, ("application/json", NDJSON, CSV))
    if kind == NDJSON:
        meta = {"batch_id": batch.batch_id, "status": batch.state.value}
        items = service.results(batch, states=states, sort=sort, cursor=cursor)
        lines = ndjson(meta, items, kind="result", complete=lambda: ended and service.is_there(batch))
        return StreamingResponse(lines, media_type=NDJSON)
    if kind == CSV:
        _refuse_in_csv(request.query_params)
        report = service.report(batch)
        return Response(ResultVisualizer().csv(report), media_type=REPORT_TYPES["csv"], headers=_completeness(report))
    if kind is None:
        raise StratoptError(
            f"results are offered as application/json, {NDJSON} and {CSV}, not {accept}", code="not_acceptable"
        )
    data, following = service.results_page(
        batch, states=states, sort=sort, cursor=cursor, limit=min(limit, LARGEST_PAGE)
    )
    return JsonResponse({"data": data, "complete": ended, "has_more": following is not None, "next_cursor": following})


def _refuse_in_csv(names: Iterable[str]) -> None:
    told = f"; leave it out, or accept application/json or {NDJSON}"
    errors = [
        {
            "pointer": json_pointer(name),
            "detail": f"CSV of results is the whole ranking and does not follow {name!r}{told}",
            "type": "not_in_csv",
            "suggestion": None,
        }
        for name in dict.fromkeys(names)
    ]
    if errors:
        raise StratoptError(str(errors[0]["detail"]), code="validation_failed", errors=errors)


def _completeness(report: BatchAnalysisReport) -> dict[str, str]:
    return {COMPLETE: "true" if report.complete else "false"}


@router.get("/results/{strategy_id}", summary="One result in full", response_model=JobResult)
def get_result(batch: ReadableBatch, strategy_id: str, service: Service) -> Response:
    """By `strategy_id`, or by `job_id` where several series share it."""
    return JsonResponse(result_view(service.job_of(batch, strategy_id)))


@router.get("/results/{strategy_id}/export", summary="One result as a TradingView script")
def get_export(batch: ReadableBatch, strategy_id: str, service: Service, format: Literal["pine"] = "pine") -> Response:
    """Pine Script v6 of the strategy with its best parameters; the comment at its top tells the tests and the verdict.

    The verdict is that of the batch's ranking as it stands. 422 `cannot_be_exported` for strategies of your own and for stops.
    """
    return script_answer(service, batch, service.job_of(batch, strategy_id))


def script_answer(service: OptimizationService, batch: Batch, job: Job) -> Response:
    """A result in Pine Script as a file."""
    name = f"{job.spec.strategy_id}-{job.spec.symbol}-{job.spec.timeframe}.pine"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(service.pine_script(batch, job), media_type=REPORT_TYPES["txt"], headers=headers)


@router.get(
    "/results/{strategy_id}/{table}", summary="Trials, equity or trades of one result", response_model=TablePage
)
def get_table(
    batch: ReadableBatch,
    strategy_id: str,
    table: Literal["trials", "equity", "trades"],
    service: Service,
    max_points: Annotated[int, Query(ge=2, description="Most rows of `equity`.")] = 5000,
    limit: Annotated[int, Query(ge=1, description="Rows of a JSON page, at most 10000.")] = 1000,
    cursor: Annotated[int, Query(ge=0, le=2**31 - 1, description="The row to begin at.")] = 0,
    accept: Annotated[str, Header()] = "*/*",
) -> Response:
    """NDJSON, or by `Accept` a page of JSON or CSV. NDJSON and CSV hold every row from `cursor` on.

    `equity` is thinned to `max_points` rows, the first and the last kept; `cursor` counts what is left.
    """
    kind = preferred(accept, (NDJSON, "application/json", CSV))
    if kind is None:
        raise StratoptError(
            f"tables are offered as {NDJSON}, application/json and {CSV}, not {accept}", code="not_acceptable"
        )
    job = service.job_of(batch, strategy_id)
    name = require_result(job, table)["artifacts"][table]
    tables = service.artifacts.of(batch.batch_id)
    rows = _rows(tables, name, cursor, max_points if table == "equity" else None)
    if kind == NDJSON:
        lines = ndjson({"job_id": job.job_id, "table": table}, rows, kind=table, complete=lambda: True)
        return StreamingResponse(lines, media_type=NDJSON)
    if kind == CSV:
        return StreamingResponse(csv_lines(tables.column_names(name), rows), media_type=REPORT_TYPES["csv"])
    return JsonResponse(_page(rows, cursor, min(limit, LARGEST_TABLE_PAGE)))


def _rows(tables: ArtifactStore, name: str, begin: int, max_points: int | None) -> Iterator[dict[str, Any]]:
    if max_points is None:
        for piece in tables.batches(name, begin=begin):
            yield from piece.to_pylist()
        return
    table: pa.Table = tables.table(name)
    count = min(table.num_rows, max_points)
    keep = [round(i * (table.num_rows - 1) / max(1, count - 1)) for i in range(begin, count)]
    yield from table.take(pa.array(keep, pa.int64())).to_pylist()


def _page(rows: Iterator[dict[str, Any]], begin: int, limit: int) -> dict[str, Any]:
    data = list(islice(rows, limit))
    more = next(rows, None) is not None
    return {"data": data, "has_more": more, "next_cursor": begin + limit if more else None}


@router.get("/events", summary="Follow a batch", response_model=EventPage)
async def get_events(
    batch: ReadableBatch,
    service: Service,
    request: Request,
    caller: Reader,
    last_event_id: Annotated[str | None, Header()] = None,
    limit: Annotated[int, Query(ge=1, description="Events of a JSON page.")] = 200,
    cursor: Annotated[Cursor, Query(description="A JSON page begins after this `seq`.")] = -1,
    accept: Annotated[str, Header()] = "*/*",
) -> Response:
    """Server-sent events: `snapshot`, `progress`, `strategy.started`, `strategy.completed`, `strategy.failed`, `batch.ended`, `shutdown`.

    Ends (of strategies and the batch) have an `id`, from 1 without holes. `strategy.started` is told of what is seen running while
    one reads, and again to who comes back; of a very short job only its end is seen.

    `Last-Event-ID` resumes, and an id that is none of this batch's begins anew; 204 says that nothing is left. `Accept: application/json` gives a page of what ended so far.
    """
    kind = preferred(accept, (EVENT_STREAM, "application/json"))
    if kind is None:
        raise StratoptError(
            f"events are offered as {EVENT_STREAM} and application/json, not {accept}", code="not_acceptable"
        )
    if kind != EVENT_STREAM:
        return JsonResponse(
            await run_in_threadpool(service.events_page, batch, max(0, cursor), min(limit, LARGEST_PAGE))
        )
    store = service.manager.store
    after = await run_in_threadpool(_seen, store, batch.batch_id, last_event_id or "")
    if after and batch.state.is_terminal and not await run_in_threadpool(store.events, batch.batch_id, after_seq=after):
        return Response(status_code=204)
    state = request.app.state
    if request.scope.get(HEAD_ONLY):
        return Response(media_type=EVENT_STREAM)
    stream = batch_events(service, batch, after, is_draining=lambda: state.draining)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(state.streams.count(caller.bucket, stream), media_type=EVENT_STREAM, headers=headers)


def _seen(store: JobStore, batch_id: str, last_event_id: str) -> int:
    """The `seq` of the event that a reader had last, 0 (from the beginning) if the id is none of this batch's."""
    seq = int(last_event_id) if EVENT_ID.fullmatch(last_event_id) else 0
    return seq if seq and store.events(batch_id, after_seq=seq - 1, limit=1) else 0


@router.get("/report", summary="Aggregated report")
def get_report(
    batch: ReadableBatch,
    service: Service,
    request: Request,
    format: Literal["json", "csv", "html", "md", "txt", "pdf"] = "json",
    section: Literal["all", "executive_summary", "leaderboard", "detailed", "errors"] = "all",
    allow_partial: bool = False,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Ranking, verdicts, statistics, executive summary and errors, whole or by `section` (CSV is always whole).

    Before the end 409, unless `allow_partial=true`. A 304 costs no quota. PDF needs the extra `pdf` on the server, else 501 `missing_extra`.
    """
    if not batch.state.is_terminal and not allow_partial:
        raise BatchOptimizationError(
            f"batch {batch.batch_id} is {batch.state}; wait for its end or ask with allow_partial=true",
            code="batch_not_finished",
            batch_id=batch.batch_id,
        )
    shown = "inline" if format in {"html", "json", "txt"} else "attachment"
    headers = {
        "Content-Disposition": f'{shown}; filename="{batch.batch_id}.{format}"',
        "ETag": f'W/"{batch.row_version}-{format}-{section}"',
    }
    if is_known_version(if_none_match, headers["ETag"]):
        return not_modified(request, headers)
    visualizer, report = ResultVisualizer(), service.report(batch)
    headers |= _completeness(report)
    if format == "html":
        headers["Content-Security-Policy"] = REPORT_POLICY
        pages = visualizer.html_parts(report, section)
        return StreamingResponse(pages, media_type=REPORT_TYPES[format], headers=headers)
    render = {"json": visualizer.json, "md": visualizer.markdown, "txt": visualizer.text, "pdf": visualizer.pdf}
    content = visualizer.csv(report) if format == "csv" else render[format](report, section)
    return Response(content, media_type=REPORT_TYPES[format], headers=headers)


@router.get("/errors", summary="Error report", response_model=ErrorReport)
def get_errors(batch: ReadableBatch, service: Service) -> Response:
    """What went wrong so far: by code, by strategy, rate, trend over time, and what to do about it."""
    jobs = service.manager.store.jobs(batch.batch_id, with_results=False)
    service.batch(batch.batch_id)  # an error rather than a report of what a deletion left
    return JsonResponse(error_report(batch, jobs))
