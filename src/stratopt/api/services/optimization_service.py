"""Between the wire and the domain: submissions, status, results, reports. No search logic, no HTTP."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from uuid import uuid4

import orjson

from stratopt.api.services.doomed_jobs import doomed_jobs
from stratopt.api.services.planning import Plan, Planner, evaluations_of
from stratopt.api.services.report_cache import ReportCache
from stratopt.api.services.result_order import SortKey, ordered_ids
from stratopt.api.services.views import batch_view, result_view
from stratopt.api.services.webhook_service import WebhookService
from stratopt.export.pine import export_pine
from stratopt.monitoring.tracing import current_traceparent
from stratopt.optimization.artifacts import ArtifactFolders
from stratopt.optimization.batch_manager import BatchOptimizationManager
from stratopt.optimization.batch_report import BatchAnalysisReport
from stratopt.optimization.batch_statistics import warm_up
from stratopt.optimization.batch_summary import BatchScope
from stratopt.optimization.durations import Durations
from stratopt.optimization.exceptions import BatchOptimizationError
from stratopt.optimization.job_store import IdempotencyKey
from stratopt.optimization.jobs import (
    Batch,
    BatchId,
    BatchState,
    ExpiredBatch,
    Job,
    JobId,
    JobState,
    counts_of_new_batch,
)
from stratopt.optimization.result_aggregator import ResultAggregator
from stratopt.wire.base import rfc3339
from stratopt.wire.optimization import BatchRequest, SingleRequest

DEFAULT_DEADLINE_MINUTES = 240.0
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, kw_only=True)
class OptimizationService:
    """What the endpoints, the CLI's in-process mode and the Python functions share."""

    manager: BatchOptimizationManager
    planner: Planner
    artifacts: ArtifactFolders
    webhooks: WebhookService
    retention_seconds: float
    reports: ReportCache = field(default_factory=ReportCache)
    durations: Durations = field(default_factory=Durations)

    # ---- submission

    def plan(self, request: BatchRequest | SingleRequest) -> dict[str, Any]:
        """What a request would do: the resolved configuration of every job, evaluations, time, warnings. Nothing is stored."""
        plan = self.planner.batch(request) if isinstance(request, BatchRequest) else self.planner.single(request)
        planned = [(spec, evaluations_of(spec)) for spec in plan.specs]
        work = [(spec.timeframe, evaluations) for spec, evaluations in planned]
        estimate = self.durations.estimate(work, plan.parallel_jobs)
        return {
            "valid": True,
            "jobs": [
                {"strategy_id": spec.strategy_id, "config": spec.to_dict(), "evaluations": evaluations}
                for spec, evaluations in planned
            ],
            "evaluations_total": sum(evaluations for _, evaluations in planned),
            "time_estimate": None if estimate is None else asdict(estimate),
            "parallel_jobs": {"requested": plan.requested_parallel_jobs, "effective": plan.parallel_jobs},
            "warnings": [*plan.warnings, *doomed_jobs(plan.specs, self.planner.strategies, self.planner.market)],
        }

    def submit_batch(
        self, request: BatchRequest, *, owner: str = "", idempotency_key: str | None = None
    ) -> tuple[Batch, bool]:
        """Store and start a batch; the second value says whether an earlier one with the same key is returned."""
        document = request.model_dump(mode="json", exclude_none=True)
        promised = _promised(owner, "/optimize/batch", idempotency_key, document)
        if earlier := self._earlier(promised):
            return earlier, True
        plan = self.planner.batch(request)
        if plan.webhook_id:
            document["webhook"] = plan.webhook_id
        return self._submit(self._batch(plan, document, owner=owner, request=request), plan, promised)

    def submit_single(
        self, request: SingleRequest, *, owner: str = "", idempotency_key: str | None = None
    ) -> tuple[Batch, bool]:
        """Store and start one strategy as a batch of one."""
        document = request.model_dump(mode="json", exclude_none=True)
        promised = _promised(owner, "/optimize/single", idempotency_key, document)
        if earlier := self._earlier(promised):
            return earlier, True
        plan = self.planner.single(request)
        return self._submit(self._batch(plan, document, owner=owner), plan, promised)

    def _earlier(self, promised: IdempotencyKey | None) -> Batch | None:
        """What the key made, before anything of the request is looked at: what it names may be gone by now."""
        return None if promised is None else self.manager.store.earlier(promised, time.time())

    def _batch(
        self, plan: Plan, document: Mapping[str, Any], *, owner: str, request: BatchRequest | None = None
    ) -> Batch:
        now = time.time()
        minutes = request.deadline_minutes if request else None
        return Batch(
            batch_id=BatchId(f"bat_{uuid4().hex}"),
            state=BatchState.QUEUED,
            counts=counts_of_new_batch(len(plan.specs)),
            request=document,
            parallel_jobs=plan.parallel_jobs,
            seed=plan.seed,
            label=request.label if request else None,
            metadata=(request.metadata if request else None) or {},
            warnings=tuple(plan.warnings),
            priority=(request.priority if request else None) or 0,
            owner=owner,
            deadline_seconds=(minutes or DEFAULT_DEADLINE_MINUTES) * 60,
            created_at=now,
            traceparent=current_traceparent(),
            expires_at=now + self.retention_seconds,
            scope=BatchScope.of(plan.specs),
        )

    def _submit(self, batch: Batch, plan: Plan, promised: IdempotencyKey | None) -> tuple[Batch, bool]:
        jobs = [
            Job(
                job_id=JobId(f"job_{uuid4().hex}"),
                batch_id=batch.batch_id,
                index=i,
                spec=spec,
                evaluations_total=evaluations_of(spec),
                created_at=batch.created_at,
            )
            for i, spec in enumerate(plan.specs)
        ]
        submitted = self.manager.submit(batch, jobs, promised)
        self.reports.in_background(warm_up)
        return submitted.batch, submitted.replayed

    def close(self) -> None:
        """Stop the workers and whatever else runs; what was running is requeued at the next start."""
        self.manager.stop()
        self.reports.close()
        self.manager.store.close()

    # ---- look-ups

    def batch(self, batch_id: str, *, owner: str | None = None) -> Batch:
        """The batch, or BatchOptimizationError ``not_found`` or ``batch_expired``; another owner's batch does not exist."""
        batch = self.manager.store.batch(batch_id)
        if batch is not None and owner in (None, batch.owner):
            return batch
        gone = self.manager.store.expired_batch(batch_id)
        if gone is not None and owner in (None, gone.owner):
            raise self._expired(gone)
        raise BatchOptimizationError(f"there is no batch {batch_id!r}", code="not_found", batch_id=batch_id)

    def _expired(self, gone: ExpiredBatch) -> BatchOptimizationError:
        when, days = rfc3339(gone.expired_at), self.retention_seconds / DAY_SECONDS
        return BatchOptimizationError(
            f"batch {gone.batch_id} expired at {when} and was removed with its results; this server keeps finished batches for "
            f"{days:g} days, which its operator sets with retention_days (STRATOPT_RETENTION_DAYS)",
            code="batch_expired",
            batch_id=gone.batch_id,
            expired_at=when,
            retention_days=days,
        )

    def is_there(self, batch: Batch) -> bool:
        """Whether the batch has not been deleted since it was read."""
        return self.manager.store.batch(batch.batch_id) is not None

    def view(self, batch: Batch) -> dict[str, Any]:
        """The status document of a batch."""
        store = self.manager.store
        waiting = batch.state is BatchState.QUEUED
        return batch_view(
            batch,
            evaluations=store.evaluations(batch.batch_id),
            queue_position=store.position(batch.batch_id) if waiting else None,
            usage=list(self.manager.usage(batch.batch_id).values()),
            now=time.time(),
        )

    def job(self, job_id: str, *, owner: str | None = None) -> Job:
        """One job by its id."""
        job = self.manager.store.job(job_id)
        if job is None:
            raise BatchOptimizationError(f"there is no job {job_id!r}", code="not_found", job_id=job_id)
        self.batch(job.batch_id, owner=owner)
        return job

    def job_of(self, batch: Batch, name: str) -> Job:
        """The job of a batch by ``job_id``, or by ``strategy_id`` where that names one job."""
        found = self.manager.store.jobs(batch.batch_id, name=name, with_results=False)
        if not found:
            raise BatchOptimizationError(
                f"batch {batch.batch_id} has no strategy or job {name!r}", code="not_found", batch_id=batch.batch_id
            )
        if len(found) > 1:
            candidates = [{"job_id": j.job_id, "symbol": j.spec.symbol, "timeframe": j.spec.timeframe} for j in found]
            raise BatchOptimizationError(
                f"strategy_id {name!r} names {len(found)} jobs; use a job_id",
                code="ambiguous_strategy_id",
                candidates=candidates,
            )
        return self.job(found[0].job_id)

    def results(
        self,
        batch: Batch,
        *,
        states: Sequence[JobState] = (),
        sort: SortKey = "index",
        cursor: int = -1,
        page: int = 200,
    ) -> Iterator[dict[str, Any]]:
        """Items of a batch after ``cursor`` (-1 begins) in the order of ``sort``, read page by page.

        They end early when the batch is deleted meanwhile: ``is_there`` tells.
        """
        if sort != "index":
            ids = self._ordered(batch, states, sort)[cursor + 1 :]
            found = (self.manager.store.job(job_id) for job_id in ids)
            yield from (result_view(job, full=False) for job in found if job is not None)
            return
        after = cursor
        while jobs := self.manager.store.jobs(batch.batch_id, states=states, after_index=after, limit=page):
            yield from (result_view(job, full=False) for job in jobs)
            after = jobs[-1].index

    def results_page(
        self, batch: Batch, *, states: Sequence[JobState], sort: SortKey, cursor: int, limit: int
    ) -> tuple[list[dict[str, Any]], int | None]:
        """At most ``limit`` items after ``cursor`` (-1 begins), and the cursor of what follows, None at the end.

        BatchOptimizationError as ``batch`` where the batch was deleted meanwhile.
        """
        if sort == "index":
            jobs = self.manager.store.jobs(batch.batch_id, states=states, after_index=cursor, limit=limit + 1)
            page, last = jobs[:limit], jobs[:limit][-1].index if jobs else cursor
            more = len(jobs) > limit
        else:
            ids = self._ordered(batch, states, sort)[cursor + 1 :]
            page, last = [self.job(job_id) for job_id in ids[:limit]], cursor + limit
            more = len(ids) > limit
        self.batch(batch.batch_id)  # an error rather than a page of what a deletion left
        return [result_view(job, full=False) for job in page], last if more else None

    def _ordered(self, batch: Batch, states: Sequence[JobState], sort: SortKey) -> list[str]:
        def ranks() -> dict[str, int]:
            return {item.job_id: item.rank for item in self.report(batch).ranking}

        return ordered_ids(self.manager.store, batch, sort, states=states, ranks=ranks)

    def events_page(self, batch: Batch, after_seq: int, limit: int) -> dict[str, Any]:
        """At most ``limit`` events after ``after_seq``; ``complete`` says that the batch has ended and nothing follows."""
        found = self.manager.store.events(batch.batch_id, after_seq=after_seq, limit=limit + 1)
        page, more = found[:limit], len(found) > limit
        data = [
            {"seq": e.seq, "event": e.kind, "created_at": rfc3339(e.created_at), "data": dict(e.data)} for e in page
        ]
        last = page[-1].seq if page else after_seq
        return {"data": data, "complete": batch.state.is_terminal and not more, "has_more": more, "next_cursor": last}

    def prepare_report(self, batch_id: str) -> None:
        """Begin to make the report of a batch that has ended, so that its first reader does not wait."""

        def prepare() -> None:
            batch = self.manager.store.batch(batch_id)
            if batch is not None:  # it may have been deleted at once
                self.report(batch)

        self.reports.in_background(prepare)

    def report(self, batch: Batch) -> BatchAnalysisReport:
        """The aggregated report over what has ended so far; BatchOptimizationError as ``batch`` where it was deleted meanwhile."""
        return self.reports.get(batch, lambda: self._aggregated(batch))

    def _aggregated(self, batch: Batch) -> BatchAnalysisReport:
        try:
            jobs = self.manager.store.jobs(batch.batch_id)
            return ResultAggregator().aggregate(batch, jobs, self.artifacts.of(batch.batch_id))
        finally:
            self.batch(batch.batch_id)  # an error rather than a report of what a deletion left

    def pine_script(self, batch: Batch, job: Job) -> str:
        """A job's result in Pine Script, with its verdict in the batch's report as it stands.

        BatchOptimizationError ``batch_not_finished`` or ``not_found`` where there is no result, ExportError ``cannot_be_exported``.
        """
        result = require_result(job, "script")
        row = next((row for row in self.report(batch).ranking if row.job_id == job.job_id), None)
        verdict = None if row is None else {"verdict": row.verdict, "verdict_reasons": row.verdict_reasons}
        return export_pine(result, verdict=verdict)

    # ---- changes

    def retry(self, batch: Batch, *, owner: str = "", idempotency_key: str | None = None) -> tuple[Batch, bool]:
        """A new batch of the jobs that did not succeed, with everything else as it was asked for; replays as ``submit_batch``."""
        promised = _promised(owner, f"/optimize/batch/{batch.batch_id}/retry", idempotency_key, {})
        if earlier := self._earlier(promised):
            return earlier, True
        jobs = [
            job
            for job in self.manager.store.jobs(batch.batch_id, with_results=False)
            if job.state in (JobState.FAILED, JobState.TIMED_OUT, JobState.CANCELLED)
        ]
        if not batch.state.is_terminal:
            raise BatchOptimizationError(
                f"batch {batch.batch_id} is {batch.state}; wait for its end or cancel it",
                code="batch_running",
                batch_id=batch.batch_id,
            )
        if not jobs:
            raise BatchOptimizationError(
                f"every job of batch {batch.batch_id} succeeded; there is nothing to retry",
                code="nothing_to_retry",
                batch_id=batch.batch_id,
            )
        plan = Plan(
            specs=[job.spec for job in jobs],
            parallel_jobs=batch.parallel_jobs,
            requested_parallel_jobs=None,
            seed=batch.seed,
        )
        again = replace(
            self._batch(plan, {**batch.request, "retry_of": batch.batch_id}, owner=owner),
            label=batch.label,
            metadata=batch.metadata,
            priority=batch.priority,
            deadline_seconds=batch.deadline_seconds,
        )
        return self._submit(again, plan, promised)

    def delete(self, batch: Batch) -> None:
        """Remove a finished batch with its tables."""
        self.manager.delete(batch.batch_id)


def _promised(owner: str, path: str, key: str | None, document: Mapping[str, Any]) -> IdempotencyKey | None:
    """The key of a request, with the hash of ``document`` as it was sent."""
    if key is None:
        return None
    body_hash = hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return IdempotencyKey(owner=owner, path=path, key=key, body_hash=body_hash)


def require_result(job: Job, wanted: str) -> Mapping[str, Any]:
    """A job's result; BatchOptimizationError where there is none, or none yet, to read ``wanted`` from."""
    if job.result is None:
        code = "not_found" if job.state.is_terminal else "batch_not_finished"
        raise BatchOptimizationError(
            f"job {job.job_id} is {job.state} and has no {wanted}", code=code, job_id=job.job_id
        )
    return job.result
