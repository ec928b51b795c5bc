"""What the operator's code prints where stdout and stderr belong to a log: events of that log."""

from __future__ import annotations

import io
import logging

LONGEST_LINE = 2000
"""Characters; a longer line is told in pieces, so that a writer that never ends its line cannot fill the memory."""

log = logging.getLogger(__name__)


class PrintedLines(io.TextIOBase):
    """A text file for ``contextlib.redirect_stdout``: each line becomes the event ``strategy_printed``, told at once.

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
        writable = line.encode("utf-8", "backslashreplace").decode()
        for start in range(0, len(writable) or 1, LONGEST_LINE):
            piece = writable[start : start + LONGEST_LINE]
            log.info("strategy_printed", extra={"strategy": self._strategy, "text": piece})
