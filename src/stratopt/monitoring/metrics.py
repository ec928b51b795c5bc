"""Prometheus metrics. Labels are bounded: route template, method, status class, state, code; never ids or symbols."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stratopt._version import __version__
from stratopt.monitoring.resources import ResourceGate
from stratopt.optimization.batch_manager import BatchOptimizationManager
from stratopt.optimization.jobs import BatchState, Ending, Job, JobState

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
MEMORY_BYTES = tuple(2.0**power * 2**20 for power in range(7, 15))
DEATHS = ("SIGKILL", "SIGSEGV", "SIGABRT", "SIGBUS", "exit_code", "answer", "factory", "unknown")
"""Kinds of deaths that are shown from the start; other signals when they come."""
JOB_SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)


class Metrics:
    """Everything that is counted, in a registry of its own."""

    def __init__(self) -> None:
        self.shortage: Callable[[], str | None] = lambda: None
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
        self.storage_errors = Counter(
            "stratopt_storage_errors",
            "Writes of the supervisor that failed and requests refused because of the database or the disk.",
            ["code"],
            registry=registry,
        )
        self.worker_deaths = Counter(
            "stratopt_worker_deaths",
            "Workers that died or were dropped during a job, whether it was tried again or not.",
            ["reason"],
            registry=registry,
        )
        self.streams = Gauge("stratopt_event_streams", "Open event streams.", registry=registry)
        self.jobs = Counter("stratopt_jobs", "Jobs that ended.", ["state"], registry=registry)
        self.failures = Counter("stratopt_job_failures", "Jobs without a result, by code.", ["code"], registry=registry)
        self.job_seconds = Histogram(
            "stratopt_job_seconds", "Wall time of a job in its worker.", buckets=JOB_SECONDS, registry=registry
        )
        self.evaluations = Counter("stratopt_evaluations", "Evaluations of ended jobs.", registry=registry)
        self.cpu_seconds = Counter("stratopt_job_cpu_seconds", "CPU time of ended jobs.", registry=registry)
        self.worker_seconds = Counter(
            "stratopt_worker_seconds", "Wall time that workers spent on ended jobs.", registry=registry
        )
        self.job_memory = Histogram(
            "stratopt_job_peak_memory_bytes",
            "Largest memory of a worker during a job.",
            buckets=MEMORY_BYTES,
            registry=registry,
        )
        self.batches = Counter("stratopt_batches", "Batches that ended.", ["state"], registry=registry)
        self.webhook_attempts = Counter(
            "stratopt_webhook_attempts", "Attempts to send a webhook, by outcome.", ["outcome"], registry=registry
        )
        Gauge("stratopt_build_info", "The running release.", ["version"], registry=registry).labels(__version__).set(1)

        for job_state in filter(lambda state: state.is_terminal, JobState):
            self.jobs.labels(job_state.value)
        for batch_state in filter(lambda state: state.is_terminal, BatchState):
            self.batches.labels(batch_state.value)
        for reason in DEATHS:
            self.worker_deaths.labels(reason)

    def expect(self, *, failures: Iterable[str], rejections: Iterable[str]) -> None:
        """Show these codes from the start, at 0: Prometheus's ``increase`` does not see a counter that begins at 1."""
        for code in failures:
            self.failures.labels(code)
        for code in rejections:
            self.rejected.labels(code)
            if _is_of_storage(code):
                self.storage_errors.labels(code)

    def watch(self, manager: BatchOptimizationManager, workers: int, gate: ResourceGate) -> None:
        """Read queue, workers and machine whenever the metrics are asked for."""
        self.shortage = lambda: gate.shortage(manager.workers_busy)
        self.registry.register(_QueueCollector(manager, workers, gate))

    def job_ended(self, job: Job, ending: Ending) -> None:
        """Count an ended job."""
        self.jobs.labels(ending.state.value).inc()
        if ending.failure:
            self.failures.labels(ending.failure.code).inc()
        if "wall_seconds" in ending.resources:
            self.job_seconds.observe(float(ending.resources["wall_seconds"]))
        if "peak_memory_bytes" in ending.resources:
            self.job_memory.observe(float(ending.resources["peak_memory_bytes"]))
        self.worker_seconds.inc(float(ending.resources.get("wall_seconds", 0.0)))
        self.cpu_seconds.inc(float(ending.resources.get("cpu_seconds", 0.0)))
        self.evaluations.inc(float(ending.resources.get("evaluations", 0)))

    def refused(self, code: str) -> None:
        """Count a request that a limit refused."""
        self.rejected.labels(code).inc()
        if _is_of_storage(code):
            self.storage_errors.labels(code).inc()

    def storage_failed(self, code: str) -> None:
        """Count a write of the supervisor that failed; it is tried again."""
        self.storage_errors.labels(code).inc()

    def worker_died(self, kind: str) -> None:
        """Count the death of a worker, by its kind (``Died``)."""
        self.worker_deaths.labels(kind).inc()

    def batch_ended(self, batch_id: str, state: BatchState) -> None:
        """Count an ended batch."""
        self.batches.labels(state.value).inc()

    def webhook_attempt(self, outcome: str) -> None:
        """Count an attempt to send a webhook."""
        self.webhook_attempts.labels(outcome).inc()

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)


def _is_of_storage(code: str) -> bool:
    return code.startswith("storage_")


class _QueueCollector(Collector):
    def __init__(self, manager: BatchOptimizationManager, workers: int, gate: ResourceGate) -> None:
        self._manager = manager
        self._workers = workers
        self._gate = gate

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Measure now."""
        live = self._manager.store.unfinished()
        busy, usage = self._manager.workers_busy, self._manager.usage().values()

        def running(name: str) -> float:
            return sum(used.get(name, 0.0) for used in usage)

        waiting = (batch.created_at for batch in live if batch.counts["queued"] and batch.started_at is None)
        oldest = min(waiting, default=None)
        figures = {
            "stratopt_queue_depth": ("Jobs that wait.", sum(batch.counts["queued"] for batch in live)),
            "stratopt_queue_oldest_seconds": (
                "Age of the oldest batch of which no job has started.",
                0.0 if oldest is None else time.time() - oldest,
            ),
            "stratopt_batches_active": ("Batches that have not ended.", len(live)),
            "stratopt_workers_busy": ("Workers with a job.", busy),
            "stratopt_workers": ("Workers there may be.", self._workers),
            "stratopt_worker_utilisation": ("Share of the workers with a job.", busy / self._workers),
            "stratopt_worker_memory_bytes": ("Memory of workers with a job.", running("memory_bytes")),
            "stratopt_evaluations_per_second": ("Speed of running jobs.", running("evaluations_per_second")),
        }
        for name, (text, value) in figures.items():
            yield GaugeMetricFamily(name, text, value=value)
        slowed = GaugeMetricFamily("stratopt_admission_slowed", "1 while jobs wait for the machine.", labels=["reason"])
        shortage = self._gate.shortage(busy)
        for reason in ("memory", "cpu"):
            slowed.add_metric([reason], float(shortage == reason))
        yield slowed
