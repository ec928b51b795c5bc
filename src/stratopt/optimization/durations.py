"""How long jobs will take, by how long comparable ones took on this server."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from stratopt.optimization.jobs import Ending, Job, JobState

KEPT = 500
"""Ended jobs of a timeframe that are remembered."""
FEWEST = 3
"""Comparable jobs below which nothing is said."""
COMPARABLE = 2.0
"""Jobs are comparable when the evaluations of one are at most so many times those of the other: the rest of a job does not grow with them."""


@dataclass(frozen=True, kw_only=True)
class TimeEstimate:
    """Seconds of all workers together and of the clock, and the ended jobs that this was taken from."""

    worker_seconds: float
    wall_seconds: float
    comparable_jobs: int


class Durations:
    """Evaluations and seconds of the jobs that succeeded since this server was started, by timeframe."""

    def __init__(self) -> None:
        self._ended: defaultdict[str, deque[tuple[int, float]]] = defaultdict(lambda: deque(maxlen=KEPT))

    def note(self, job: Job, ending: Ending) -> None:
        """Remember a job that has ended, unless a checkpoint spared it a part of its evaluations."""
        used = ending.resources
        seconds, evaluations = used.get("wall_seconds", 0.0), int(used.get("evaluations", 0))
        if ending.state is JobState.SUCCEEDED and seconds and evaluations and not used.get("evaluations_resumed"):
            self._ended[job.spec.timeframe].append((evaluations, seconds))

    def estimate(self, work: Iterable[tuple[str, int]], parallel_jobs: int) -> TimeEstimate | None:
        """For jobs of (timeframe, evaluations) on so many workers; None unless each has comparable ones. The median job counts."""
        total = longest = 0.0
        compared = 0
        for (timeframe, evaluations), count in Counter(work).items():
            ended = list(self._ended.get(timeframe, ()))
            rates = [s / e for e, s in ended if max(e, evaluations) <= COMPARABLE * min(e, evaluations)]
            if len(rates) < FEWEST:
                return None
            seconds = median(rates) * evaluations
            total, longest, compared = total + count * seconds, max(longest, seconds), compared + len(rates)
        wall = max(longest, total / parallel_jobs)
        return TimeEstimate(worker_seconds=round(total, 3), wall_seconds=round(wall, 3), comparable_jobs=compared)
