"""What the supervisor writes now and then: progress of running jobs, clocks of batches; and what it removes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from stratopt.optimization.job_store import JobStore
from stratopt.optimization.jobs import BatchId, JobId
from stratopt.optimization.retention import Retention
from stratopt.optimization.under_way import Live

PROGRESS_SECONDS = 0.25
CLOCK_SECONDS = 5.0
HOUSEKEEPING_SECONDS = 600.0


class Books:
    """``forget`` hears of each batch that the retention removed."""

    def __init__(self, store: JobStore, retention: Retention, forget: Callable[[str], None]) -> None:
        self._store = store
        self._retention = retention
        self._forget = forget
        self.next_progress = self._next_clock = self._next_housekeeping = 0.0

    def keep(self, used: Mapping[JobId, Mapping[str, float]], live: Mapping[BatchId, Live]) -> None:
        """Write what is due; it stays due when the store cannot."""
        now = time.monotonic()
        progress = dict(used) if now >= self.next_progress else {}
        clocks = {b: batch.elapsed_seconds for b, batch in live.items()} if now >= self._next_clock else {}
        if progress or clocks:
            self._store.progress(progress, clocks)
        if progress:
            self.next_progress = now + PROGRESS_SECONDS
        if now >= self._next_clock:
            self._next_clock = now + CLOCK_SECONDS
        if now >= self._next_housekeeping:
            self._next_housekeeping = now + HOUSEKEEPING_SECONDS
            for batch_id in self._retention.remove_expired(time.time()):
                self._forget(batch_id)
