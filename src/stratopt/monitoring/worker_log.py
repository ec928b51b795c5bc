"""The log of worker processes: the lines of ``log_setup``, made by the standard library alone.

structlog takes 75 ms to import, which the worker factory would add to the start of every server.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from stratopt.monitoring.redaction import redacted

_OF_EVERY_RECORD = {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """A record as ``log_setup`` writes it: its message is the event, what it was given beside that are fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        told = {name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD}
        told |= {"event": record.getMessage(), "level": record.levelname.lower(), "logger": record.name}
        told["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(redacted(told), default=repr)


def configure_worker_log(level: str) -> None:
    """Send the records of this process to stderr: stratopt's from ``level``, those of libraries and strategies from WARNING at least.

    The engines of a search tell each of their steps at INFO.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.getLevelNamesMapping()[level], logging.WARNING))
    logging.getLogger("stratopt").setLevel(level)
