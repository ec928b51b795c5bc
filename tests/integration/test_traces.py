"""Spans of requests, batches and jobs reach a collector, and log lines name their trace."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from stratopt.cli.server_process import running_server
from stratopt.client.client import Client

from .conftest import STRATEGY_FOLDER, quick


class Collector:
    """An OTLP collector that keeps what it gets."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                told = ExportTraceServiceRequest.FromString(body)
                for resource in told.resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans.extend(scope.spans)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever)
    thread.start()
    yield collector
    collector.server.shutdown()
    thread.join()
    collector.server.server_close()


def test_spans_are_sent_and_logs_name_their_trace(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server.server_port}")
    settings = {"strategy_folder": STRATEGY_FOLDER, "traces": True, "log_level": "INFO"}
    with running_server(tmp_path, **settings) as address, Client(address) as client:  # type: ignore[arg-type]
        body = {"strategies": ["HigherClose", "Raises"], "common_config": quick()}
        batch_id = client.optimize_batch(body).wait().batch_id
    named = {name: [span for span in collector.spans if span.name == name] for name in ("batch", "job")}
    (batch,) = named["batch"]
    facts = {attribute.key: attribute.value.string_value for attribute in batch.attributes}
    assert facts["stratopt.batch_id"] == batch_id
    assert facts["stratopt.state"] == "completed"
    assert len(named["job"]) == 2
    assert {job.parent_span_id for job in named["job"]} == {batch.span_id}
    assert sorted(job.status.message for job in named["job"]) == ["", "strategy_error"]
    assert all(batch.start_time_unix_nano <= j.start_time_unix_nano < j.end_time_unix_nano for j in named["job"])
    requests = [span for span in collector.spans if span.name not in named]
    assert any("/api/v1/optimize/batch" in span.name for span in requests), {span.name for span in requests}
    (link,) = batch.links
    (submission,) = [span for span in requests if span.span_id == link.span_id]
    assert (submission.trace_id, submission.name) == (link.trace_id, "POST /api/v1/optimize/batch")
    assert batch.trace_id != submission.trace_id
    lines = [json.loads(line) for line in (tmp_path / "server.log").read_text().splitlines() if line.startswith("{")]
    submitted = [line for line in lines if line.get("route") == "/api/v1/optimize/batch"]
    traces = {span.trace_id.hex() for span in requests}
    assert submitted
    assert {line["trace_id"] for line in submitted} <= traces
