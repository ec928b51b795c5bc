"""The supervisor against a store that fails for a while; workers that answer at once stand in for processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from stratopt.optimization import batch_manager, books
from stratopt.optimization.batch_manager import MOST_STARTS, BatchOptimizationManager
from stratopt.optimization.exceptions import DataValidationError, ResourceExhaustionError
from stratopt.optimization.executor import Died, ExecutorEvent, Finished
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.job_store import Submitted
from stratopt.optimization.jobs import Batch, BatchId, BatchState, Event, Job, JobId, counts_of_new_batch
from stratopt.optimization.listener import Listener
from stratopt.optimization.retention import Retention
from stratopt.storage.memory_job_store import MemoryJobStore


class AtOnce:
    """An executor whose jobs have ended before anybody asks."""

    def __init__(self) -> None:
        self._ended: list[JobId] = []
        self._woken = threading.Event()

    def open(self) -> None: ...

    def close(self) -> None: ...

    def free(self) -> int:
        return 2 - len(self._ended)

    def start(self, job_id: JobId, payload: Mapping[str, Any], deadline: float) -> None:
        self._ended.append(job_id)

    def kill(self, job_id: JobId) -> None:
        self._ended.remove(job_id)

    def events(self, timeout: float) -> Sequence[ExecutorEvent]:
        if not self._ended:
            self._woken.wait(timeout)
            self._woken.clear()
        ended, self._ended = self._ended, []
        answer = {"type": "succeeded", "result": {"summary": {}}, "resources": {}}
        return [Finished(job_id=job_id, message=answer) for job_id in ended]

    def wake(self) -> None:
        self._woken.set()


class Failing(MemoryJobStore):
    """Cannot write the named move the first few times, and counts how often batches are looked up."""

    def __init__(self, move: str = "", times: int = 0) -> None:
        super().__init__()
        self._move, self._times = move, times
        self.looked_up = 0

    def _fail(self, move: str) -> None:
        if move == self._move and self._times:
            self._times -= 1
            raise ResourceExhaustionError("the disk is full", code="storage_full")

    def finish(self, *arguments: Any, **named: Any) -> Event | None:
        self._fail("finish")
        return super().finish(*arguments, **named)

    def end_batch(self, *arguments: Any, **named: Any) -> Event | None:
        self._fail("end_batch")
        return super().end_batch(*arguments, **named)

    def batch(self, batch_id: str) -> Batch | None:
        self.looked_up += 1
        return super().batch(batch_id)


def nothing_needed(job: Job) -> Mapping[str, Any]:
    return {}


@contextmanager
def supervising(
    store: Failing,
    payload: Callable[[Job], Mapping[str, Any]] = nothing_needed,
    executor: AtOnce | None = None,
    retention: Retention | None = None,
    **more: Any,
) -> Iterator[BatchOptimizationManager]:
    kept = retention or Retention(store, 3600.0)
    manager = BatchOptimizationManager(store, executor or AtOnce(), payload, retention=kept, **more)
    manager.start()
    try:
        yield manager
    finally:
        manager.stop()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        threading.Event().wait(0.005)


def submit(manager: BatchOptimizationManager, jobs: int, batch: str = "bat_1", **more: Any) -> BatchId:
    batch_id = BatchId(batch)
    spec = JobSpec(strategy_id="s", strategy="RSI", symbol="BTC", timeframe="1d")
    made = Batch(
        batch_id=batch_id,
        state=BatchState.QUEUED,
        counts=counts_of_new_batch(jobs),
        request={},
        parallel_jobs=2,
        seed=0,
        **more,
    )
    names = [f"{batch}_job_{i}" for i in range(jobs)]
    manager.submit(
        made, [Job(job_id=JobId(name), batch_id=batch_id, index=i, spec=spec) for i, name in enumerate(names)]
    )
    return batch_id


@pytest.mark.parametrize(("restarts", "state"), [(MOST_STARTS - 1, "succeeded"), (MOST_STARTS, "failed")])
def test_a_job_that_ends_servers_is_given_up(restarts: int, state: str) -> None:
    """Its attempts do not count, for a restart is not its fault as a rule; but nobody restarts so often while one job runs."""
    store = Failing()
    with supervising(store, may_dispatch=lambda busy: False) as manager:
        batch_id = submit(manager, 1)
    for _ in range(restarts):
        assert store.claim(full_batches=[], now=time.time()) is not None
        store.recover(time.time())
    with supervising(store) as manager:
        manager.wait(batch_id, 20)
    (job,) = store.jobs(batch_id)
    assert job.state.value == state
    if state == "failed":
        assert job.failure is not None
        assert (job.failure["code"], job.failure["context"]["poison"]) == ("worker_died", True)
        assert f"started {MOST_STARTS} times" in job.failure["message"]


class Replaying(Failing):
    """Answers a repeated submission with the batch as it was when it was new."""

    before: Batch | None = None

    def submit(self, batch: Batch, *arguments: Any, **named: Any) -> Submitted:
        if self.before is not None and self.before.batch_id == batch.batch_id:
            return Submitted(batch=self.before, replayed=True)
        self.before = batch
        return super().submit(batch, *arguments, **named)


class WithoutWorkers(AtOnce):
    """Can make no worker while it ``refuses``."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses = True
        self.asked = threading.Event()

    def start(self, job_id: JobId, payload: Mapping[str, Any], deadline: float) -> None:
        self.asked.set()
        if self.refuses:
            raise ResourceExhaustionError("no process left", code="no_worker")
        super().start(job_id, payload, deadline)


