"""The composition root: the only place that joins concrete classes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

from stratopt.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI
    from opentelemetry.sdk.trace import TracerProvider

    from stratopt.api.services.optimization_service import OptimizationService
    from stratopt.api.services.webhook_service import WebhookService
    from stratopt.monitoring.metrics import Metrics
    from stratopt.monitoring.tracing import BatchSpans
    from stratopt.optimization.api_keys import ApiKeyStore
    from stratopt.optimization.artifacts import ArtifactFolders
    from stratopt.optimization.drain_rate import DrainRate
    from stratopt.optimization.job_store import JobStore
    from stratopt.optimization.jobs import BatchState, Ending, Job
    from stratopt.optimization.series_access import SeriesAccess
    from stratopt.optimization.slots import SlotExecutor
    from stratopt.optimization.webhooks.messages import WebhookStore
    from stratopt.optimization.webhooks.sender import RetryPolicy, WebhookSender
    from stratopt.strategies.catalogue import StrategyCatalogue

LEAST_SHARE_BYTES = 2**30


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the doors are built on; the service's manager is not started."""

    service: OptimizationService
    strategies: StrategyCatalogue
    keys: ApiKeyStore
    metrics: Metrics
    sender: WebhookSender | None = None
    tracer_provider: TracerProvider | None = None


def make_parts(settings: Settings, *, market_dir: Path | None = None, workers_now: bool = False) -> Parts:
    """A service on SQLite and local worker processes; market data may live elsewhere than its state.

    ``workers_now`` starts their factory before anything else is imported; it ends with the calling thread.
    """
    from stratopt.optimization.slots import SlotExecutor

    executor = SlotExecutor(
        settings.workers,
        memory_limit_bytes=worker_memory_bytes(settings),
        recycle_after=settings.recycle_worker_after_jobs,
        set_up=("stratopt.monitoring.worker_log:configure_worker_log", settings.log_level),
    )
    if workers_now:
        executor.open()
    from stratopt.monitoring.crash_points import CrashPoint
    from stratopt.storage.dialects import sqlite_engines
    from stratopt.storage.migrate import migrate
    from stratopt.storage.sql_api_key_store import SqlApiKeyStore
    from stratopt.storage.sql_job_store import SqlJobStore
    from stratopt.storage.sql_webhook_store import SqlWebhookStore

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    writer, reader = sqlite_engines(settings.database_path, settings.database_max_pages)
    migrate(writer)
    store = SqlJobStore(writer, reader, reach=CrashPoint(settings.crash_point).reach)
    keys, webhooks = SqlApiKeyStore(writer, reader), SqlWebhookStore(writer, reader)
    return _assemble(settings, store, keys, webhooks, market_dir or settings.data_dir, executor)


