"""The time that a batch will take is told from comparable jobs, or not at all."""

from __future__ import annotations

import pytest

from stratopt.optimization.durations import Durations, TimeEstimate
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.jobs import BatchId, Ending, Failure, Job, JobId, JobState

BROKEN = Ending(
    state=JobState.FAILED,
    failure=Failure(code="strategy_error", message="x"),
    resources={"wall_seconds": 9.0, "evaluations": 100},
)


def seen(*jobs: tuple[str, int, float]) -> Durations:
    durations = Durations()
    for timeframe, evaluations, seconds in jobs:
        durations.note(job(timeframe), succeeded(seconds, evaluations))
    return durations


def job(timeframe: str) -> Job:
    spec = JobSpec(strategy_id="s", strategy="RSI", symbol="BTC", timeframe=timeframe)
    return Job(job_id=JobId("job_1"), batch_id=BatchId("bat_1"), index=0, spec=spec, evaluations_total=20_000)


def succeeded(seconds: float, evaluations: int, resumed: int = 0) -> Ending:
    used = {"wall_seconds": seconds, "evaluations": evaluations, "evaluations_resumed": resumed}
    return Ending(state=JobState.SUCCEEDED, result={}, resources=used)


def test_the_median_of_comparable_jobs_is_scaled_to_the_work() -> None:
    durations = seen(("1d", 100, 1.0), ("1d", 100, 2.0), ("1d", 200, 6.0), ("1d", 10_000, 1.0))
    found = durations.estimate([("1d", 100)] * 4, parallel_jobs=2)
    assert found == TimeEstimate(worker_seconds=8.0, wall_seconds=4.0, comparable_jobs=3)


def test_the_clock_runs_at_least_as_long_as_the_longest_job() -> None:
    found = seen(*[("1d", 100, 1.0)] * 3).estimate([("1d", 200), ("1d", 50)], parallel_jobs=8)
    assert found is not None
    assert (found.worker_seconds, found.wall_seconds) == (2.5, 2.0)


@pytest.mark.parametrize("work", [[("1d", 201)], [("1d", 49)], [("1h", 100)], [("1d", 100), ("1h", 100)]])
def test_without_comparable_jobs_nothing_is_invented(work: list[tuple[str, int]]) -> None:
    assert seen(*[("1d", 100, 1.0)] * 3).estimate(work, parallel_jobs=1) is None
    assert Durations().estimate(work, parallel_jobs=1) is None


def test_two_jobs_are_too_few_and_failures_do_not_count() -> None:
    durations = seen(*[("1d", 100, 1.0)] * 2)
    durations.note(job("1d"), BROKEN)
    assert durations.estimate([("1d", 100)], parallel_jobs=1) is None


def test_a_job_that_went_on_from_a_checkpoint_says_nothing_of_a_whole_one() -> None:
    durations = seen(*[("1d", 100, 1.0)] * 2)
    durations.note(job("1d"), succeeded(0.1, 100, resumed=90))
    assert durations.estimate([("1d", 100)], parallel_jobs=1) is None
