"""What the rows of a store tell of time: limits that were passed (I7) and slots that stood idle beside waiting work (I9)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from stratopt.optimization.batch_manager import BACK_OFF_SECONDS

Row = Mapping[str, Any]
Change = tuple[float, str, str, int]
"""When a job of a batch enters (1) or leaves (-1) a state: it waits, it runs, or it pauses after its worker died."""
GRACE_SECONDS = 0.5
DIED = re.compile("signal |exit code |pipe closed|the worker factory died")


@dataclass(frozen=True)
class Span:
    """From ``begin`` to ``end``, in Unix seconds."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.begin


@dataclass(frozen=True)
class Idle:
    """So many slots stood idle beside waiting work."""

    span: Span
    slots: int


def late_attempts(jobs: Sequence[Row], attempts: Sequence[Row], up: Sequence[Span]) -> list[str]:
    """I7: attempts that a server saw from the beginning to the end and that passed the limit of their job."""
    limits = {job["job_id"]: json.loads(job["spec"])["search"]["timeout_minutes"] * 60 for job in jobs}
    late = []
    for attempt in attempts:
        begin, end = attempt["started_at"], attempt["ended_at"]
        limit = limits[attempt["job_id"]]
        if _seen_whole(begin, end, up) and end - begin > limit + GRACE_SECONDS:
            late.append(f"I7: {attempt['job_id']} ran {end - begin:.2f} s with a limit of {limit:.2f} s")
    return late


def late_batches(batches: Sequence[Row], up: Sequence[Span]) -> list[str]:
    """I7: batches that one server saw from the beginning to the end and that passed their limit."""
    return [
        f"I7: {batch['batch_id']} took {batch['ended_at'] - batch['created_at']:.2f} s of {batch['deadline_seconds']:.2f} s"
        for batch in batches
        if _seen_whole(batch["created_at"], batch["ended_at"], up)
        and batch["ended_at"] - batch["created_at"] > batch["deadline_seconds"] + GRACE_SECONDS
    ]


def idle_spans(
    batches: Sequence[Row], jobs: Sequence[Row], attempts: Sequence[Row], *, slots: int, seen: Sequence[Span]
) -> list[Idle]:
    """I9: when, within ``seen``, slots had nothing to do while a job waited whose batch might have used them; in order of time."""
    parallel = {batch["batch_id"]: batch["parallel_jobs"] for batch in batches}
    count: dict[str, Counter[str]] = {state: Counter() for state in ("waits", "runs", "pauses")}
    changes = sorted(_changes(jobs, attempts))
    found = []
    for (now, batch_id, state, step), (following, *_) in pairwise([*changes, *changes[-1:]]):
        count[state][batch_id] += step
        room = {b: parallel[b] - count["runs"][b] - count["pauses"][b] for b in parallel}
        wanted = sum(max(0, min(waiting, room[b])) for b, waiting in count["waits"].items())
        unused = min(wanted, slots - count["runs"].total())
        if unused > 0 and following > now:
            pieces = [Span(max(now, span.begin), min(following, span.end)) for span in seen]
            found += [Idle(piece, unused) for piece in pieces if piece.end > piece.begin]
    return sorted(found, key=lambda idle: idle.span.begin)


def slot_seconds(idle: Sequence[Idle]) -> float:
    """All of it together."""
    return sum(part.slots * part.span.seconds for part in idle)


def longest_stretch(idle: Sequence[Idle]) -> Span:
    """The longest time without a break in which at least one slot was idle."""
    longest = stretch = Span(0.0, 0.0)
    for part in idle:
        begin = stretch.begin if part.span.begin <= stretch.end else part.span.begin
        stretch = Span(begin, max(part.span.end, stretch.end))
        longest = max(longest, stretch, key=lambda span: span.seconds)
    return longest


def starts(up: Sequence[Span], attempts: Sequence[Row]) -> list[Span]:
    """From each start until an attempt of that server has ended: before, the factory of its workers may be on its way still."""
    ends = [
        (span, [a["ended_at"] for a in attempts if span.begin <= a["started_at"] and a["ended_at"] <= span.end])
        for span in up
    ]
    return [Span(span.begin, min(first, default=span.end)) for span, first in ends]


def died(attempt: Row) -> bool:
    """Whether its worker ended without an answer."""
    return bool(attempt["outcome"] == "worker_died" or DIED.match(attempt["outcome"]))


def without(spans: Sequence[Span], excused: Sequence[Span]) -> list[Span]:
    """``spans`` with ``excused`` cut out."""
    left = list(spans)
    for hole in excused:
        pieces = [(Span(s.begin, min(s.end, hole.begin)), Span(max(s.begin, hole.end), s.end)) for s in left]
        left = [piece for pair in pieces for piece in pair if piece.end > piece.begin]
    return left


def _seen_whole(begin: float, end: float, up: Sequence[Span]) -> bool:
    return any(span.begin <= begin and end <= span.end for span in up)


def _changes(jobs: Sequence[Row], attempts: Sequence[Row]) -> Iterator[Change]:
    of_job: dict[str, list[Row]] = {}
    for attempt in sorted(attempts, key=lambda attempt: attempt["fence"]):
        of_job.setdefault(attempt["job_id"], []).append(attempt)
    for job in jobs:
        batch_id, since, deaths = job["batch_id"], job["created_at"], 0
        for attempt in of_job.get(job["job_id"], ()):
            begin, end = attempt["started_at"], attempt["ended_at"]
            yield from _state(batch_id, "waits", since, begin)
            yield from _state(batch_id, "runs", begin, end)
            since = end
            if died(attempt) and end < job["ended_at"]:
                since = min(end + BACK_OFF_SECONDS[min(deaths, len(BACK_OFF_SECONDS) - 1)], job["ended_at"])
                yield from _state(batch_id, "pauses", end, since)
                deaths += 1
        yield from _state(batch_id, "waits", since, job["ended_at"])


def _state(batch_id: str, state: str, begin: float, end: float) -> Iterator[Change]:
    if end > begin:
        yield begin, batch_id, state, 1
        yield end, batch_id, state, -1