@pytest.mark.parametrize("move", ["finish", "end_batch"])
def test_what_could_not_be_stored_is_stored_later(move: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_manager, "STORAGE_RETRY_SECONDS", 0.01)
    store = Failing(move, times=3)
    with supervising(store) as manager:
        ended = manager.wait(submit(manager, jobs=3), timeout=20)
    assert ended.state is BatchState.COMPLETED
    assert ended.counts["succeeded"] == 3
    assert [event.seq for event in store.events("bat_1")] == [1, 2, 3, 4]


def test_a_job_s_end_costs_no_look_at_its_batch() -> None:
    store = Failing()
    with supervising(store) as manager:
        batch_id = submit(manager, jobs=50)
        while not store.events(batch_id, after_seq=50):
            threading.Event().wait(0.005)
    assert store.looked_up <= 3


def test_jobs_that_cannot_be_started_end_with_the_reason_however_many() -> None:
    def unreadable(job: Job) -> Mapping[str, Any]:
        raise DataValidationError("the bars are gone", code="data_missing")

    store = Failing()
    with supervising(store, unreadable) as manager:
        ended = manager.wait(submit(manager, jobs=1500), timeout=20)
    assert (ended.state, ended.counts["failed"]) == (BatchState.FAILED, 1500)
    job = store.job("bat_1_job_1499")
    assert job is not None
    assert job.failure is not None
    assert (job.failure["code"], job.failure["message"]) == ("data_missing", "the bars are gone")


def test_a_worker_without_a_next_job_waits_for_the_next_batch() -> None:
    """The last end of a batch claims nothing; what is submitted afterwards is claimed by itself."""
    store = Failing()
    with supervising(store) as manager:
        assert manager.wait(submit(manager, jobs=5), timeout=20).counts["succeeded"] == 5
        assert manager.wait(submit(manager, jobs=5, batch="bat_2"), timeout=20).counts["succeeded"] == 5


