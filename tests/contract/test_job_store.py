"""The durability contract of JobStore."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from uuid import uuid4

import pytest

from stratopt.optimization.batch_summary import BatchScope, BestJob
from stratopt.optimization.exceptions import BatchOptimizationError, ConcurrencyError, ResourceExhaustionError
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.job_store import IdempotencyKey, JobStore, QueueLimits
from stratopt.optimization.jobs import (
    Batch,
    BatchId,
    BatchState,
    Ending,
    EvaluationCounts,
    ExpiredBatch,
    Failure,
    Job,
    JobId,
    JobState,
    counts_of_new_batch,
)
from stratopt.storage.dialects import sqlite_engines
from stratopt.storage.memory_job_store import MemoryJobStore
from stratopt.storage.migrate import migrate
from stratopt.storage.sql_job_store import SqlJobStore

SUCCESS = Ending(state=JobState.SUCCEEDED, result={"summary": {"x": 1}, "artifacts": {"trials": "a" * 64 + ".parquet"}})
FAILURE = Ending(state=JobState.FAILED, failure=Failure(code="strategy_error", message="it broke"))
DIED = Ending(state=JobState.FAILED, failure=Failure(code="worker_died", message="it died"))
CANCELLED = Ending(state=JobState.CANCELLED, failure=Failure(code="cancelled", message="it was cancelled"))


def open_sqlite(folder: Path) -> SqlJobStore:
    writer, reader = sqlite_engines(folder / "store.sqlite")
    migrate(writer)
    return SqlJobStore(writer, reader)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobStore]:
    store: JobStore = MemoryJobStore() if request.param == "memory" else open_sqlite(tmp_path)
    yield store
    store.close()


def make_batch(
    jobs: int = 2, *, created_at: float = 1.0, priority: int = 0, owner: str = ""
) -> tuple[Batch, list[Job]]:
    batch_id = BatchId(f"bat_{uuid4().hex}")
    spec = JobSpec(strategy_id="s", strategy="RSI", symbol="BTC", timeframe="1d", start_date="2015-01-01")
    batch = Batch(
        batch_id=batch_id,
        state=BatchState.QUEUED,
        counts=counts_of_new_batch(jobs),
        request={},
        parallel_jobs=2,
        seed=0,
        created_at=created_at,
        priority=priority,
        owner=owner,
        scope=BatchScope.of([spec] * jobs),
    )
    return batch, [
        Job(
            job_id=JobId(f"job_{uuid4().hex}"),
            batch_id=batch_id,
            index=i,
            spec=spec,
            evaluations_total=10,
            created_at=created_at,
        )
        for i in range(jobs)
    ]


def test_what_ended_jobs_cost_is_added_up(store: JobStore) -> None:
    batch, jobs = make_batch(3)
    store.submit(batch, jobs)
    costs = [
        {"wall_seconds": 2.0, "cpu_seconds": 1.5, "peak_memory_bytes": 300, "evaluations": 7},
        {"wall_seconds": 1.0, "cpu_seconds": 0.5, "peak_memory_bytes": 200, "evaluations": 4},
        {},
    ]
    for used in costs:
        job = store.claim(full_batches=[], now=1.0)
        assert job is not None
        store.finish(job.job_id, job.fence, replace(SUCCESS, resources=used), 2.0)
    found = store.batch(batch.batch_id)
    assert found is not None
    assert (found.worker_seconds, found.cpu_seconds) == (3.0, 2.0)
    assert (found.peak_memory_bytes, found.evaluations) == (300, 11)
    assert [job.evaluations_done for job in store.jobs(batch.batch_id)] == [7, 4, 0]


TOLD = {"wall_seconds": 2.0, "cpu_seconds": 1.5, "peak_memory_bytes": 300, "evaluations": 7, "evaluations_resumed": 0}
LAST = {"wall_seconds": 1.0, "cpu_seconds": 0.5, "peak_memory_bytes": 200, "evaluations": 10, "evaluations_resumed": 6}


@pytest.mark.parametrize("cut_by", ["death", "death that told more", "restart"])
def test_what_a_lost_attempt_told_is_in_the_sums(store: JobStore, cut_by: str) -> None:
    """Evaluations that the next attempt reads from a checkpoint count once."""
    batch, jobs = make_batch(1)
    store.submit(batch, jobs)
    store.claim(full_batches=[], now=1.0)
    store.progress({jobs[0].job_id: TOLD}, {})
    if cut_by == "restart":
        store.recover(2.0)
    else:
        used = {**TOLD, "wall_seconds": 2.5, "evaluations": 8} if "more" in cut_by else None
        assert store.release(jobs[0].job_id, 1, "signal SIGKILL", 2.0, used)
    more = "more" in cut_by
    found = store.batch(batch.batch_id)
    assert found is not None
    assert (found.worker_seconds, found.cpu_seconds) == (2.5 if more else 2.0, 1.5)
    assert (found.evaluations, found.peak_memory_bytes, found.lost_attempts) == (8 if more else 7, 300, 1)
    again = store.claim(full_batches=[], now=3.0)
    assert again is not None
    assert again.resources == {}
    store.finish(again.job_id, again.fence, replace(SUCCESS, resources=LAST), 4.0)
    found = store.batch(batch.batch_id)
    assert found is not None
    assert (found.worker_seconds, found.cpu_seconds) == (3.5 if more else 3.0, 2.0)
    assert (found.evaluations, found.peak_memory_bytes, found.lost_attempts) == (12 if more else 11, 300, 1)


def test_an_attempt_that_told_nothing_is_counted_and_nothing_is_invented(store: JobStore) -> None:
    batch, jobs = make_batch(3)
    store.submit(batch, jobs)
    for _ in range(2):
        store.claim(full_batches=[], now=1.0)
    store.release(jobs[0].job_id, 1, "signal SIGSEGV", 2.0)
    store.finish(jobs[1].job_id, 1, DIED, 2.0)
    store.end_queued(batch.batch_id, CANCELLED, 3.0)
    found = store.batch(batch.batch_id)
    assert found is not None
    assert (found.worker_seconds, found.cpu_seconds, found.evaluations, found.peak_memory_bytes) == (0.0, 0.0, 0, 0)
    assert found.lost_attempts == 2


def test_what_was_submitted_is_there_after_a_restart(tmp_path: Path) -> None:
    batch, jobs = make_batch(3)
    first = open_sqlite(tmp_path)
    first.submit(batch, jobs)
    first.close()
    second = open_sqlite(tmp_path)
    assert second.batch(batch.batch_id) == batch
    assert list(second.jobs(batch.batch_id)) == jobs
    second.close()


def test_jobs_are_claimed_in_order_and_once(store: JobStore) -> None:
    batch, jobs = make_batch(2)
    store.submit(batch, jobs)
    claimed = [store.claim(full_batches=[], now=5.0) for _ in range(3)]
    assert [job and job.job_id for job in claimed] == [jobs[0].job_id, jobs[1].job_id, None]
    assert claimed[0] is not None
    assert (claimed[0].state, claimed[0].attempts, claimed[0].started_at) == (JobState.RUNNING, 1, 5.0)


def test_a_full_batch_waits_and_the_fewest_running_go_first(store: JobStore) -> None:
    large, large_jobs = make_batch(5, created_at=1.0)
    small, small_jobs = make_batch(1, created_at=2.0)
    store.submit(large, large_jobs)
    store.submit(small, small_jobs)
    order = [store.claim(full_batches=[], now=3.0) for _ in range(3)]
    assert [job and job.batch_id for job in order] == [large.batch_id, small.batch_id, large.batch_id]
    assert store.claim(full_batches=[large.batch_id], now=3.0) is None


def test_higher_priority_goes_first(store: JobStore) -> None:
    early, early_jobs = make_batch(1, created_at=1.0)
    urgent, urgent_jobs = make_batch(1, created_at=2.0, priority=5)
    store.submit(early, early_jobs)
    store.submit(urgent, urgent_jobs)
    claimed = store.claim(full_batches=[], now=3.0)
    assert claimed is not None
    assert claimed.batch_id == urgent.batch_id


def test_owners_take_turns_whatever_their_priorities(store: JobStore) -> None:
    """A priority orders an owner's batches; it keeps nobody else waiting, but for the first of two turns."""
    made = {
        name: make_batch(4, created_at=at, priority=priority, owner=owner)
        for name, owner, priority, at in (
            ("modest", "a", 0, 1.0),
            ("loud", "b", 10, 2.0),
            ("louder", "b", 10, 3.0),
            ("late", "a", 5, 4.0),
        )
    }
    for batch, jobs in made.values():
        store.submit(batch, jobs)
    names = {batch.batch_id: name for name, (batch, _) in made.items()}
    claimed = [store.claim(full_batches=[], now=5.0) for _ in range(6)]
    order = [names[job.batch_id] for job in claimed if job]
    assert order == ["loud", "late", "louder", "late", "loud", "late"]


