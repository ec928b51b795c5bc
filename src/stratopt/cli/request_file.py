"""A request out of a file: TOML, YAML or JSON, told apart by the suffix."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, time
from pathlib import Path
from typing import Any

from stratopt.cli.output import EXIT_INVALID, fail

WAYS_OUT = "the suffix tells the format: .toml, .yaml or .yml, and JSON for every other"


def read_request(path: Path) -> dict[str, Any]:
    """The request as a JSON document; moments that TOML and YAML know as such become text."""
    parse, name = _parser(path.suffix.lower())
    try:
        document = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        fail(f"cannot read {path}: {error}", EXIT_INVALID)
    except ValueError as error:
        fail(f"cannot read {path} as {name}: {error}", EXIT_INVALID, WAYS_OUT)
    if not isinstance(document, dict):
        fail(f"{path} holds no request but {json.dumps(document, default=str)[:80]}", EXIT_INVALID, WAYS_OUT)
    return {name: _plain(value) for name, value in document.items()}


def _parser(suffix: str) -> tuple[Callable[[str], Any], str]:
    if suffix == ".toml":
        return _toml, "TOML"
    return (_yaml, "YAML") if suffix in {".yaml", ".yml"} else (json.loads, "JSON")


def _toml(text: str) -> Any:
    import tomllib

    return tomllib.loads(text)


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date | time) else value
