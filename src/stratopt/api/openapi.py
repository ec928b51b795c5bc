"""What the generated OpenAPI document cannot know: answers that handlers build themselves, problems, examples."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from stratopt.api.problems import PROBLEM_JSON, STATUS_OF_CODE
from stratopt.api.query import API_PREFIX
from stratopt.api.security import OPEN_PATHS
from stratopt.api.streaming import COMPLETE, CSV, EVENT_STREAM, NDJSON
from stratopt.reporting.schema import report_schema

JSON = "application/json"
BATCH = "/api/v1/optimize/batch"
ONE_BATCH = f"{BATCH}/{{batch_id}}"
SINGLE = "/api/v1/optimize/single"
BODY_CODES = ("malformed_json", "payload_too_large", "unsupported_media_type", "validation_failed")
SUBMISSION_CODES = (
    *(*BODY_CODES, "invalid_idempotency_key", "idempotency_key_reused"),
    *("unknown_strategy", "unknown_symbol", "search_space_too_large"),
    *("too_many_active_batches", "queue_full", "storage_full", "draining"),
)
ANSWERS: Mapping[tuple[str, str], Mapping[str, tuple[str, tuple[str, ...]]]] = {
    ("post", BATCH): {
        "200": ("Ended within `Prefer: wait`, or the plan of `validate_only`.", (JSON,)),
        "202": ("Stored; follow `Location`.", (JSON,)),
    },
    ("get", ONE_BATCH): {"200": ("The status.", (JSON,)), "304": ("Not changed.", ())},
    ("post", f"{ONE_BATCH}/cancel"): {"200": ("It had ended.", (JSON,)), "202": ("It is being cancelled.", (JSON,))},
    ("get", f"{ONE_BATCH}/results"): {"200": ("The items, as `Accept` asks.", (JSON, NDJSON, CSV))},
    ("get", f"{ONE_BATCH}/results/{{strategy_id}}/export"): {"200": ("The script.", ("text/plain",))},
    ("get", "/api/v1/optimize/jobs/{job_id}/export"): {"200": ("The script.", ("text/plain",))},
    ("get", f"{ONE_BATCH}/results/{{strategy_id}}/{{table}}"): {
        "200": ("The rows, as `Accept` asks.", (NDJSON, JSON, CSV))
    },
    ("get", f"{ONE_BATCH}/events"): {"200": ("The events.", (EVENT_STREAM, JSON)), "204": ("Nothing is left.", ())},
    ("get", f"{ONE_BATCH}/report"): {
        "200": ("The report.", (JSON, CSV, "text/html", "text/markdown", "text/plain", "application/pdf")),
        "304": ("Not changed.", ()),
    },
    ("post", SINGLE): {
        "200": ("The result, or the plan of `validate_only`.", (JSON,)),
        "202": ("It takes longer; follow `Location`.", (JSON,)),
    },
    ("post", "/api/v1/optimize/jobs/{job_id}/cancel"): {
        "200": ("It had ended.", (JSON,)),
        "202": ("It is being cancelled.", (JSON,)),
    },
    ("get", "/metrics"): {"200": ("The metrics.", ("text/plain",))},
}
MORE_CODES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("post", BATCH): (*SUBMISSION_CODES, "webhook_url_forbidden"),
    ("post", SINGLE): SUBMISSION_CODES,
    ("post", "/api/v1/webhooks"): (*BODY_CODES, "webhook_url_forbidden"),
    ("delete", ONE_BATCH): ("batch_running",),
    ("post", f"{ONE_BATCH}/retry"): (
        *("batch_running", "nothing_to_retry"),
        "invalid_idempotency_key",
    ),
    ("get", f"{ONE_BATCH}/report"): ("batch_not_finished", "missing_extra"),
    ("get", f"{ONE_BATCH}/results/{{strategy_id}}"): ("ambiguous_strategy_id",),
    ("get", f"{ONE_BATCH}/results/{{strategy_id}}/export"): (
        "ambiguous_strategy_id",
        "batch_not_finished",
        "cannot_be_exported",
    ),
    ("get", f"{ONE_BATCH}/results/{{strategy_id}}/{{table}}"): ("ambiguous_strategy_id", "batch_not_finished"),
    ("get", "/api/v1/optimize/jobs/{job_id}/result"): ("batch_not_finished",),
    ("get", "/api/v1/optimize/jobs/{job_id}/export"): ("batch_not_finished", "cannot_be_exported"),
    ("post", "/api/v1/optimize/jobs/{job_id}/cancel"): ("conflict",),
}
COMPLETENESS = {
    "description": "Whether all jobs had ended. Of results only with CSV; JSON tells it in its body.",
    "schema": {"type": "string", "enum": ["true", "false"]},
}
PERIOD = {"start_date": "2015-01-01T00:00:00Z", "end_date": "2020-01-01T00:00:00Z"}
REQUESTS: Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]] = {
    ("post", BATCH): {
        "three strategies": {
            "strategies": ["MovingAverageCrossover", "RSI", "MACD"],
            "common_config": {
                "asset": "BTC",
                "timeframe": "1d",
                **PERIOD,
                "optimization_config": {"max_evals": 20, "algorithm": "tpe", "objective": "sharpe_ratio"},
            },
            "strategy_specific_configs": None,
            "parallel_jobs": 2,
        },
        "one strategy twice, two symbols": {
            "strategies": [
                {"name": "RSI", "strategy_id": "fast", "parameter_space": {"period": {"low": 2, "high": 10}}},
                {"name": "RSI", "strategy_id": "slow", "parameter_space": {"period": {"low": 11, "high": 40}}},
            ],
            "common_config": {"symbols": ["BTC", "AAPL"], "optimization_config": {"max_evals": 20}},
            "strategy_specific_configs": {"slow": {"costs": {"fee_bps": 5}}},
            "label": "fast or slow",
        },
    },
    ("post", SINGLE): {
        "RSI": {"strategy_name": "RSI", "asset": "BTC", **PERIOD, "optimization_config": {"max_evals": 20}}
    },
    ("post", "/api/v1/webhooks"): {"a public address": {"url": "https://93.184.215.14/stratopt"}},
}
"""Bodies that the server accepts; a test sends each."""


def described(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """The function that makes the document of ``app``, once."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            for path, operations in made["paths"].items():
                for method, operation in operations.items():
                    _describe(method, path, operation)
            app.openapi_schema = made
        return app.openapi_schema

    return document