def test_a_repeated_submission_that_is_told_of_after_the_end_keeps_nothing_alive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its snapshot is older than the end: nothing more is written about the batch, and the supervisor sleeps."""
    monkeypatch.setattr(books, "CLOCK_SECONDS", 0.0)
    store = Replaying()
    with supervising(store) as manager:
        ended = manager.wait(submit(manager, jobs=2), timeout=20)
        submit(manager, jobs=2)
        manager.wait(submit(manager, jobs=2, batch="bat_2"), timeout=20)
        assert store.batch("bat_1") == ended
        looked_up = store.looked_up
        threading.Event().wait(0.1)
        assert store.looked_up <= looked_up + 2


@pytest.mark.parametrize("jobs", [1, 5])
def test_a_claimed_job_that_cannot_be_prepared_while_the_disk_is_full_waits(
    jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_manager, "STORAGE_RETRY_SECONDS", 0.01)
    refusals = iter([False, True, True, False, True] if jobs > 1 else [True, True])

    def payload(job: Job) -> Mapping[str, Any]:
        if next(refusals, False):
            raise ResourceExhaustionError("no room for the memory map", code="storage_full")
        return {}

    with supervising(Failing(), payload) as manager:
        ended = manager.wait(submit(manager, jobs=jobs), timeout=20)
    assert (ended.state, ended.counts["succeeded"]) == (BatchState.COMPLETED, jobs)


def test_a_claimed_job_that_waits_for_the_disk_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_manager, "STORAGE_RETRY_SECONDS", 0.01)
    asked = threading.Event()

    def payload(job: Job) -> Mapping[str, Any]:
        asked.set()
        raise ResourceExhaustionError("no room for the memory map", code="storage_full")

    with supervising(Failing(), payload) as manager:
        batch_id = submit(manager, jobs=3)
        assert asked.wait(20)
        manager.cancel(batch_id)
        ended = manager.wait(batch_id, timeout=20)
    assert (ended.state, ended.counts["cancelled"]) == (BatchState.CANCELLED, 3)


def test_without_a_supervisor_nothing_is_accepted_and_nobody_waits() -> None:
    def broken(job: Job) -> Mapping[str, Any]:
        raise RuntimeError("a bug")

    with supervising(Failing(), broken) as manager:
        batch_id = submit(manager, jobs=1)
        with pytest.raises(ResourceExhaustionError, match=r"the supervisor stopped \(RuntimeError: a bug\)"):
            manager.wait(batch_id, timeout=20)
        with pytest.raises(ResourceExhaustionError, match="the supervisor stopped"):
            submit(manager, jobs=1, batch="bat_2")


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_job_that_waits_for_its_next_attempt_ends_with_its_batch(
    cancelled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_manager, "BACK_OFF_SECONDS", (3600.0,))
    died = threading.Event()

    class Dying(AtOnce):
        def events(self, timeout: float) -> Sequence[ExecutorEvent]:
            found = [
                Died(job_id=event.job_id, kind="SIGKILL", reason="signal SIGKILL") for event in super().events(timeout)
            ]
            if found:
                died.set()
            return found

    store = Failing()
    with supervising(store, executor=Dying()) as manager:
        batch_id = submit(manager, jobs=1, deadline_seconds=3600.0 if cancelled else 0.3)
        assert died.wait(20)
        if cancelled:
            manager.cancel(batch_id)
        ended = manager.wait(batch_id, timeout=20)
    assert ended.state is (BatchState.CANCELLED if cancelled else BatchState.TIMED_OUT)
    assert (ended.counts["total"], ended.counts["cancelled"] + ended.counts["timed_out"]) == (1, 1)
    assert [event.kind for event in store.events(batch_id)] == ["strategy.failed", "batch.ended"]


class Endless(AtOnce):
    """Two workers whose jobs run until their deadline; the first of them is told of some time before the other."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[JobId] = []
        self._deadlines: dict[JobId, float] = {}

    def free(self) -> int:
        return 2 - len(self._deadlines)

    def start(self, job_id: JobId, payload: Mapping[str, Any], deadline: float) -> None:
        self.started.append(job_id)
        self._deadlines[job_id] = deadline

    def kill(self, job_id: JobId) -> None:
        del self._deadlines[job_id]

    def events(self, timeout: float) -> Sequence[ExecutorEvent]:
        nearest = min(self._deadlines.values(), default=time.monotonic() + timeout)
        self._woken.wait(max(0.0, min(timeout, nearest - time.monotonic())))
        self._woken.clear()
        late = [job_id for job_id, deadline in self._deadlines.items() if deadline <= time.monotonic()][:1]
        for job_id in late:
            del self._deadlines[job_id]
        return [Died(job_id=job_id, kind="deadline", reason="", killed_by_deadline=True) for job_id in late]


def test_no_job_of_a_batch_starts_when_its_time_is_over() -> None:
    """The end of a job that the batch's limit cut off is stored with the claim of the next one, which must be none of that batch."""
    executor = Endless()
    with supervising(Failing(), executor=executor) as manager:
        ended = manager.wait(submit(manager, jobs=5, deadline_seconds=0.3), timeout=20)
    assert (ended.state, ended.counts["timed_out"]) == (BatchState.TIMED_OUT, 5)
    assert len(executor.started) == 2


