"""The offline checks of chaos see what they look for: made-up histories of one or two slots."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .timeline import (
    Idle,
    Span,
    died,
    idle_spans,
    late_attempts,
    late_batches,
    longest_stretch,
    slot_seconds,
    starts,
    without,
)

UP = [Span(0.0, 100.0)]


def batch(name: str = "b", parallel_jobs: int = 2, ended_at: float = 10.0) -> dict[str, Any]:
    return {
        "batch_id": name,
        "parallel_jobs": parallel_jobs,
        "created_at": 0.0,
        "ended_at": ended_at,
        "deadline_seconds": 10.0,
    }


def job(name: str, ended_at: float, batch_id: str = "b", created_at: float = 0.0) -> dict[str, Any]:
    spec = json.dumps({"search": {"timeout_minutes": 2 / 60}})
    return {"job_id": name, "batch_id": batch_id, "created_at": created_at, "ended_at": ended_at, "spec": spec}


def attempt(of: str, begin: float, end: float, outcome: str = "succeeded", fence: int = 1) -> dict[str, Any]:
    return {"job_id": of, "fence": fence, "started_at": begin, "ended_at": end, "outcome": outcome}


def idle(jobs: list[dict[str, Any]], attempts: list[dict[str, Any]], parallel_jobs: int = 2) -> float:
    return slot_seconds(idle_spans([batch(parallel_jobs=parallel_jobs)], jobs, attempts, slots=2, seen=UP))


def test_a_slot_that_waits_beside_a_queued_job_is_idle() -> None:
    jobs = [job("a", 4.0), job("b", 4.0), job("c", 6.0)]
    busy = [attempt("a", 0.0, 4.0), attempt("b", 0.0, 4.0)]
    assert idle(jobs, [*busy, attempt("c", 4.0, 6.0)]) == 0.0
    assert idle(jobs, [*busy, attempt("c", 4.5, 6.0)]) == 0.5
    assert idle(jobs[:1], [attempt("a", 1.0, 4.0)]) == 1.0


def test_a_batch_that_may_not_use_the_slot_leaves_it_idle_rightly() -> None:
    jobs = [job("a", 4.0), job("b", 8.0)]
    attempts = [attempt("a", 0.0, 4.0), attempt("b", 4.0, 8.0)]
    assert idle(jobs, attempts, parallel_jobs=1) == 0.0
    assert idle(jobs, attempts) == 4.0


def test_the_pause_before_a_retry_is_no_waiting() -> None:
    jobs = [job("a", 4.0)]
    assert idle(jobs, [attempt("a", 0.0, 1.0, "signal SIGKILL"), attempt("a", 1.2, 4.0, fence=2)]) == 0.0
    late = [attempt("a", 0.0, 1.0, "signal SIGKILL"), attempt("a", 1.5, 4.0, fence=2)]
    assert idle(jobs, late) == pytest.approx(0.3)


def test_a_job_that_pauses_leaves_its_slot_to_other_batches_only() -> None:
    first = [attempt("a", 0.0, 1.0, "signal SIGKILL"), attempt("a", 1.2, 4.0, fence=2)]
    jobs = [job("a", 4.0), job("c", 4.0, batch_id="other", created_at=1.0)]
    both = [batch(parallel_jobs=1), batch("other", parallel_jobs=1)]
    late = attempt("c", 1.1, 4.0)
    found = idle_spans(both, jobs, [*first, late], slots=1, seen=UP)
    assert slot_seconds(found) == pytest.approx(0.1)
    assert idle([job("a", 4.0), job("c", 4.0)], [*first, late], parallel_jobs=1) == 0.0


def test_a_job_that_was_cancelled_in_the_queue_waited_until_then() -> None:
    assert idle([job("a", 3.0)], []) == 3.0


def test_only_what_was_seen_counts() -> None:
    seen = without([Span(0.0, 4.0), Span(6.0, 9.0)], [Span(1.0, 2.0), Span(3.5, 7.0)])
    assert seen == [Span(0.0, 1.0), Span(2.0, 3.5), Span(7.0, 9.0)]
    assert slot_seconds(idle_spans([batch()], [job("a", 10.0)], [], slots=2, seen=seen)) == 4.5


def test_nothing_that_happened_left_no_slot_idle() -> None:
    assert idle([], []) == 0.0
    assert longest_stretch([]).seconds == 0.0


def test_a_slot_that_hangs_once_is_seen_however_much_is_idle_in_small_pieces() -> None:
    """Two slots, one or both idle from 2 to 5 without a break, and for moments before and after."""
    jobs = [job(name, 9.0) for name in ("a", "b", "c", "d")]
    attempts = [attempt("a", 0.1, 2.0), attempt("b", 0.1, 4.0), attempt("c", 5.0, 8.0), attempt("d", 5.0, 9.0)]
    found = idle_spans(
        [batch()],
        [{**j, "ended_at": a["ended_at"]} for j, a in zip(jobs, attempts, strict=True)],
        attempts,
        slots=2,
        seen=UP,
    )
    assert longest_stretch(found) == Span(2.0, 5.0)
    assert slot_seconds(found) == pytest.approx(0.2 + 2.0 + 2.0)


def test_stretches_end_where_something_is_excused_or_busy() -> None:
    idle = [Idle(Span(0.0, 1.0), 1), Idle(Span(1.0, 1.5), 2), Idle(Span(2.0, 3.2), 1)]
    assert longest_stretch(idle) == Span(0.0, 1.5)
    seen = without(UP, [Span(3.0, 4.0)])
    assert longest_stretch(idle_spans([batch()], [job("a", 8.0)], [], slots=2, seen=seen)) == Span(4.0, 8.0)


def test_a_start_lasts_until_an_attempt_of_that_server_has_ended() -> None:
    up = [Span(0.0, 10.0), Span(20.0, 30.0), Span(40.0, 50.0)]
    attempts = [attempt("a", 2.0, 5.0), attempt("b", 2.0, 4.0), attempt("c", 9.0, 21.0), attempt("c", 22.0, 25.0)]
    assert starts(up, attempts) == [Span(0.0, 4.0), Span(20.0, 25.0), Span(40.0, 50.0)]


def test_an_attempt_past_its_limit_is_late_unless_a_restart_cut_it() -> None:
    jobs = [job("a", 3.0)]
    assert late_attempts(jobs, [attempt("a", 0.0, 2.4)], UP) == []
    (told,) = late_attempts(jobs, [attempt("a", 0.0, 2.6)], UP)
    assert told == "I7: a ran 2.60 s with a limit of 2.00 s"
    assert late_attempts(jobs, [attempt("a", 0.0, 2.6)], [Span(0.0, 1.0), Span(2.0, 3.0)]) == []


def test_a_batch_past_its_limit_is_late() -> None:
    assert late_batches([batch(ended_at=10.4)], UP) == []
    assert len(late_batches([batch(ended_at=10.6)], UP)) == 1


@pytest.mark.parametrize("outcome", ["signal SIGSEGV", "exit code 7", "pipe closed", "worker_died"])
def test_deaths_are_told_from_answers(outcome: str) -> None:
    assert died(attempt("a", 0, 1, outcome))
    assert not died(attempt("a", 0, 1, "strategy_error"))