def _describe(method: str, path: str, operation: dict[str, Any]) -> None:
    where, answers = (method, path), operation["responses"]
    for name in ("422", "default"):
        answers.pop(name, None)
    if where in ANSWERS:
        _replace_successes(answers, ANSWERS[where])
    if path in {f"{ONE_BATCH}/results", f"{ONE_BATCH}/report"}:
        answers["200"]["headers"] = {COMPLETE: COMPLETENESS}
    if path.endswith("/report"):
        answers["200"]["content"][JSON]["schema"] = _report()
    for answered, recorded in recorded_answers().get(f"{method} {path}", {}).items():
        for kind, value in recorded.items():
            answers[answered]["content"][kind]["examples"] = {"recorded": {"value": value}}
    for code in _codes(method, path):
        status, title = STATUS_OF_CODE[code]
        answer = answers.setdefault(str(status), _problem("A problem document (RFC 9457)."))
        example = {"type": f"/errors/{code}", "title": title, "status": status, "code": code, "detail": f"{title}."}
        answer["content"][PROBLEM_JSON].setdefault("examples", {})[code] = {"value": example}
    answers["default"] = _problem("Any other problem.")
    if where in REQUESTS:
        body = operation["requestBody"]["content"][JSON]
        body["examples"] = {name: {"value": value} for name, value in REQUESTS[where].items()}


def _replace_successes(answers: dict[str, Any], told: Mapping[str, tuple[str, tuple[str, ...]]]) -> None:
    """The statuses and media types of ``told``; JSON keeps the schema that the route declares, other types are text."""
    was = {status: answers.pop(status) for status in list(answers) if status.startswith("2")}
    for status, (description, kinds) in told.items():
        declared = was.get(status, {}).get("content", {}).get(JSON, {}).get("schema", {})
        content = {kind: {"schema": declared if kind == JSON else {"type": "string"}} for kind in kinds}
        answers[status] = {"description": description} | ({"content": content} if kinds else {})


def _report() -> dict[str, Any]:
    """The report's schema; a section is a part of it, so that nothing is required."""
    schema = report_schema()
    return {"type": "object", "title": schema["title"], "properties": schema["properties"]}


@cache
def recorded_answers() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Answers of a real server by operation, status and media type (`tools/write_examples.py` records them), long lists cut short."""
    found: Mapping[str, Mapping[str, Mapping[str, Any]]] = json.loads(
        files("stratopt.api").joinpath("static", "examples.json").read_text(encoding="utf-8")
    )
    return found


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def _codes(method: str, path: str) -> list[str]:
    """Codes of the problems that an operation may answer."""
    codes = ["host_not_allowed", "internal_error"]
    if path not in OPEN_PATHS:
        codes += ["missing_api_key", "invalid_api_key", "insufficient_scope", "rate_limited", "storage_unavailable"]
    if path == "/readyz":
        codes += ["draining", "storage_unavailable"]
    if method != "get":
        codes += ["origin_not_allowed", "payload_too_large"]
    if "{" in path:
        codes += ["not_found"]
    if path.startswith(API_PREFIX):
        codes += ["validation_failed"]
    if path.startswith(ONE_BATCH):
        codes += ["batch_expired"]
    if (method, path) == ("get", BATCH):
        codes += ["invalid_cursor"]
    if path.endswith(("/results", "/events", "/{table}")):
        codes += ["not_acceptable"]
    if path.endswith("/events"):
        codes += ["too_many_streams"]
    if path.endswith("/retry"):
        codes += ["too_many_active_batches", "queue_full", "storage_full", "draining"]
    return list(dict.fromkeys([*codes, *MORE_CODES.get((method, path), ())]))
