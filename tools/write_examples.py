"""Record what a real server answers to every operation, as examples of the OpenAPI document: src/stratopt/api/static/examples.json.

A test makes the same tour and compares the shapes. Run `tools/write_reference.py` afterwards.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "src" / "stratopt" / "api" / "static" / "examples.json"
MOST_ITEMS, MOST_CHARACTERS = 2, 800
API = "/api/v1"
BATCH = f"{API}/optimize/batch"
ONE = f"{BATCH}/{{batch_id}}"
JSON, NDJSON, CSV, PDF = "application/json", "application/x-ndjson", "text/csv", "application/pdf"

Answers = dict[str, dict[str, dict[str, Any]]]


class Tour:
    """Asks and remembers: operation -> status -> media type -> body."""

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http
        self.answers: Answers = {}

    def ask(self, method: str, template: str, *, accept: str = JSON, **options: Any) -> Any:
        """One exchange; ``options`` has the values of the path's names under ``names``."""
        path = template.format(**options.pop("names", {}))
        headers = {"Accept": accept, **options.pop("headers", {})}
        answer = self._http.request(method, path, headers=headers, **options)
        answer.raise_for_status()
        kind = answer.headers.get("content-type", "").partition(";")[0]
        body = answer.json() if kind == JSON else "%PDF-..." if kind == PDF else answer.text
        statuses = self.answers.setdefault(f"{method} {template}", {})
        if kind:
            statuses.setdefault(str(answer.status_code), {}).setdefault(kind, body)
        return body


def tour(http: httpx2.Client) -> Answers:
    """Every operation and every kind of success, with the bodies as they are."""
    from stratopt.api.openapi import REQUESTS

    trip = Tour(http)
    for path in ("/healthz", "/readyz", "/metrics", f"{API}/version", f"{API}/symbols", f"{API}/objectives"):
        trip.ask("get", path)
    trip.ask("get", f"{API}/strategies")
    trip.ask("get", f"{API}/strategies/{{name}}", names={"name": "RSI"})
    for body in REQUESTS["post", BATCH].values():
        trip.ask("post", BATCH, json=body, params={"validate_only": "true"})
    body = next(iter(REQUESTS["post", BATCH].values()))
    done = {"batch_id": trip.ask("post", BATCH, json=body)["batch_id"]}
    http.post(BATCH, json=body, headers={"Prefer": "wait=60"}).raise_for_status()
    _finished(trip, done)
    _long(trip)
    _single(trip, next(iter(REQUESTS["post", f"{API}/optimize/single"].values())))
    _webhook(trip, next(iter(REQUESTS["post", f"{API}/webhooks"].values())))
    trip.ask("get", BATCH)
    trip.ask("get", f"{API}/system")
    return trip.answers


def _finished(trip: Tour, batch: dict[str, str]) -> None:
    trip.ask("get", f"{ONE}/events", names=batch, accept="text/event-stream")
    trip.ask("get", ONE, names=batch)
    for kind in (JSON, NDJSON, CSV):
        trip.ask("get", f"{ONE}/results", names=batch, accept=kind)
    item = {**batch, "strategy_id": "RSI"}
    trip.ask("get", f"{ONE}/results/{{strategy_id}}", names=item)
    for kind in (JSON, NDJSON, CSV):
        trip.ask("get", f"{ONE}/results/{{strategy_id}}/{{table}}", names={**item, "table": "trials"}, accept=kind)
    trip.ask("get", f"{ONE}/results/{{strategy_id}}/export", names=item)
    for name in ("json", "csv", "html", "md", "txt", "pdf"):
        trip.ask("get", f"{ONE}/report", names=batch, params={"format": name})
    trip.ask("get", f"{ONE}/errors", names=batch)
    trip.ask("post", f"{ONE}/cancel", names=batch)


def _long(trip: Tour) -> None:
    """A batch that is still at work, its cancellation, and a retry of what that left."""
    config = {"asset": "BTC", "optimization_config": {"max_evals": 500_000, "algorithm": "random"}}
    body = {"strategies": ["MovingAverageCrossover", "MACD"], "common_config": config}
    batch = {"batch_id": trip.ask("post", BATCH, json=body)["batch_id"]}
    trip.ask("post", f"{ONE}/cancel", names=batch)
    trip.ask("get", f"{ONE}/events", names=batch, accept="text/event-stream")
    again = {"batch_id": trip.ask("post", f"{ONE}/retry", names=batch)["batch_id"]}
    trip.ask("post", f"{ONE}/cancel", names=again)
    trip.ask("get", f"{ONE}/events", names=again, accept="text/event-stream")
    trip.ask("delete", ONE, names=again)


def _webhook(trip: Tour, body: dict[str, Any]) -> None:
    path = f"{API}/webhooks"
    webhook = {"webhook_id": trip.ask("post", path, json=body)["webhook_id"]}
    trip.ask("get", path)
    trip.ask("get", f"{path}/{{webhook_id}}/deliveries", names=webhook)
    trip.ask("delete", f"{path}/{{webhook_id}}", names=webhook)


def _single(trip: Tour, body: dict[str, Any]) -> None:
    path = f"{API}/optimize/single"
    done = trip.ask("post", path, json=body)
    trip.ask("get", f"{ONE}/events", names={"batch_id": done["batch_id"]})  # of one job, so that their order is known
    job = {"job_id": done["job_id"]}
    trip.ask("get", f"{API}/optimize/jobs/{{job_id}}", names=job)
    trip.ask("get", f"{API}/optimize/jobs/{{job_id}}/result", names=job)
    trip.ask("get", f"{API}/optimize/jobs/{{job_id}}/export", names=job)
    trip.ask("post", f"{API}/optimize/jobs/{{job_id}}/cancel", names=job)
    long = {**body, "optimization_config": {"max_evals": 500_000, "algorithm": "random"}}
    job = {"job_id": trip.ask("post", path, json=long, headers={"Prefer": "wait=1"})["job_id"]}
    trip.ask("post", f"{API}/optimize/jobs/{{job_id}}/cancel", names=job)


def shortened(value: Any) -> Any:
    """The value with its long lists and texts cut and without secrets."""
    if isinstance(value, dict):
        return {key: "whsec_..." if key == "secret" else shortened(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shortened(one) for one in value[:MOST_ITEMS]]
    if isinstance(value, str) and len(value) > MOST_CHARACTERS:
        return value[:MOST_CHARACTERS] + "..."
    return value


def main() -> None:
    """Record against a server of its own."""
    from stratopt.cli.server_process import running_server

    with (
        tempfile.TemporaryDirectory() as folder,
        running_server(Path(folder), webhooks=True) as address,
        httpx2.Client(base_url=address, timeout=120) as http,
    ):
        found = shortened(tour(http))
    EXAMPLES.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
