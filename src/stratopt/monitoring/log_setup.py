"""Logs as JSON lines: one event name, fields beside it, secrets left out."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from stratopt.monitoring.tracing import add_trace

SECRET_NAMES = re.compile(r"authorization|cookie|password|secret|token|(^|_)key$", re.IGNORECASE)
SECRET_VALUES = re.compile(r"stratopt_[A-Za-z0-9_-]{20,}|whsec_[A-Za-z0-9+/=]+")
REDACTED = "[redacted]"


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace values of secret fields and anything that looks like a key."""
    for name, value in event.items():
        if SECRET_NAMES.search(name):
            event[name] = REDACTED
        elif isinstance(value, str):
            event[name] = SECRET_VALUES.sub(REDACTED, value)
    return event


def drop_colour(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Leave out the second, coloured text that uvicorn gives its messages for terminals."""
    event.pop("color_message", None)
    return event


def configure_logging(level: str) -> None:
    """Send every log record of the process to stderr as a JSON line."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        add_trace,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        drop_colour,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        library = logging.getLogger(name)
        library.handlers, library.propagate = [], True
    logging.getLogger("alembic.runtime.plugins").setLevel(max(root.level, logging.WARNING))