def worker_memory_bytes(settings: Settings) -> int | None:
    """The limit of one worker; None for no limit. What all of them may have together fits into the machine, or they are many and small."""
    from stratopt.monitoring.resources import usable_memory_bytes

    megabytes = settings.worker_memory_limit_megabytes
    if megabytes is None:
        return max(LEAST_SHARE_BYTES, usable_memory_bytes() // settings.workers)
    return megabytes * 2**20 or None


def _assemble(
    settings: Settings,
    store: JobStore,
    keys: ApiKeyStore,
    webhook_store: WebhookStore,
    market_dir: Path,
    executor: SlotExecutor,
) -> Parts:
    from stratopt.api.services.optimization_service import OptimizationService
    from stratopt.api.services.planning import Limits, Planner
    from stratopt.market.catalogue import Catalogue
    from stratopt.monitoring.metrics import Metrics
    from stratopt.monitoring.resources import ResourceGate, free_disk_bytes
    from stratopt.monitoring.tracing import BatchSpans, exporting_provider
    from stratopt.optimization.artifacts import ArtifactFolders
    from stratopt.optimization.batch_manager import BatchOptimizationManager
    from stratopt.optimization.drain_rate import DrainRate
    from stratopt.optimization.job_store import QueueLimits
    from stratopt.optimization.listener import Listener
    from stratopt.optimization.retention import Retention
    from stratopt.optimization.series_access import SeriesAccess
    from stratopt.strategies.catalogue import StrategyCatalogue

    series = SeriesAccess(Catalogue(market_dir))
    strategies = StrategyCatalogue.with_own(settings.strategy_folder)
    artifacts, metrics = ArtifactFolders(settings.artifact_folder), Metrics()
    provider = exporting_provider() if settings.traces else None
    gate = ResourceGate(
        minimum_free_bytes=settings.minimum_free_memory_megabytes * 2**20,
        maximum_load_per_core=settings.maximum_load_per_core,
    )
    webhooks = _webhooks(settings, webhook_store)
    sender = _sender(settings, webhooks, metrics) if settings.webhooks else None
    _sweep(settings.checkpoint_folder, store)
    artifacts.sweep(store.batch_ids())
    drain_rate = DrainRate()
    ends = _Ends(metrics, BatchSpans(provider, store.batch), settings.checkpoint_folder, artifacts, drain_rate, sender)
    manager = BatchOptimizationManager(
        store,
        executor,
        _payloads(settings, series),
        limits=QueueLimits(
            max_queued_jobs=settings.max_queued_jobs,
            max_active_batches=settings.max_active_batches,
            minimum_free_disk_bytes=settings.minimum_free_disk_megabytes * 2**20,
            free_disk_bytes=lambda: free_disk_bytes(settings.data_dir),
            seconds_until_room=drain_rate.seconds_until,
        ),
        retention=Retention(
            store,
            settings.retention_seconds,
            forget=artifacts.delete,
            tidy=_old_messages_removed(settings, webhook_store),
        ),
        may_dispatch=gate.has_room,
        listener=Listener(
            job_ended=ends.of_job,
            batch_ended=ends.of_batch,
            storage_failed=metrics.storage_failed,
            worker_died=metrics.worker_died,
        ),
        announcement=webhooks.announcement,
    )
    metrics.watch(manager, settings.workers, gate)
    limits = Limits(
        max_jobs=settings.max_jobs, max_evaluations=settings.max_evaluations, max_parallel_jobs=settings.workers
    )
    ends.service = service = OptimizationService(
        manager=manager,
        planner=Planner(strategies, series, limits, webhooks.named),
        artifacts=artifacts,
        webhooks=webhooks,
        retention_seconds=settings.retention_seconds,
    )
    return Parts(
        service=service, strategies=strategies, keys=keys, metrics=metrics, sender=sender, tracer_provider=provider
    )


def _payloads(settings: Settings, series: SeriesAccess) -> Callable[[Job], Mapping[str, Any]]:
    """What a worker is given to run a job."""
    folder = None if settings.strategy_folder is None else str(settings.strategy_folder.resolve())

    def payload(job: Job) -> Mapping[str, Any]:
        return {
            "job": job.spec.to_dict(),
            "bars": series.locate(job.spec.symbol, job.spec.timeframe),
            "other_bars": [series.locate(other, job.spec.timeframe) for other in series.others(job.spec)],
            "strategy_folder": folder,
            "artifact_folder": str(settings.artifact_folder / job.batch_id),
            "checkpoint_folder": str(settings.checkpoint_folder / job.batch_id / job.job_id),
            "checkpoint_seconds": settings.checkpoint_seconds,
        }

    return payload


@dataclass
class _Ends:
    """What follows the end of a job or a batch; ``service`` comes last, for it is built on what tells of the ends."""

    metrics: Metrics
    spans: BatchSpans
    checkpoints: Path
    artifacts: ArtifactFolders
    drain_rate: DrainRate
    sender: WebhookSender | None
    service: OptimizationService | None = None

    def of_job(self, job: Job, ending: Ending) -> None:
        self.metrics.job_ended(job, ending)
        self.spans.job_ended(job, ending)
        assert self.service is not None
        self.service.durations.note(job, ending)
        self.drain_rate.note(ending)
        rmtree(self.checkpoints / job.batch_id / job.job_id, ignore_errors=True)

    def of_batch(self, batch_id: str, state: BatchState) -> None:
        self.metrics.batch_ended(batch_id, state)
        self.spans.batch_ended(batch_id, state)
        rmtree(self.checkpoints / batch_id, ignore_errors=True)
        self.artifacts.of(batch_id).tidy()
        assert self.service is not None
        self.service.prepare_report(batch_id)
        if self.sender is not None:
            self.sender.wake()


def _sweep(checkpoints: Path, store: JobStore) -> None:
    """Remove what is left of batches that have ended or are gone: a server may have been killed before it did."""
    for folder in checkpoints.glob("*"):
        batch = store.batch(folder.name)
        if batch is None or batch.state.is_terminal:
            rmtree(folder, ignore_errors=True)


def _webhooks(settings: Settings, store: WebhookStore) -> WebhookService:
    from stratopt.api.services.webhook_service import WebhookService
    from stratopt.optimization.webhooks.addresses import AddressPolicy, parse_networks

    policy = AddressPolicy(
        allow_http=settings.webhook_allow_http, allowed_networks=parse_networks(settings.webhook_allowed_networks)
    )
    return WebhookService(store=store, addresses=policy, enabled=settings.webhooks)


def _sender(settings: Settings, webhooks: WebhookService, metrics: Metrics) -> WebhookSender:
    from stratopt.optimization.webhooks.sender import WebhookSender

    return WebhookSender(webhooks.store, webhooks.addresses, _retries(settings), on_attempt=metrics.webhook_attempt)


def _retries(settings: Settings) -> RetryPolicy:
    from stratopt.optimization.webhooks.sender import RetryPolicy

    return RetryPolicy(
        timeout_seconds=settings.webhook_timeout_seconds,
        max_attempts=settings.webhook_max_attempts,
        first_pause_seconds=settings.webhook_first_pause_seconds,
    )


def _old_messages_removed(settings: Settings, store: WebhookStore) -> Callable[[float], object]:
    """Keeps messages as long as batches after their end; one that was given up counts from its last possible attempt."""
    kept, tried = settings.retention_seconds, _retries(settings).longest_seconds
    return lambda now: store.prune(delivered_before=now - kept, dead_created_before=now - kept - tried)


def make_server_app(settings: Settings, parts: Parts | None = None) -> FastAPI:
    """The HTTP application."""
    from stratopt.api.app import AppLimits, make_app
    from stratopt.api.security import Gatekeeper

    parts = parts or make_parts(settings)
    limits = AppLimits(
        max_body_bytes=settings.max_body_bytes,
        max_streams=settings.max_streams,
        submissions_per_minute=settings.submissions_per_minute,
        reads_per_minute=settings.reads_per_minute,
        allowed_hosts=frozenset(host.strip() for host in settings.allowed_hosts.split(",")),
    )
    return make_app(
        parts.service,
        parts.strategies,
        gatekeeper=Gatekeeper(parts.keys),
        metrics=parts.metrics,
        limits=limits,
        docs=settings.docs,
        sender=parts.sender,
        tracer_provider=parts.tracer_provider,
    )


def open_key_store(settings: Settings) -> ApiKeyStore:
    """The API keys of a data directory."""
    from stratopt.storage.dialects import sqlite_engines
    from stratopt.storage.migrate import migrate
    from stratopt.storage.sql_api_key_store import SqlApiKeyStore

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    writer, reader = sqlite_engines(settings.database_path)
    migrate(writer)
    return SqlApiKeyStore(writer, reader)


@contextmanager
def local_service() -> Iterator[OptimizationService]:
    """A running service in this process; its state lives in a temporary folder and ends with it."""
    settings = Settings()
    with tempfile.TemporaryDirectory(prefix="stratopt-") as folder:
        temporary = settings.model_copy(update={"data_dir": Path(folder)})
        service = make_parts(temporary, market_dir=settings.data_dir).service
        service.manager.start()
        try:
            yield service
        finally:
            service.close()