def test_a_terminal_row_never_changes(store: JobStore) -> None:
    batch, jobs = make_batch(1)
    store.submit(batch, jobs)
    store.claim(full_batches=[], now=1.0)
    assert store.finish(jobs[0].job_id, 1, SUCCESS, 2.0) is not None
    assert store.finish(jobs[0].job_id, 1, FAILURE, 3.0) is None
    assert store.release(jobs[0].job_id, 1, "late", 3.0) is False
    job = store.job(jobs[0].job_id)
    assert job is not None
    assert (job.state, job.result, job.ended_at) == (JobState.SUCCEEDED, SUCCESS.result, 2.0)


def test_an_old_attempt_cannot_write(store: JobStore) -> None:
    batch, jobs = make_batch(1)
    store.submit(batch, jobs)
    store.claim(full_batches=[], now=1.0)
    assert store.release(jobs[0].job_id, 1, "signal SIGKILL", 2.0)
    store.claim(full_batches=[], now=2.0)
    assert store.finish(jobs[0].job_id, 1, FAILURE, 3.0) is None
    assert store.finish(jobs[0].job_id, 2, SUCCESS, 3.0) is not None


def test_the_end_of_one_job_and_the_start_of_the_next_are_one_move(store: JobStore) -> None:
    batch, jobs = make_batch(2)
    store.submit(batch, jobs)
    store.claim(full_batches=[], now=1.0)
    event, following = store.finish_and_claim(jobs[0].job_id, 1, SUCCESS, full_batches=[], now=2.0)
    assert event is not None
    assert following is not None
    assert (event.seq, event.data["job_id"]) == (1, jobs[0].job_id)
    assert (following.job_id, following.fence, following.started_at) == (jobs[1].job_id, 1, 2.0)
    late, nothing = store.finish_and_claim(jobs[0].job_id, 1, FAILURE, full_batches=[], now=3.0)
    assert (late, nothing) == (None, None)
    found = store.batch(batch.batch_id)
    assert found is not None
    assert (found.counts["queued"], found.counts["running"], found.counts["succeeded"]) == (0, 1, 1)