def test_what_was_kept_long_enough_is_removed_and_known_for_as_long_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the housekeeping; a batch that its user deletes leaves nothing behind."""
    monkeypatch.setattr(books, "HOUSEKEEPING_SECONDS", 0.0)
    forgotten: list[str] = []
    store, now = Failing(), time.time()
    with supervising(store, retention=Retention(store, 3600.0, forget=forgotten.append)) as manager:
        for name, kept_seconds in (("bat_old", 0.001), ("bat_new", 7200.0), ("bat_deleted", 7200.0)):
            manager.wait(submit(manager, 1, name, created_at=now, expires_at=now + kept_seconds), timeout=20)
        manager.delete("bat_deleted")
        until(lambda: store.expired_batch("bat_old") is not None)
        until(lambda: set(forgotten) == {"bat_old", "bat_deleted"})
        assert set(store.batch_ids()) == {"bat_new"}
        assert store.expired_batch("bat_deleted") is None
    with supervising(store, retention=Retention(store, 0.0)):
        until(lambda: store.expired_batch("bat_old") is None)


def test_nothing_is_kept_of_a_batch_that_is_told_of_again_after_it_was_deleted() -> None:
    store = Replaying()
    with supervising(store) as manager:
        batch_id = submit(manager, jobs=1)
        manager.wait(batch_id, timeout=20)
        manager.delete(batch_id)
        submit(manager, jobs=1)
        manager.wait(submit(manager, jobs=1, batch="bat_2"), timeout=20)
        assert manager.revision(batch_id) == 0


def test_a_job_that_no_worker_can_be_made_for_waits_and_the_books_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is wrong with the storage: the clock of its batch and the retention go on, and the job starts when a worker comes."""
    for name in ("CLOCK_SECONDS", "HOUSEKEEPING_SECONDS"):
        monkeypatch.setattr(books, name, 0.0)
    monkeypatch.setattr(batch_manager, "WORKER_RETRY_SECONDS", 0.01)
    store, executor = Failing(), WithoutWorkers()
    tidied: list[float] = []
    told: list[str] = []
    retention, listener = Retention(store, 3600.0, tidy=tidied.append), Listener(storage_failed=told.append)
    with supervising(store, executor=executor, retention=retention, listener=listener) as manager:
        batch_id = submit(manager, jobs=3)
        assert executor.asked.wait(20)
        before = len(tidied)
        until(lambda: len(tidied) > before + 1 and store.unfinished()[0].elapsed_seconds > 0)
        executor.refuses = False
        ended = manager.wait(batch_id, timeout=20)
    assert (ended.state, ended.counts["succeeded"]) == (BatchState.COMPLETED, 3)
    assert {job.attempts for job in store.jobs(batch_id)} == {1}
    assert told == []
    assert {record.message for record in caplog.records if record.levelname == "WARNING"} == {"no_worker"}


def test_a_job_that_waits_for_a_worker_can_be_cancelled() -> None:
    executor = WithoutWorkers()
    with supervising(Failing(), executor=executor) as manager:
        batch_id = submit(manager, jobs=2)
        assert executor.asked.wait(20)
        manager.cancel(batch_id)
        ended = manager.wait(batch_id, timeout=20)
    assert (ended.state, ended.counts["cancelled"]) == (BatchState.CANCELLED, 2)


@pytest.mark.parametrize("move", ["finish", "end_batch"])
def test_writes_that_fail_and_workers_that_die_are_told_of_although_all_went_well_later(
    move: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_manager, "STORAGE_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(batch_manager, "BACK_OFF_SECONDS", (0.01,))

    class DiesOnce(AtOnce):
        died = False

        def events(self, timeout: float) -> Sequence[ExecutorEvent]:
            found = super().events(timeout)
            if found and not self.died:
                self.died = True
                return [Died(job_id=event.job_id, kind="SIGSEGV", reason="signal SIGSEGV") for event in found]
            return found

    told: list[str] = []
    listener = Listener(storage_failed=told.append, worker_died=told.append)
    with supervising(Failing(move, times=2), executor=DiesOnce(), listener=listener) as manager:
        assert manager.wait(submit(manager, jobs=1), timeout=20).state is BatchState.COMPLETED
    assert told == ["SIGSEGV", "storage_full", "storage_full"]
