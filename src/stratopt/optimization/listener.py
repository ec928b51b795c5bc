"""Who hears what the supervisor sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stratopt.optimization.jobs import BatchState, Ending, Job


def _unheard(*_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Called on the supervisor's thread: an end after it was stored, the code of a write that failed, the kind (``Died``) of each
    death of a worker that was not meant, whether its job is tried again or not.
    """

    job_ended: Callable[[Job, Ending], None] = _unheard
    batch_ended: Callable[[str, BatchState], None] = _unheard
    storage_failed: Callable[[str], None] = _unheard
    worker_died: Callable[[str], None] = _unheard
