"""How soon waiting jobs leave the queue, by how fast jobs ended lately."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from stratopt.optimization.jobs import Ending, JobState

KEPT = 64
"""Ends that are remembered."""
WINDOW_SECONDS = 300.0
"""Ends that are older say nothing about now."""
FEWEST_ENDS = 3
"""Ends below which nothing is said."""


class DrainRate:
    """When the latest jobs ended since this server was started. Safe for several threads.

    Parameters
    ----------
    clock : callable
        Seconds of a clock that only goes forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends: deque[float] = deque(maxlen=KEPT)

    def note(self, ending: Ending) -> None:
        """Remember that a job has ended now, unless it was cancelled: that frees a worker sooner than work does."""
        if ending.state is not JobState.CANCELLED:
            self._ends.append(self._clock())

    def seconds_until(self, jobs: int) -> float | None:
        """Seconds until so many more jobs have ended; None without enough ends lately."""
        now = self._clock()
        ends = [end for end in list(self._ends) if now - end <= WINDOW_SECONDS]
        if len(ends) < FEWEST_ENDS:
            return None
        return jobs * (now - ends[0]) / (len(ends) - 1)