def test_a_full_batch_gives_no_next_job(store: JobStore) -> None:
    batch, jobs = make_batch(2)
    store.submit(batch, jobs)
    store.claim(full_batches=[], now=1.0)
    event, following = store.finish_and_claim(jobs[0].job_id, 1, SUCCESS, full_batches=[batch.batch_id], now=2.0)
    assert event is not None
    assert following is None


def test_counts_follow_the_rows_and_events_have_no_hole(store: JobStore) -> None:
    batch, jobs = make_batch(4)
    store.submit(batch, jobs)
    for ending in (SUCCESS, FAILURE):
        job = store.claim(full_batches=[], now=1.0)
        assert job is not None
        store.finish(job.job_id, 1, ending, 2.0)
    store.claim(full_batches=[], now=3.0)
    cancelled = Ending(state=JobState.CANCELLED, failure=Failure(code="cancelled", message="no"))
    assert len(store.end_queued(batch.batch_id, cancelled, 4.0)) == 1
    found = store.batch(batch.batch_id)
    assert found is not None
    assert found.counts == {
        "total": 4,
        "queued": 0,
        "running": 1,
        "succeeded": 1,
        "failed": 1,
        "timed_out": 0,
        "cancelled": 1,
    }
    states = [job.state.value for job in store.jobs(batch.batch_id)]
    assert {state: states.count(state) for state in set(states)} == {
        k: v for k, v in found.counts.items() if v and k != "total"
    }
    assert [event.seq for event in store.events(batch.batch_id)] == [1, 2, 3]


