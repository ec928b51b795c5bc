"""The span of a batch leads to the request that submitted it, also when the server was restarted in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from stratopt.bootstrap import Parts, make_parts, make_server_app
from stratopt.monitoring.tracing import BatchSpans
from stratopt.optimization.jobs import BatchState, Ending, JobState
from stratopt.settings import Settings

BODY = {"strategies": ["RSI"], "common_config": {"asset": "BTC", "optimization_config": {"max_evals": 3}}}
CALLER_TRACE, CALLER_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> Iterator[TracerProvider]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider
    provider.shutdown()


def submitted(tmp_path: Path, parts: Parts, **headers: str) -> str:
    app = make_server_app(Settings(data_dir=tmp_path), parts)
    with_no_supervisor = TestClient(app, base_url="http://127.0.0.1")
    answer = with_no_supervisor.post("/api/v1/optimize/batch", json=BODY, headers=headers)
    assert answer.status_code == 202, answer.text
    batch_id: str = answer.json()["batch_id"]
    return batch_id


def told_span(exporter: InMemorySpanExporter, provider: TracerProvider, tmp_path: Path, batch_id: str) -> ReadableSpan:
    """The batch's span as a server tells it that was started after the submission."""
    store = make_parts(Settings(data_dir=tmp_path)).service.manager.store
    spans = BatchSpans(provider, store.batch)
    (job,) = store.jobs(batch_id)
    spans.job_ended(job, Ending(state=JobState.SUCCEEDED, result={}))
    spans.batch_ended(batch_id, BatchState.COMPLETED)
    store.close()
    (batch,) = [span for span in exporter.get_finished_spans() if span.name == "batch"]
    return batch


def test_a_batch_is_linked_to_the_span_of_its_submission(
    tmp_path: Path, parts: Parts, exporter: InMemorySpanExporter, provider: TracerProvider
) -> None:
    header = f"00-{CALLER_TRACE}-{CALLER_SPAN}-01"
    batch_id = submitted(tmp_path, replace(parts, tracer_provider=provider), traceparent=header)
    (request,) = exporter.get_finished_spans()
    batch = told_span(exporter, provider, tmp_path, batch_id)
    (link,) = batch.links
    assert request.context is not None
    assert (link.context.trace_id, link.context.span_id) == (request.context.trace_id, request.context.span_id)
    assert link.context.trace_id == int(CALLER_TRACE, 16)
    assert batch.parent is None
    assert batch.context is not None
    assert batch.context.trace_id != request.context.trace_id


def test_a_batch_that_was_submitted_without_a_span_has_no_link(
    tmp_path: Path, parts: Parts, exporter: InMemorySpanExporter, provider: TracerProvider
) -> None:
    batch_id = submitted(tmp_path, parts)
    assert told_span(exporter, provider, tmp_path, batch_id).links == ()
