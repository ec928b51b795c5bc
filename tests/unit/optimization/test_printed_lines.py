"""What strategies print becomes events of the log."""

from __future__ import annotations

import logging
import sys
from contextlib import redirect_stdout

import pytest

from stratopt.optimization.printed_lines import LONGEST_LINE, PrintedLines


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def texts(told: pytest.LogCaptureFixture) -> list[str]:
    return [str(vars(record)["text"]) for record in told.records]


def test_each_line_is_told_once_and_whole(told: pytest.LogCaptureFixture) -> None:
    """Parts of a line wait for its end; the last one needs none."""
    with PrintedLines("Talks") as printed, redirect_stdout(printed):
        sys.stdout.write("one two ")
        assert told.records == []
        sys.stdout.write("three\n\nfour\n")
        sys.stdout.write("bytes \udcff and no end")
    assert texts(told) == ["one two three", "", "four", "bytes \\udcff and no end"]
    assert {(record.message, vars(record)["strategy"], record.levelname) for record in told.records} == {
        ("strategy_printed", "Talks", "INFO")
    }


def test_a_line_without_an_end_is_told_in_pieces(told: pytest.LogCaptureFixture) -> None:
    with PrintedLines() as printed:
        for _ in range(LONGEST_LINE + 10):
            printed.write("x")
    assert [len(text) for text in texts(told)] == [LONGEST_LINE, 10]


def test_nothing_of_a_long_line_is_lost(told: pytest.LogCaptureFixture) -> None:
    line = "".join(str(number % 10) for number in range(2 * LONGEST_LINE + 3))
    with PrintedLines() as printed:
        printed.write(f"{line}\nnext\n")
    assert [len(text) for text in texts(told)] == [LONGEST_LINE, LONGEST_LINE, 3, 4]
    assert "".join(texts(told)) == f"{line}next"