def test_a_batch_ends_only_when_nothing_is_left(store: JobStore) -> None:
    batch, jobs = make_batch(1)
    store.submit(batch, jobs)
    assert store.end_batch(batch.batch_id, BatchState.COMPLETED, 1.0) is None
    store.claim(full_batches=[], now=1.0)
    store.finish(jobs[0].job_id, 1, SUCCESS, 2.0)
    ended = store.end_batch(batch.batch_id, BatchState.COMPLETED, 3.0)
    assert ended is not None
    assert (ended.seq, ended.kind) == (2, "batch.ended")
    assert store.end_batch(batch.batch_id, BatchState.FAILED, 4.0) is None
    assert store.unfinished() == []


def test_recovery_requeues_what_a_dead_server_left(store: JobStore) -> None:
    batch, jobs = make_batch(2)
    store.submit(batch, jobs)
    store.claim(full_batches=[], now=1.0)
    assert store.recover(2.0) == 1
    assert store.recover(2.0) == 0
    found = store.batch(batch.batch_id)
    assert found is not None
    assert (found.counts["queued"], found.counts["running"]) == (2, 0)
    again = store.claim(full_batches=[], now=3.0)
    assert again is not None
    assert (again.job_id, again.fence, again.attempts) == (jobs[0].job_id, 2, 1)
    assert store.finish(again.job_id, 1, SUCCESS, 4.0) is None


def test_a_worker_that_died_counts_as_an_attempt(store: JobStore) -> None:
    batch, jobs = make_batch(1)
    store.submit(batch, jobs)
    for fence in (1, 2, 3):
        job = store.claim(full_batches=[], now=1.0)
        assert job is not None
        assert (job.fence, job.attempts) == (fence, fence)
        store.release(job.job_id, fence, "signal SIGSEGV", 2.0)


def test_an_owner_with_less_running_goes_first(store: JobStore) -> None:
    for owner, created_at in (("busy", 1.0), ("busy", 2.0), ("idle", 3.0)):
        store.submit(*make_batch(2, owner=owner, created_at=created_at))
    claimed = [store.claim(full_batches=[], now=4.0) for _ in range(4)]
    owners = [store.batch(job.batch_id).owner for job in claimed if job is not None]  # type: ignore[union-attr]
    assert owners == ["busy", "idle", "busy", "idle"]


def test_limits_are_checked_where_the_batch_is_stored(store: JobStore) -> None:
    limits = QueueLimits(max_queued_jobs=5, max_active_batches=2)
    store.submit(*make_batch(3, owner="a"), None, limits)
    too_large = make_batch(3, owner="a")
    with pytest.raises(ResourceExhaustionError, match="limit of 5") as full:
        store.submit(*too_large, None, limits)
    assert full.value.code == "queue_full"
    assert store.batch(too_large[0].batch_id) is None
    store.submit(*make_batch(1, owner="a"), None, limits)
    with pytest.raises(ResourceExhaustionError) as many:
        store.submit(*make_batch(1, owner="a"), None, limits)
    assert many.value.code == "too_many_active_batches"
    store.submit(*make_batch(1, owner="b"), None, limits)


def test_a_full_queue_says_when_it_has_room(store: JobStore) -> None:
    asked: list[int] = []

    def half_a_second_each(jobs: int) -> float:
        asked.append(jobs)
        return jobs / 2

    limits = QueueLimits(max_queued_jobs=5, max_active_batches=9, seconds_until_room=half_a_second_each)
    store.submit(*make_batch(4), None, limits)
    assert asked == []
    with pytest.raises(ResourceExhaustionError) as full:
        store.submit(*make_batch(4), None, limits)
    assert (asked, full.value.context["room_in_seconds"]) == ([3], 1.5)


def test_progress_is_kept_for_running_jobs_only(store: JobStore) -> None:
    batch, jobs = make_batch(2)
    store.submit(batch, jobs)
    store.claim(full_batches=[], now=1.0)
    store.progress({job.job_id: {"evaluations": 7} for job in jobs}, {batch.batch_id: 12.5})
    assert [job.evaluations_done for job in store.jobs(batch.batch_id)] == [7, 0]
    assert store.evaluations(batch.batch_id) == EvaluationCounts(done=7, settled=7, total=20)
    found = store.batch(batch.batch_id)
    assert found is not None
    assert found.elapsed_seconds == 12.5


