"""Logs are JSON lines without secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stratopt.monitoring.log_setup import configure_logging
from stratopt.monitoring.worker_log import configure_worker_log
from stratopt.optimization.api_keys import new_key

Configure = Callable[[str], None]


@pytest.fixture(params=[configure_logging, configure_worker_log])
def configure(request: pytest.FixtureRequest, restored: None) -> Configure:
    """The log of the server and that of its workers."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def restored() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("stratopt")
    handlers, levels = root.handlers, (root.level, ours.level)
    yield
    root.handlers = handlers
    for logger, level in zip((root, ours), levels, strict=True):
        logger.setLevel(level)


def test_a_line_is_json_with_its_fields(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    configure("INFO")
    logging.getLogger("stratopt.x").info("job_ended", extra={"job_id": "job_1", "name_of_client": "two\nlines"})
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["job_id"], line["name_of_client"], line["level"]) == (
        "job_ended",
        "job_1",
        "two\nlines",
        "info",
    )
    assert line["timestamp"].endswith("Z")


def test_no_planted_secret_reaches_the_log(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    configure("INFO")
    key = new_key()
    logging.getLogger("x").warning(
        "look %s", key, extra={"authorization": f"Bearer {key}", "api_key": "abc", "note": f"key was {key}"}
    )
    text = capsys.readouterr().err
    assert key not in text
    assert "abc" not in text
    assert text.count("[redacted]") >= 3


def test_an_exception_is_one_line(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    configure("INFO")
    try:
        raise ValueError("broken\nin two lines")
    except ValueError:
        logging.getLogger("x").exception("failed")
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert "broken" in json.loads(text)["exception"]


def test_secrets_inside_of_fields_are_left_out(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    configure("INFO")
    key = new_key()
    context = {"headers": {"Authorization": "Bearer abc"}, "tried": [key, {"note": f"with {key}"}], "count": 3}
    logging.getLogger("stratopt.x").warning("refused", extra={"context": context})
    text = capsys.readouterr().err
    assert key not in text
    assert "abc" not in text
    assert json.loads(text)["context"] == {
        "headers": {"Authorization": "[redacted]"},
        "tried": ["[redacted]", {"note": "with [redacted]"}],
        "count": 3,
    }
    assert context["tried"][0] == key


def test_workers_write_the_lines_of_the_server(restored: None, capsys: pytest.CaptureFixture[str]) -> None:
    lines = []
    for configure in (configure_logging, configure_worker_log):
        configure("INFO")
        logger = logging.getLogger("stratopt.optimization.x")
        logger.debug("too quiet")
        logger.info("counted %d", 3, extra={"strategy": None, "folder": Path("x"), "text": "na\xefve \udcff"})
        try:
            raise ValueError("broken")
        except ValueError:
            logger.exception("failed")
        told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        lines.append([{name: value for name, value in line.items() if name != "timestamp"} for line in told])
        assert all(line["timestamp"].endswith("Z") for line in told)
    assert lines[0] == lines[1]
    assert [line["event"] for line in lines[0]] == ["counted 3", "failed"]


def test_libraries_in_a_worker_are_heard_from_warnings_on(restored: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Search engines tell each of their steps at INFO."""
    configure_worker_log("INFO")
    logging.getLogger("some.library").info("a step")
    logging.getLogger("some.library").warning("a worry")
    logging.getLogger("stratopt.x").info("ours")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["a worry", "ours"]
    configure_worker_log("ERROR")
    logging.getLogger("stratopt.x").warning("ours")
    logging.getLogger("some.library").warning("a worry")
    assert capsys.readouterr().err == ""
