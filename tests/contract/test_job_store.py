"""The durability contract of JobStore."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from stratopt.optimization.exceptions import BatchOptimizationError, ConcurrencyError
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.job_store import IdempotencyKey
from stratopt.optimization.jobs import (
    Batch,
    BatchId,
    BatchState,
    Ending,
    Failure,
    Job,
    JobId,
    JobState,
    counts_of_new_batch,
)
from stratopt.storage.dialects import sqlite_engines
from stratopt.storage.sql_job_store import SqlJobStore

SUCCESS = Ending(state=JobState.SUCCEEDED, result={"summary": {"x": 1}, "artifacts": {"trials": "a" * 64 + ".parquet"}})
FAILURE = Ending(state=JobState.FAILED, failure=Failure(code="strategy_error", message="it broke"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlJobStore]:
    store = SqlJobStore(*sqlite_engines(tmp_path / "store.sqlite"))
    yield store
    store.close()


def make_batch(
    jobs: int = 2, *, created_at: float = 1.0, priority: int = 0, owner: str = ""
) -> tuple[Batch, list[Job]]:
    batch_id = BatchId(f"bat_{uuid4().hex}")
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
    )
    spec = JobSpec(strategy_id="s", strategy="RSI", symbol="BTC", timeframe="1d")
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


def test_what_was_submitted_is_there_after_a_restart(tmp_path: Path) -> None:
    batch, jobs = make_batch(3)
    first = SqlJobStore(*sqlite_engines(tmp_path / "s.sqlite"))
    first.submit(batch, jobs)
    first.close()
    second = SqlJobStore(*sqlite_engines(tmp_path / "s.sqlite"))
    assert second.batch(batch.batch_id) == batch
    assert list(second.jobs(batch.batch_id)) == jobs
    second.close()


def test_jobs_are_claimed_in_order_and_once(store: SqlJobStore) -> None:
    batch, jobs = make_batch(2)
    store.submit(batch, jobs)
    claimed = [store.claim(full_batches=[], now=5.0) for _ in range(3)]
    assert [job and job.job_id for job in claimed] == [jobs[0].job_id, jobs[1].job_id, None]
    assert claimed[0] is not None
    assert (claimed[0].state, claimed[0].attempts, claimed[0].started_at) == (JobState.RUNNING, 1, 5.0)


def test_a_full_batch_waits_and_the_fewest_running_go_first(store: SqlJobStore) -> None:
    large, large_jobs = make_batch(5, created_at=1.0)
    small, small_jobs = make_batch(1, created_at=2.0)
    store.submit(large, large_jobs)
    store.submit(small, small_jobs)
    order = [store.claim(full_batches=[], now=3.0) for _ in range(3)]
    assert [job and job.batch_id for job in order] == [large.batch_id, small.batch_id, large.batch_id]
    assert store.claim(full_batches=[large.batch_id], now=3.0) is None


def test_higher_priority_goes_first(store: SqlJobStore) -> None:
    early, early_jobs = make_batch(1, created_at=1.0)
    urgent, urgent_jobs = make_batch(1, created_at=2.0, priority=5)
    store.submit(early, early_jobs)
    store.submit(urgent, urgent_jobs)
    claimed = store.claim(full_batches=[], now=3.0)
    assert claimed is not None
    assert claimed.batch_id == urgent.batch_id


def test_a_terminal_row_never_changes(store: SqlJobStore) -> None:
    batch, jobs = make_batch(1)
    store.submit(batch, jobs)
    store.claim(full_batches=[], now=1.0)
    assert store.finish(jobs[0].job_id, 1, SUCCESS, 2.0) is not None
    assert store.finish(jobs[0].job_id, 1, FAILURE, 3.0) is None
    assert store.release(jobs[0].job_id, 1, "late") is False
    job = store.job(jobs[0].job_id)
    assert job is not None
    assert (job.state, job.result, job.ended_at) == (JobState.SUCCEEDED, SUCCESS.result, 2.0)


def test_an_old_attempt_cannot_write(store: SqlJobStore) -> None:
    batch, jobs = make_batch(1)
    store.submit(batch, jobs)
    store.claim(full_batches=[], now=1.0)
    assert store.release(jobs[0].job_id, 1, "signal SIGKILL")
    store.claim(full_batches=[], now=2.0)
    assert store.finish(jobs[0].job_id, 1, FAILURE, 3.0) is None
    assert store.finish(jobs[0].job_id, 2, SUCCESS, 3.0) is not None


def test_counts_follow_the_rows_and_events_have_no_hole(store: SqlJobStore) -> None:
    batch, jobs = make_batch(4)
    store.submit(batch, jobs)
    for ending in (SUCCESS, FAILURE):
        job = store.claim(full_batches=[], now=1.0)
        assert job is not None
        store.finish(job.job_id, 1, ending, 2.0)
    store.claim(full_batches=[], now=3.0)
    cancelled = Ending(state=JobState.CANCELLED, failure=Failure(code="cancelled", message="no"))
    assert len(store.cancel_queued(batch.batch_id, cancelled, 4.0)) == 1
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


def test_a_batch_ends_only_when_nothing_is_left(store: SqlJobStore) -> None:
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


def test_recovery_requeues_what_a_dead_server_left(store: SqlJobStore) -> None:
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
    assert (again.job_id, again.attempts) == (jobs[0].job_id, 2)


def test_a_key_makes_one_batch_and_refuses_another_body(store: SqlJobStore) -> None:
    key = IdempotencyKey(owner="o", path="/p", key="k", body_hash="h")
    first, first_jobs = make_batch(1)
    second, second_jobs = make_batch(1)
    store.submit(first, first_jobs, key)
    replay = store.submit(second, second_jobs, key)
    assert (replay.replayed, replay.batch.batch_id) == (True, first.batch_id)
    assert store.batch(second.batch_id) is None
    with pytest.raises(ConcurrencyError, match="another body"):
        store.submit(second, second_jobs, IdempotencyKey(owner="o", path="/p", key="k", body_hash="other"))
    stranger, stranger_jobs = make_batch(1)
    assert not store.submit(
        stranger, stranger_jobs, IdempotencyKey(owner="x", path="/p", key="k", body_hash="h")
    ).replayed


def test_a_running_batch_cannot_be_deleted_and_shared_tables_stay(store: SqlJobStore) -> None:
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
    assert store.delete_batch(gone.batch_id) == []
    assert store.batch(gone.batch_id) is None
    assert store.delete_batch(kept.batch_id) == ["a" * 64 + ".parquet"]


def test_lists_are_newest_first_and_continue_after_a_position(store: SqlJobStore) -> None:
    made = [make_batch(1, created_at=float(i)) for i in range(5)]
    for batch, jobs in made:
        store.submit(batch, jobs)
    first = store.batches(limit=2)
    rest = store.batches(before=(first[-1].created_at, first[-1].batch_id), limit=9)
    assert [b.created_at for b in [*first, *rest]] == [4.0, 3.0, 2.0, 1.0, 0.0]
    assert [b.created_at for b in store.batches(created_after=2.5)] == [4.0, 3.0]
