"""What ``asyncio`` offers under these names, for the client that blocks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def to_thread(function: Callable[Arguments, Answer], *arguments: Arguments.args, **named: Arguments.kwargs) -> Answer:
    """Call ``function`` in this thread."""
    return function(*arguments, **named)