def test_evaluations_that_were_cancelled_are_settled_and_not_done(store: JobStore) -> None:
    batch, jobs = make_batch(2)
    store.submit(batch, jobs)
    job = store.claim(full_batches=[], now=1.0)
    assert job is not None
    store.progress({job.job_id: {"evaluations": 7}}, {})
    store.finish(job.job_id, job.fence, CANCELLED, 2.0)
    assert store.evaluations(batch.batch_id) == EvaluationCounts(done=7, settled=10, total=20)
    store.end_queued(batch.batch_id, CANCELLED, 3.0)
    assert store.evaluations(batch.batch_id) == EvaluationCounts(done=7, settled=20, total=20)
    assert store.evaluations("bat_none") == EvaluationCounts(done=0, settled=0, total=0)


def test_a_batch_expires_when_it_has_ended_and_its_time_is_over(store: JobStore) -> None:
    batch, jobs = make_batch(1)
    store.submit(replace(batch, expires_at=10.0), jobs)
    assert store.expired(20.0) == []
    store.end_queued(
        batch.batch_id, Ending(state=JobState.CANCELLED, failure=Failure(code="cancelled", message="no")), 1.0
    )
    store.end_batch(batch.batch_id, BatchState.CANCELLED, 2.0)
    assert store.expired(9.0) == []
    assert store.expired(20.0) == [batch.batch_id]


def test_jobs_are_found_by_id_and_by_strategy(store: JobStore) -> None:
    batch, jobs = make_batch(2)
    store.submit(batch, jobs)
    assert [job.job_id for job in store.jobs(batch.batch_id, name=jobs[1].job_id)] == [jobs[1].job_id]
    assert len(store.jobs(batch.batch_id, name="s")) == 2
    assert store.jobs(batch.batch_id, name="nobody") == []


def test_a_key_makes_one_batch_and_refuses_another_body(store: JobStore) -> None:
    key = IdempotencyKey(owner="o", path="/p", key="k", body_hash="h")
    first, first_jobs = make_batch(1)
    second, second_jobs = make_batch(1)
    store.submit(first, first_jobs, key)
    replay = store.submit(second, second_jobs, key)
    assert (replay.replayed, replay.batch.batch_id) == (True, first.batch_id)
    assert store.batch(second.batch_id) is None
    other = replace(key, body_hash="other")
    with pytest.raises(ConcurrencyError, match="another request"):
        store.submit(second, second_jobs, other)
    with pytest.raises(ConcurrencyError, match="another request"):
        store.earlier(other, 1.0)
    stranger, stranger_jobs = make_batch(1)
    assert not store.submit(
        stranger, stranger_jobs, IdempotencyKey(owner="x", path="/p", key="k", body_hash="h")
    ).replayed


@pytest.mark.parametrize(("seconds", "replayed"), [(86_400.0, True), (86_401.0, False)])
def test_a_key_is_forgotten_after_a_day(store: JobStore, seconds: float, replayed: bool) -> None:
    key = IdempotencyKey(owner="o", path="/p", key="k", body_hash="h")
    first, first_jobs = make_batch(1)
    later, later_jobs = make_batch(1, created_at=1.0 + seconds)
    store.submit(first, first_jobs, key)
    assert (store.earlier(key, later.created_at) is not None) == replayed
    assert store.submit(later, later_jobs, key).replayed == replayed
    known = store.earlier(key, later.created_at)
    assert known is not None
    assert known.batch_id == (first if replayed else later).batch_id


def test_the_batch_of_a_key_is_looked_up_without_a_submission(store: JobStore) -> None:
    key = IdempotencyKey(owner="o", path="/p", key="k", body_hash="h")
    assert store.earlier(key, 1.0) is None
    batch, jobs = make_batch(1)
    store.submit(batch, jobs, key)
    store.claim(full_batches=[], now=2.0)
    assert store.earlier(key, 3.0) == store.batch(batch.batch_id)
    for name in ("owner", "path", "key"):
        assert store.earlier(replace(key, **{name: "x"}), 3.0) is None
    store.finish(jobs[0].job_id, 1, SUCCESS, 4.0)
    store.end_batch(batch.batch_id, BatchState.COMPLETED, 5.0)
    store.delete_batch(batch.batch_id)
    assert store.earlier(key, 6.0) is None


