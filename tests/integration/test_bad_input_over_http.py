"""Bad input gets a problem document that names the field and the way out."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from .conftest import quick

GOOD = {"strategies": ["RSI"], "common_config": quick()}


def changed(**common: Any) -> dict[str, Any]:
    return {**GOOD, "common_config": {**quick(), **common}}


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else []


CASES = {
    "unknown strategy": ({**GOOD, "strategies": ["RSY"]}, "unknown_strategy", "/strategies/0", "RSI"),
    "empty list": ({**GOOD, "strategies": []}, "validation_failed", "/strategies", "at least 1"),
    "no strategies": ({"common_config": quick()}, "validation_failed", "/strategies", "required"),
    "strategy twice": ({**GOOD, "strategies": ["RSI", "RSI"]}, "validation_failed", "/strategies/1", "strategy_id"),
    "unknown symbol": (changed(asset="NOPE"), "unknown_symbol", "/common_config/asset", "NOPE"),
    "path as symbol": (changed(asset="../../etc/passwd"), "unknown_symbol", "/common_config/asset", "symbol"),
    "no symbol": (changed(asset=None), "validation_failed", "/common_config/asset", "name at least one"),
    "unknown timeframe": (changed(timeframe="7x"), "validation_failed", "/common_config/timeframe", "1h"),
    "timeframe without data": (changed(timeframe="1m"), "validation_failed", "/common_config/timeframe", "1m"),
    "end before start": (
        changed(start_date="2019-01-01", end_date="2018-01-01"),
        "validation_failed",
        "/common_config",
        "after start_date",
    ),
    "range without data": (
        changed(start_date="2031-01-01"),
        "validation_failed",
        "/common_config/start_date",
        "covers",
    ),
    "negative budget": (
        changed(optimization_config={"max_evals": -5}),
        "validation_failed",
        "/common_config/optimization_config/max_evals",
        "greater than or equal to 1",
    ),
    "negative limit": (
        changed(optimization_config={"timeout_minutes": -1}),
        "validation_failed",
        "/common_config/optimization_config/timeout_minutes",
        "greater than 0",
    ),
    "zero workers": ({**GOOD, "parallel_jobs": 0}, "validation_failed", "/parallel_jobs", "greater than or equal to 1"),
    "unknown algorithm": (
        changed(optimization_config={"algorithm": "tpee"}),
        "validation_failed",
        "/common_config/optimization_config/algorithm",
        "tpe",
    ),
    "unknown objective": (
        changed(optimization_config={"objective": "sharp"}),
        "validation_failed",
        "/common_config/optimization_config/objective",
        "sharpe_ratio",
    ),
    "unknown field": ({**GOOD, "paralel_jobs": 2}, "validation_failed", "/paralel_jobs", "not known"),
    "key of no strategy": (
        {**GOOD, "strategy_specific_configs": {"RSII": {}}},
        "unknown_strategy",
        "/strategy_specific_configs/RSII",
        "did you mean 'RSI'",
    ),
    "unknown parameter": (
        {**GOOD, "strategies": [{"name": "RSI", "parameter_space": {"perid": 3}}]},
        "validation_failed",
        "/strategies/0/parameter_space/perid",
        "did you mean 'period'",
    ),
    "low above high": (
        {**GOOD, "strategies": [{"name": "RSI", "parameter_space": {"period": {"low": 9, "high": 3}}}]},
        "validation_failed",
        "/strategies/0/parameter_space/period",
        "greater than high",
    ),
    "too many evaluations": (
        changed(
            optimization_config={"max_evals": 1_000_000, "cross_validation": True},
            symbols=["BTC", "ETH", "LTC"],
            asset=None,
        ),
        "search_space_too_large",
        "/common_config/optimization_config/max_evals",
        "limit",
    ),
    "a truth value as a number": ({**GOOD, "parallel_jobs": True}, "validation_failed", "/parallel_jobs", "number"),
    "text as a number": ({**GOOD, "seed": "7"}, "validation_failed", "/seed", "number"),
    "a number as a truth value": (
        changed(validation_config={"statistical_tests": 1}),
        "validation_failed",
        "/common_config/validation_config/statistical_tests",
        "true or false",
    ),
    "number of 100 bits": ({**GOOD, "parallel_jobs": 10**30}, "validation_failed", "/parallel_jobs", "less than"),
    "date without separators": (
        changed(start_date="20150101"),
        "validation_failed",
        "/common_config/start_date",
        "2015-01-01",
    ),
    "year as date": (changed(start_date=2015), "validation_failed", "/common_config/start_date", "2015-01-01"),
    "date after the year 9999 in UTC": (
        changed(end_date="9999-12-31T23:59:59-14:00"),
        "validation_failed",
        "/common_config/end_date",
        "9999",
    ),
    "timeframe in other digits": (
        changed(timeframe="\u0662h"),
        "validation_failed",
        "/common_config/timeframe",
        "unknown timeframe",
    ),
    "number of 1300 bits in metadata": (
        {**GOOD, "metadata": {"n": 10**400}},
        "validation_failed",
        "/metadata",
        "whole numbers",
    ),
    "a label that clears the terminal": (
        {**GOOD, "label": "night \x1b[2J run"},
        "validation_failed",
        "/label",
        "control character",
    ),
    "metadata of a megabyte": (
        {**GOOD, "metadata": {"text": "x" * 1_000_000}},
        "validation_failed",
        "/metadata",
        "16384",
    ),
    "metadata of 40 levels": ({**GOOD, "metadata": {"n": nested(40)}}, "validation_failed", "/metadata", "nested"),
    "first point of 100 bits": (
        changed(optimization_config={"first_points": [{"period": 10**30}]}),
        "validation_failed",
        "/common_config/optimization_config/first_points/0",
        "whole numbers",
    ),
    "webhook": (
        {**GOOD, "webhook": "https://example.com/"},
        "webhook_url_forbidden",
        "/webhook",
        "registered receiver",
    ),
    "the same series by two names": (
        changed(asset=None, symbols=["BTC", "ETH", "btcusd"]),
        "validation_failed",
        "/common_config/symbols/2",
        "once",
    ),
    "the same timeframe in two spellings": (
        changed(timeframe=None, timeframes=["1d", "2d", "48h"]),
        "validation_failed",
        "/common_config/timeframes/2",
        "once",
    ),
    "an unknown one of several symbols": (
        changed(asset=None, symbols=["BTC", "BTCC"]),
        "unknown_symbol",
        "/common_config/symbols/1",
        "Did you mean BTC",
    ),
    "an unknown symbol of one strategy": (
        {**GOOD, "strategy_specific_configs": {"RSI": {"asset": "NOPE"}}},
        "unknown_symbol",
        "/strategy_specific_configs/RSI/asset",
        "NOPE",
    ),
    "an unknown objective of one strategy": (
        {**GOOD, "strategy_specific_configs": {"RSI": {"optimization_config": {"objective": "sharp"}}}},
        "validation_failed",
        "/strategy_specific_configs/RSI/optimization_config/objective",
        "sharpe_ratio",
    ),
    "an unknown parameter in a space of all": (
        changed(parameter_space={"perid/~": 3}),
        "validation_failed",
        "/common_config/parameter_space/perid~1~0",
        "unknown parameter",
    ),
    "a key with signs of a pointer": (
        {**GOOD, "strategy_specific_configs": {"a/b~c": {}}},
        "unknown_strategy",
        "/strategy_specific_configs/a~1b~0c",
        "submitted",
    ),
    "strategy_id that is a folder": (
        {**GOOD, "strategies": [{"name": "RSI", "strategy_id": ".."}]},
        "validation_failed",
        "/strategies/0/strategy_id",
        "pattern",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_request_is_told_where_and_what(http: httpx2.Client, name: str) -> None:
    body, code, pointer, words = CASES[name]
    answer = http.post("/api/v1/optimize/batch", json=body)
    problem = answer.json()
    assert answer.status_code == 422, problem
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["code"] == code
    first = next(error for error in problem["errors"] if error["pointer"] == pointer)
    assert words in first["detail"]
    assert problem["request_id"] == answer.headers["X-Request-Id"]


def test_a_near_symbol_is_suggested(http: httpx2.Client) -> None:
    (error,) = http.post("/api/v1/optimize/batch", json=changed(asset="BTCC")).json()["errors"]
    assert error["suggestion"] == "BTC"


@pytest.mark.parametrize(
    ("more", "pointer"),
    [({"parameter_space": {"perid": 3}}, "/parameter_space/perid"), ({"asset": "NOPE"}, "/asset")],
)
def test_pointers_of_a_single_optimisation_lead_into_its_body(
    http: httpx2.Client, more: dict[str, Any], pointer: str
) -> None:
    answer = http.post("/api/v1/optimize/single", json={"strategy_name": "RSI", **quick(), **more})
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_the_space_of_a_later_layer_replaces_that_of_a_parameter(http: httpx2.Client) -> None:
    common, own = {"period": {"low": 5, "high": 50, "step": 5}, "oversold": 30}, {"period": {"low": 7, "high": 9}}
    body = {**changed(parameter_space=common), "strategy_specific_configs": {"RSI": {"parameter_space": own}}}
    plan = http.post("/api/v1/optimize/batch?validate_only=true", json=body).json()
    assert plan["jobs"][0]["config"]["parameter_space"] == {**common, **own}


def test_all_problems_of_a_request_are_told_at_once(http: httpx2.Client) -> None:
    body = {"strategies": ["RSY", "MACDD"], "common_config": {"asset": "NOPE"}}
    errors = http.post("/api/v1/optimize/batch", json={**body, "strategies": ["RSY", "MACDD", "RSI"]}).json()["errors"]
    assert [error["pointer"] for error in errors] == ["/strategies/0", "/strategies/1", "/common_config/asset"]


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b'{"strategies": [', "application/json", 400, "malformed_json"),
        (b'{"strategies": ["RSI"], "parallel_jobs": NaN}', "application/json", 422, "validation_failed"),
        (
            b'{"strategies": ["RSI"], "common_config": {"asset": "BTC", "costs": {"fee_bps": NaN}}}',
            "application/json",
            422,
            "validation_failed",
        ),
        (b'{"strategies": ["RSI"], "metadata": {"x": NaN}}', "application/json", 422, "validation_failed"),
        (b'{"strategies": ["RSI"], "metadata": {"x": "\\ud800"}}', "application/json", 422, "validation_failed"),
        (b"[" * 10_000 + b"]" * 10_000, "application/json", 400, "malformed_json"),
        (b'{"strategies": ["RSI"]}', "text/json", 415, "unsupported_media_type"),
        (b"\xff\xfe\x00", "application/json", 400, "malformed_json"),
        (b"strategies=RSI", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"[]", "application/json", 422, "validation_failed"),
        (b"", "application/json", 422, "validation_failed"),
    ],
)
def test_a_body_that_is_no_request_is_a_problem(
    http: httpx2.Client, content: bytes, kind: str, status: int, code: str
) -> None:
    answer = http.post("/api/v1/optimize/batch", content=content, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


@pytest.mark.parametrize("path", ["/api/v1/optimize/batch", "/api/v1/optimize/single", "/api/v1/webhooks"])
def test_a_key_that_stands_twice_is_not_dropped_without_a_word(http: httpx2.Client, path: str) -> None:
    content = b'{"strategies": ["RSI"], "strategy_specific_configs": {"RSI": {"seed": 1}, "MACD": {}, "RSI": {}}}'
    answer = http.post(path, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")
    assert "'RSI' stands twice" in answer.json()["detail"]


def test_the_answer_to_a_large_bad_request_is_small(http: httpx2.Client) -> None:
    for body in ({**GOOD, "label": "x" * 1_000_000}, {**GOOD, **{f"unknown_{k}": 1 for k in range(50_000)}}):
        answer = http.post("/api/v1/optimize/batch", json=body)
        assert answer.status_code == 422
        assert len(answer.content) < 50_000


def test_a_declared_body_above_the_limit_is_refused_unread(http: httpx2.Client) -> None:
    answer = http.post(
        "/api/v1/optimize/batch", content=b" " * (5 * 1024 * 1024), headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
    assert answer.json()["max_bytes"] == 4 * 1024 * 1024


def test_an_endless_body_is_cut_at_the_limit(server: str) -> None:
    address = urlsplit(server)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(
            b"POST /api/v1/optimize/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        sent = 0
        try:
            while sent < 64 * 1024 * 1024:
                connection.sendall(chunk)
                sent += 0x10000
        except OSError:
            pass
        answer = connection.recv(4096)
    assert sent < 64 * 1024 * 1024
    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/optimize/batch/bat_unknown", 404, "not_found"),
        ("GET", "/api/v1/optimize/jobs/job_unknown", 404, "not_found"),
        ("GET", "/api/v1/typo", 404, "not_found"),
        ("GET", "/nowhere", 404, "not_found"),
        ("PUT", "/api/v1/optimize/batch", 405, "method_not_allowed"),
        ("GET", "/api/v1/strategies/Nope", 404, "not_found"),
        ("GET", "/api/v1/optimize/batch?cursor=!!!", 400, "invalid_cursor"),
        ("GET", "/api/v1/optimize/batch?limit=-1", 422, "validation_failed"),
        ("GET", "/api/v1/optimize/batch?created_after=9999-12-31T23:59:59-14:00", 422, "validation_failed"),
        ("GET", "/api/v1/optimize/batch?created_after=2015", 422, "validation_failed"),
    ],
)
def test_wrong_addresses_are_problems_too(http: httpx2.Client, method: str, path: str, status: int, code: str) -> None:
    answer = http.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
