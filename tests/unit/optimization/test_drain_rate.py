"""How soon the queue has room, by how fast jobs ended lately."""

from __future__ import annotations

import pytest

from stratopt.optimization.drain_rate import FEWEST_ENDS, KEPT, WINDOW_SECONDS, DrainRate
from stratopt.optimization.jobs import Ending, Failure, JobState

SUCCESS = Ending(state=JobState.SUCCEEDED, result={})
FAILED = Ending(state=JobState.FAILED, failure=Failure(code="strategy_error", message="it broke"))
CANCELLED = Ending(state=JobState.CANCELLED, failure=Failure(code="cancelled", message="it was cancelled"))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def ends(rate: DrainRate, clock: Clock, count: int, *, every: float, ending: Ending = SUCCESS) -> None:
    for _ in range(count):
        clock.now += every
        rate.note(ending)


def test_without_a_measurement_nothing_is_said(clock: Clock) -> None:
    rate = DrainRate(clock)
    assert rate.seconds_until(1) is None
    ends(rate, clock, FEWEST_ENDS - 1, every=2.0)
    assert rate.seconds_until(1) is None


@pytest.mark.parametrize("ending", [SUCCESS, FAILED])
def test_room_comes_as_fast_as_jobs_ended_lately(clock: Clock, ending: Ending) -> None:
    rate = DrainRate(clock)
    ends(rate, clock, 11, every=0.5, ending=ending)
    assert rate.seconds_until(1) == pytest.approx(0.5)
    assert rate.seconds_until(30) == pytest.approx(15.0)


def test_a_queue_that_stands_still_is_told_slower_and_slower(clock: Clock) -> None:
    rate = DrainRate(clock)
    ends(rate, clock, 11, every=1.0)
    clock.now += 10.0
    assert rate.seconds_until(1) == pytest.approx(2.0)


def test_jobs_that_were_cancelled_say_nothing_about_the_speed(clock: Clock) -> None:
    rate = DrainRate(clock)
    ends(rate, clock, 11, every=1.0)
    ends(rate, clock, 5, every=0.0, ending=CANCELLED)
    assert rate.seconds_until(1) == pytest.approx(1.0)


def test_only_what_ended_lately_counts(clock: Clock) -> None:
    rate = DrainRate(clock)
    ends(rate, clock, KEPT, every=1.0)
    ends(rate, clock, KEPT, every=0.1)
    assert rate.seconds_until(1) == pytest.approx(0.1)
    clock.now += WINDOW_SECONDS + 1.0
    assert rate.seconds_until(1) is None


def test_many_ends_at_one_moment_do_not_break_it(clock: Clock) -> None:
    rate = DrainRate(clock)
    ends(rate, clock, FEWEST_ENDS, every=0.0)
    assert rate.seconds_until(5) == 0.0