def test_a_running_batch_cannot_be_deleted_and_others_stay(store: JobStore) -> None:
    kept, kept_jobs = make_batch(1)
    gone, gone_jobs = make_batch(1)
    for batch, jobs in ((kept, kept_jobs), (gone, gone_jobs)):
        store.submit(batch, jobs)
        with pytest.raises(BatchOptimizationError, match="cancel it first"):
            store.delete_batch(batch.batch_id)
        claimed = store.claim(full_batches=[], now=1.0)
        assert claimed is not None
        store.finish(claimed.job_id, 1, SUCCESS, 2.0)
        store.end_batch(batch.batch_id, BatchState.COMPLETED, 3.0)
    for _ in range(2):
        store.delete_batch(gone.batch_id)
    assert store.batch(gone.batch_id) is None
    assert (store.job(gone_jobs[0].job_id), store.events(gone.batch_id)) == (None, [])
    assert set(store.batch_ids()) == {kept.batch_id}
    assert store.job(kept_jobs[0].job_id) is not None


def test_what_has_a_higher_priority_or_is_older_comes_before(store: JobStore) -> None:
    made = [
        make_batch(jobs, created_at=at, priority=priority)
        for jobs, at, priority in ((1, 1.0, 0), (2, 2.0, 5), (4, 3.0, 0))
    ]
    for batch, jobs in made:
        store.submit(batch, jobs)
    assert [store.position(batch.batch_id) for batch, _ in made] == [2, 0, 3]


def test_lists_are_newest_first_and_continue_after_a_position(store: JobStore) -> None:
    made = [make_batch(1, created_at=float(i)) for i in range(5)]
    for batch, jobs in made:
        store.submit(batch, jobs)
    first = store.batches(limit=2)
    rest = store.batches(before=(first[-1].created_at, first[-1].batch_id), limit=9)
    assert [b.created_at for b in [*first, *rest]] == [4.0, 3.0, 2.0, 1.0, 0.0]
    assert [b.created_at for b in store.batches(created_after=2.5)] == [4.0, 3.0]


def test_the_time_of_keeping_begins_with_the_end(store: JobStore) -> None:
    """A batch that ran longer than batches are kept is not gone when it ends."""
    batch, jobs = make_batch(1, created_at=1.0)
    store.submit(replace(batch, expires_at=11.0), jobs)
    claimed = store.claim(full_batches=[], now=2.0)
    assert claimed is not None
    store.finish(claimed.job_id, 1, SUCCESS, 50.0)
    store.end_batch(batch.batch_id, BatchState.COMPLETED, 50.0)
    assert (store.expired(59.0), store.expired(61.0)) == ([], [batch.batch_id])


def success(sharpe_ratio: float | None) -> Ending:
    return replace(SUCCESS, result={"out_of_sample": {"metrics": {"sharpe_ratio": sharpe_ratio}}})


def end_all(store: JobStore, jobs: Sequence[Job], endings: Sequence[Ending], order: Sequence[int]) -> None:
    for _ in jobs:
        store.claim(full_batches=[], now=1.0)
    for i in order:
        assert store.finish(jobs[i].job_id, 1, endings[i], 2.0) is not None


def best_of(store: JobStore, batch_id: str) -> BestJob | None:
    found = store.batch(batch_id)
    assert found is not None
    (listed,) = (b for b in store.batches() if b.batch_id == batch_id)
    assert listed.best == found.best
    return found.best


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_the_best_job_is_the_same_in_whatever_order_they_end(store: JobStore, order: Sequence[int]) -> None:
    """The highest out-of-sample Sharpe ratio wins, of equal ones the earlier job; a ratio that is not known never does."""
    batch, jobs = make_batch(4)
    store.submit(batch, jobs)
    end_all(store, jobs, [success(0.5), success(1.25), success(None), success(1.25)], order)
    same = {"strategy_id": "s", "symbol": "BTC", "timeframe": "1d"}
    assert best_of(store, batch.batch_id) == BestJob(index=1, job_id=jobs[1].job_id, sharpe_ratio=1.25, **same)


