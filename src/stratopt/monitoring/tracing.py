"""Optional OpenTelemetry: a span for each batch and each job, and the trace in every log line. Nothing happens without a provider."""

from __future__ import annotations

import threading
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from stratopt._version import __version__
from stratopt.errors import StratoptError
from stratopt.optimization.jobs import Batch, BatchState, Ending, Job, JobState

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

NANOSECONDS = 1_000_000_000
W3C = TraceContextTextMapPropagator()


def exporting_provider() -> TracerProvider:
    """A provider that sends spans by OTLP; the standard ``OTEL_*`` variables say where to. StratoptError without the extra."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise StratoptError(
            "STRATOPT_TRACES needs OpenTelemetry's SDK: pip install 'stratopt[otel]'", code="missing_extra"
        ) from error
    provider = TracerProvider(resource=Resource.create({"service.name": "stratopt", "service.version": __version__}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def current_traceparent() -> str | None:
    """The span that this code runs in, as the header of W3C Trace Context; None where there is none."""
    carrier: dict[str, str] = {}
    W3C.inject(carrier)
    return carrier.get("traceparent")


class BatchSpans:
    """Spans of batches with those of their jobs in them; a batch that a restart cut in two has two.

    A batch is a trace of its own, for it may end hours after the request that submitted it; a link leads to that request's span.
    ``find`` looks a batch up.
    """

    def __init__(self, provider: TracerProvider | None, find: Callable[[str], Batch | None]) -> None:
        self._tracer = None if provider is None else provider.get_tracer("stratopt", __version__)
        self._find = find
        self._open: dict[str, Span] = {}
        self._lock = threading.Lock()

    def job_ended(self, job: Job, ending: Ending) -> None:
        """Tell the span of an ended job."""
        if self._tracer is None:
            return
        spec, began = job.spec, job.started_at or job.created_at
        span = self._tracer.start_span(
            "job",
            context=trace.set_span_in_context(self._batch_span(job)),
            start_time=int(began * NANOSECONDS),
            attributes={
                "stratopt.job_id": job.job_id,
                "stratopt.strategy": spec.strategy,
                "stratopt.symbol": spec.symbol,
                "stratopt.timeframe": spec.timeframe,
                "stratopt.state": ending.state.value,
                "stratopt.attempts": job.attempts,
                "stratopt.cpu_seconds": float(ending.resources.get("cpu_seconds", 0.0)),
            },
        )
        if ending.state is not JobState.SUCCEEDED and ending.failure is not None:
            span.set_status(Status(StatusCode.ERROR, ending.failure.code))
        span.end()

    def batch_ended(self, batch_id: str, state: BatchState) -> None:
        """End the span of a batch."""
        with self._lock:
            span = self._open.pop(batch_id, None)
        if span is not None:
            span.set_attribute("stratopt.state", state.value)
            span.end()

    def _batch_span(self, job: Job) -> Span:
        assert self._tracer is not None
        with self._lock:
            if job.batch_id not in self._open:
                self._open[job.batch_id] = self._tracer.start_span(
                    "batch",
                    context=Context(),
                    start_time=int(job.created_at * NANOSECONDS),
                    attributes={"stratopt.batch_id": job.batch_id},
                    links=_links(self._find(job.batch_id)),
                )
            return self._open[job.batch_id]


def _links(batch: Batch | None) -> list[Link]:
    """To the span of the request that submitted the batch, if that had one."""
    if batch is None or batch.traceparent is None:
        return []
    submitted = trace.get_current_span(W3C.extract({"traceparent": batch.traceparent}, Context())).get_span_context()
    return [Link(submitted)] if submitted.is_valid else []


def add_trace(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The trace that a log line belongs to, if there is one."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event
