"""What strategies print becomes whole lines of JSON on stderr."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout

import pytest

from stratopt.optimization.printed_lines import LONGEST_LINE, PrintedLines


def test_each_line_is_told_once_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Parts of a line wait for its end; the last one needs none."""
    with PrintedLines("Talks") as printed, redirect_stdout(printed):
        sys.stdout.write("one two ")
        assert capsys.readouterr().err == ""
        sys.stdout.write("three\nfour\n")
        sys.stdout.write("bytes \udcff and no end")
    caught = capsys.readouterr()
    events = [json.loads(line) for line in caught.err.splitlines()]
    assert [e["text"] for e in events] == ["one two three", "four", "bytes \\udcff and no end"]
    assert {(e["event"], e["strategy"], e["level"]) for e in events} == {("strategy_printed", "Talks", "info")}
    assert caught.out == ""


def test_a_line_without_an_end_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    with PrintedLines() as printed:
        for _ in range(LONGEST_LINE + 10):
            printed.write("x")
    first, rest = (json.loads(line)["text"] for line in capsys.readouterr().err.splitlines())
    assert (len(first), len(rest)) == (LONGEST_LINE, 10)