def test_the_best_so_far_is_known_while_others_run_and_stays_when_they_fail(store: JobStore) -> None:
    batch, jobs = make_batch(4)
    store.submit(batch, jobs)
    assert best_of(store, batch.batch_id) is None
    for _ in range(3):
        store.claim(full_batches=[], now=1.0)
    seen = []
    for job, ending in zip(jobs[:3], (FAILURE, success(-0.5), success(-0.25)), strict=True):
        store.finish(job.job_id, 1, ending, 2.0)
        best = best_of(store, batch.batch_id)
        seen.append(best and (best.index, best.sharpe_ratio))
    assert seen == [None, (1, -0.5), (2, -0.25)]
    store.end_queued(batch.batch_id, CANCELLED, 3.0)
    store.end_batch(batch.batch_id, BatchState.COMPLETED, 3.0)
    best = best_of(store, batch.batch_id)
    assert best is not None
    assert best.job_id == jobs[2].job_id


@pytest.mark.parametrize("ending", [SUCCESS, success(None), success(math.nan), success(math.inf), FAILURE])
def test_a_job_without_a_sharpe_ratio_is_never_the_best(store: JobStore, ending: Ending) -> None:
    batch, jobs = make_batch(1)
    store.submit(batch, jobs)
    end_all(store, jobs, [ending], [0])
    assert best_of(store, batch.batch_id) is None


def test_the_best_is_not_told_where_earlier_jobs_were_not_compared(store: JobStore) -> None:
    """A batch without a scope is one of an older release: some of its jobs may have ended before anybody looked."""
    batch, jobs = make_batch(1)
    store.submit(replace(batch, scope=None), jobs)
    end_all(store, jobs, [success(1.0)], [0])
    found = store.batch(batch.batch_id)
    assert found is not None
    assert (found.scope, found.best) == (None, None)


def test_an_old_attempt_is_not_the_best(store: JobStore) -> None:
    batch, jobs = make_batch(1)
    store.submit(batch, jobs)
    store.claim(full_batches=[], now=1.0)
    store.release(jobs[0].job_id, 1, "signal SIGKILL", 2.0)
    store.claim(full_batches=[], now=2.0)
    assert store.finish(jobs[0].job_id, 1, success(9.0), 3.0) is None
    assert best_of(store, batch.batch_id) is None


def expiring(store: JobStore, *, owner: str = "") -> Batch:
    """A batch that ended at 2 and is kept until 11."""
    batch, jobs = make_batch(1, owner=owner)
    store.submit(replace(batch, expires_at=10.0), jobs)
    store.end_queued(batch.batch_id, CANCELLED, 1.5)
    store.end_batch(batch.batch_id, BatchState.CANCELLED, 2.0)
    return batch


def test_an_expired_batch_is_removed_and_remembered_for_its_owner(store: JobStore) -> None:
    gone, kept = expiring(store, owner="a"), expiring(store, owner="b")
    assert store.expire_batch(gone.batch_id, 12.0)
    assert store.batch(gone.batch_id) is None
    assert (store.jobs(gone.batch_id), store.events(gone.batch_id)) == ([], [])
    assert store.expired_batch(gone.batch_id) == ExpiredBatch(batch_id=gone.batch_id, owner="a", expired_at=11.0)
    assert store.expired_batch(kept.batch_id) is None
    assert set(store.batch_ids()) == set(store.expired(12.0)) == {kept.batch_id}


def test_what_is_not_expired_is_not_removed(store: JobStore) -> None:
    """Nor is what runs, what is kept for ever, and what somebody has deleted in the meantime."""
    early, deleted = expiring(store), expiring(store)
    unfinished, forever = make_batch(1), make_batch(1)
    for batch, jobs in (unfinished, forever):
        store.submit(replace(batch, expires_at=10.0) if batch is unfinished[0] else batch, jobs)
    store.end_queued(forever[0].batch_id, CANCELLED, 2.0)
    store.end_batch(forever[0].batch_id, BatchState.CANCELLED, 2.0)
    store.delete_batch(deleted.batch_id)
    assert not store.expire_batch(early.batch_id, 11.0)
    assert not any(store.expire_batch(b.batch_id, 99.0) for b in (unfinished[0], forever[0], deleted))
    assert set(store.batch_ids()) == {early.batch_id, unfinished[0].batch_id, forever[0].batch_id}
    assert store.expired_batch(deleted.batch_id) is None


def test_expired_batches_are_forgotten_by_age(store: JobStore) -> None:
    gone = expiring(store)
    store.expire_batch(gone.batch_id, 12.0)
    store.forget_expired(11.0)
    assert store.expired_batch(gone.batch_id) is not None
    store.forget_expired(11.5)
    assert store.expired_batch(gone.batch_id) is None
