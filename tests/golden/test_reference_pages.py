"""The committed reference pages say what the code does."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from openapi_spec_validator import validate

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_reference", ROOT / "tools" / "write_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_strategies_is_up_to_date(writer: ModuleType) -> None:
    assert writer.STRATEGIES.read_text() == writer.strategies_page(), "run tools/write_reference.py"


def test_the_openapi_document_is_up_to_date_and_valid(writer: ModuleType) -> None:
    import json

    document = writer.openapi_document()
    assert writer.OPENAPI.read_text() == document, "run tools/write_reference.py"
    validate(json.loads(document))


def test_the_pages_of_settings_and_error_codes_are_up_to_date(writer: ModuleType) -> None:
    assert writer.SETTINGS.read_text() == writer.settings_page(), "run tools/write_reference.py"
    assert writer.ERRORS.read_text() == writer.errors_page(), "run tools/write_reference.py"


def test_every_setting_says_what_it_means() -> None:
    from stratopt.settings import Settings

    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_public_name_resolves() -> None:
    import stratopt

    assert [name for name in stratopt.__all__ if getattr(stratopt, name, None) is None] == []
