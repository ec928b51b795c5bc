"""What the operator's code prints where stdout and stderr belong to a log: a line of JSON each, beside the server's own."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime

import orjson

LONGEST_LINE = 2000
"""Characters; a writer that never ends its line is cut here, so that what is printed cannot fill the memory."""


class PrintedLines(io.TextIOBase):
    """A text file for ``contextlib.redirect_stdout``: each line becomes the event ``strategy_printed`` on stderr, written at once.

    ``strategy`` is the name of the strategy that runs, None while files are loaded.
    """

    def __init__(self, strategy: str | None = None) -> None:
        self._strategy = strategy
        self._open = ""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Tell whole lines, keep the rest for later."""
        *lines, self._open = (self._open + text).split("\n")
        for line in lines:
            self._tell(line)
        if len(self._open) >= LONGEST_LINE:
            self._rest()
        return len(text)

    def __exit__(self, *_: object) -> None:
        self._rest()

    def _rest(self) -> None:
        rest, self._open = self._open, ""
        if rest:
            self._tell(rest)

    def _tell(self, line: str) -> None:
        told = {
            "event": "strategy_printed",
            "level": "info",
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "strategy": self._strategy,
            "text": line[:LONGEST_LINE].encode("utf-8", "backslashreplace").decode(),
        }
        sys.stderr.write(orjson.dumps(told).decode() + "\n")
        sys.stderr.flush()
