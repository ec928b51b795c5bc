"""The OpenAPI document and a real server: each example is what is answered, and nothing undocumented comes back."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from stratopt.wire import answers, server_answers, webhook_answers

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = json.loads((ROOT / "docs" / "reference" / "openapi.json").read_text())
OPERATIONS = [(method, path) for path, item in DOCUMENT["paths"].items() for method in item]
CONFORMS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
EXAMPLES_OF_EACH_OPERATION = 12
MODELS = {name: model for module in (answers, server_answers, webhook_answers) for name, model in vars(module).items()}
fuzzed = schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def told(server: str, pango: None) -> dict[str, Any]:
    """What the server answers on the tour that recorded the examples."""
    spec = importlib.util.spec_from_file_location("write_examples", ROOT / "tools" / "write_examples.py")
    assert spec is not None
    assert spec.loader is not None
    recorder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recorder)
    with httpx2.Client(base_url=server, timeout=120) as http:
        found: dict[str, Any] = recorder.tour(http)
    return found


def successes(method: str, path: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for status, answer in DOCUMENT["paths"][path][method]["responses"].items():
        for kind, content in answer.get("content", {}).items():
            if status.startswith("2"):
                yield status, kind, content


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_success_has_an_example_with_the_shape_of_the_real_answer(
    told: dict[str, Any], method: str, path: str
) -> None:
    statuses = {s for s in DOCUMENT["paths"][path][method]["responses"] if s.startswith("2")}
    assert statuses
    for status, kind, content in successes(method, path):
        (example,) = (shown["value"] for shown in content["examples"].values())
        real = told[f"{method} {path}"][status][kind]
        schema = Draft202012Validator({**content["schema"], "components": DOCUMENT["components"]})
        schema.validate(example)
        schema.validate(real)
        assert differences(example, real) == [], (status, kind)


@pytest.mark.parametrize("path", ["/api/v1/optimize/batch", "/api/v1/optimize/single"])
def test_the_plan_of_validate_only_is_a_described_answer(server: str, path: str) -> None:
    operation = DOCUMENT["paths"][path]["post"]
    body = next(iter(operation["requestBody"]["content"]["application/json"]["examples"].values()))["value"]
    plan = httpx2.post(f"{server}{path}", params={"validate_only": True}, json=body, timeout=120)
    assert plan.status_code == 200
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(plan.json())


def test_the_described_answers_leave_no_field_out(told: dict[str, Any]) -> None:
    for method, path in OPERATIONS:
        for status, kind, content in successes(method, path):
            name = content["schema"].get("$ref", "").rpartition("/")[2]
            if name:
                model = MODELS[name].model_validate(told[f"{method} {path}"][status][kind])
                assert undeclared(model) == [], (method, path)


@fuzzed.parametrize()
@settings(
    max_examples=EXAMPLES_OF_EACH_OPERATION,
    derandomize=True,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_nothing_undocumented_is_answered_and_nothing_breaks(case: Any, server: str) -> None:
    case.call_and_validate(base_url=server, checks=CONFORMS)


def undeclared(model: Any, at: str = "") -> list[str]:
    """Fields that an answer has and its model does not declare."""
    found = [f"{at}/{name}" for name in model.model_extra or {}]
    for name in type(model).model_fields:
        value = getattr(model, name)
        for one in value if isinstance(value, list) else [value]:
            found += undeclared(one, f"{at}/{name}") if hasattr(one, "model_extra") else []
    return found


def differences(example: Any, real: Any, at: str = "") -> list[str]:
    """Where two documents differ in shape: keys and kinds of values; null and shorter lists fit everything."""
    if example is None or real is None:
        return []
    if isinstance(example, dict) and isinstance(real, dict):
        odd = [f"{at}/{name}" for name in {*example} ^ {*real}]
        return odd + [
            d for name in {*example} & {*real} for d in differences(example[name], real[name], f"{at}/{name}")
        ]
    if isinstance(example, list) and isinstance(real, list):
        return [d for k, pair in enumerate(zip(example, real, strict=False)) for d in differences(*pair, f"{at}/{k}")]
    return [] if kind_of(example) == kind_of(real) else [at]


def kind_of(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
