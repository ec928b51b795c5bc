"""Logs are JSON lines without secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from stratopt.monitoring.log_setup import configure_logging
from stratopt.optimization.api_keys import new_key


@pytest.fixture
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level


def test_a_line_is_json_with_its_fields(restored: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    logging.getLogger("stratopt.x").info("job_ended", extra={"job_id": "job_1", "name_of_client": "two\nlines"})
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["job_id"], line["name_of_client"], line["level"]) == (
        "job_ended",
        "job_1",
        "two\nlines",
        "info",
    )
    assert line["timestamp"].endswith("Z")


def test_no_planted_secret_reaches_the_log(restored: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    key = new_key()
    logging.getLogger("x").warning(
        "look %s", key, extra={"authorization": f"Bearer {key}", "api_key": "abc", "note": f"key was {key}"}
    )
    text = capsys.readouterr().err
    assert key not in text
    assert "abc" not in text
    assert text.count("[redacted]") >= 3


def test_an_exception_is_one_line(restored: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    try:
        raise ValueError("broken\nin two lines")
    except ValueError:
        logging.getLogger("x").exception("failed")
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert "broken" in json.loads(text)["exception"]
