"""Prometheus metrics. Labels are bounded: route template, method, status class, state, code; never ids or symbols."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stratopt._version import __version__
from stratopt.optimization.batch_manager import BatchOptimizationManager
from stratopt.optimization.jobs import BatchState, Ending, Job

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
JOB_SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)


class Metrics:
    """Everything that is counted, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.requests = Counter(
            "stratopt_http_requests", "Requests answered.", ["route", "method", "status"], registry=registry
        )
        self.latency = Histogram(
            "stratopt_http_request_seconds",
            "Time to the end of an answer, streams left out.",
            ["route", "method"],
            buckets=SECONDS,
            registry=registry,
        )
        self.rejected = Counter(
            "stratopt_requests_rejected", "Requests refused by a limit.", ["code"], registry=registry
        )
        self.streams = Gauge("stratopt_event_streams", "Open event streams.", registry=registry)
        self.jobs = Counter("stratopt_jobs", "Jobs that ended.", ["state"], registry=registry)
        self.failures = Counter("stratopt_job_failures", "Jobs without a result, by code.", ["code"], registry=registry)
        self.job_seconds = Histogram(
            "stratopt_job_seconds", "Wall time of a job in its worker.", buckets=JOB_SECONDS, registry=registry
        )
        self.evaluations = Counter("stratopt_evaluations", "Evaluations of finished jobs.", registry=registry)
        self.batches = Counter("stratopt_batches", "Batches that ended.", ["state"], registry=registry)
        self.webhook_attempts = Counter(
            "stratopt_webhook_attempts", "Attempts to send a webhook, by outcome.", ["outcome"], registry=registry
        )
        Gauge("stratopt_build_info", "The running release.", ["version"], registry=registry).labels(__version__).set(1)

    def watch(self, manager: BatchOptimizationManager, workers: int) -> None:
        """Read queue and workers whenever the metrics are asked for."""
        self.registry.register(_QueueCollector(manager, workers))

    def job_ended(self, job: Job, ending: Ending) -> None:
        """Count an ended job."""
        self.jobs.labels(ending.state.value).inc()
        if ending.failure:
            self.failures.labels(ending.failure.code).inc()
        if "wall_seconds" in ending.resources:
            self.job_seconds.observe(float(ending.resources["wall_seconds"]))
        if ending.result is not None:
            self.evaluations.inc(float(ending.result["search"]["evaluations"]))

    def batch_ended(self, batch_id: str, state: BatchState) -> None:
        """Count an ended batch."""
        self.batches.labels(state.value).inc()

    def webhook_attempt(self, outcome: str) -> None:
        """Count an attempt to send a webhook."""
        self.webhook_attempts.labels(outcome).inc()

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)


class _QueueCollector(Collector):
    def __init__(self, manager: BatchOptimizationManager, workers: int) -> None:
        self._manager = manager
        self._workers = workers

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Measure now."""
        live = self._manager.store.unfinished()
        oldest = min((batch.created_at for batch in live if batch.counts["queued"]), default=None)
        figures = {
            "stratopt_queue_depth": ("Jobs that wait.", sum(batch.counts["queued"] for batch in live)),
            "stratopt_queue_oldest_seconds": (
                "Age of the oldest waiting batch.",
                0.0 if oldest is None else time.time() - oldest,
            ),
            "stratopt_batches_active": ("Batches that have not ended.", len(live)),
            "stratopt_workers_busy": ("Workers with a job.", self._manager.workers_busy),
            "stratopt_workers": ("Workers there may be.", self._workers),
        }
        for name, (text, value) in figures.items():
            yield GaugeMetricFamily(name, text, value=value)
