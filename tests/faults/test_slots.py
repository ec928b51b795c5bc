"""Faults of worker processes as the executor meets them, without a server: deaths that nobody looked at in time."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from stratopt.market.catalogue import Catalogue
from stratopt.optimization import slots
from stratopt.optimization.exceptions import ResourceExhaustionError
from stratopt.optimization.executor import Died, ExecutorEvent, Finished
from stratopt.optimization.job_spec import JobSpec, SearchConfig
from stratopt.optimization.jobs import JobId
from stratopt.optimization.series_access import SeriesAccess
from stratopt.optimization.slots import Slot, SlotExecutor
from stratopt.optimization.zygote import Zygote

from .harness import STRATEGIES, until

pytestmark = pytest.mark.faults


@pytest.fixture
def executor() -> Iterator[SlotExecutor]:
    executor = SlotExecutor(2)
    executor.open()
    yield executor
    executor.close()


def payload(folder: Path, strategy: str) -> dict[str, Any]:
    (folder / "artifacts").mkdir(exist_ok=True)
    spec = JobSpec(
        strategy_id="s",
        strategy=strategy,
        symbol="BTC",
        timeframe="1d",
        search=SearchConfig(max_evals=2, algorithm="random", cross_validation=False),
    )
    return {
        "job": spec.to_dict(),
        "bars": SeriesAccess(Catalogue(folder)).locate("BTC", "1d"),
        "strategy_folder": str(STRATEGIES),
        "artifact_folder": str(folder / "artifacts"),
        "checkpoint_folder": str(folder / "checkpoints"),
        "checkpoint_seconds": 60.0,
    }


def start(executor: SlotExecutor, job: str, request: dict[str, Any], seconds: float = 60.0) -> int:
    """The pid of the worker that has the job, as soon as there can be one."""

    def begun() -> bool:
        try:
            executor.start(JobId(job), request, time.monotonic() + seconds)
        except ResourceExhaustionError:
            assert executor.events(0.05) == []
            return False
        return True

    until(begun)
    return executor.pids()[JobId(job)]


def drop_idle_workers(executor: SlotExecutor) -> None:
    """The next job needs a new one."""
    for slot in [slot for slot in executor._slots if slot.job_id is None]:
        executor._drop(slot)


def is_gone(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def next_events(executor: SlotExecutor, count: int = 1) -> Sequence[ExecutorEvent]:
    found: list[ExecutorEvent] = []
    until(lambda: bool(found.extend(executor.events(0.1)) or len(found) >= count))
    return found


def test_workers_that_die_together_are_each_told_of_with_their_signal(executor: SlotExecutor, tmp_path: Path) -> None:
    pids = [start(executor, job, payload(tmp_path, "SpinsWithoutLock")) for job in ("a", "b")]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    until(lambda: all(is_gone(pid) for pid in pids))
    found = next_events(executor, 2)
    assert {(event.job_id, event.reason) for event in found if isinstance(event, Died)} == {
        ("a", "signal SIGKILL"),
        ("b", "signal SIGKILL"),
    }


def test_a_job_that_the_backstop_killed_was_killed_by_its_deadline(
    executor: SlotExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor waited for the database meanwhile; a death by SIGALRM alone would be tried again."""
    monkeypatch.setattr(slots, "BACKSTOP_SECONDS", 0.2)
    pid = start(executor, "late", payload(tmp_path, "SpinsWithoutLock"), seconds=0.5)
    until(lambda: is_gone(pid))
    (event,) = next_events(executor)
    assert isinstance(event, Died)
    assert event.killed_by_deadline


def test_a_job_whose_fresh_worker_died_at_once_is_told_of(
    executor: SlotExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: executor.events(0.05) == [] and executor.free() > 0)
    fork = executor._fork
    drop_idle_workers(executor)

    def fork_and_kill() -> Slot:
        slot = fork()
        os.kill(slot.pid, signal.SIGKILL)
        until(lambda: is_gone(slot.pid))
        return slot

    monkeypatch.setattr(executor, "_fork", fork_and_kill)
    executor.start(JobId("unlucky"), payload(tmp_path, "Quick"), time.monotonic() + 60)
    (event,) = next_events(executor)
    assert isinstance(event, Died)
    assert (event.job_id, event.reason) == ("unlucky", "signal SIGKILL")


def test_factories_that_die_one_after_another_cost_a_job_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when somebody kills each while it starts: no worker can be had, and the supervisor that asks for one must live."""
    made: list[Zygote] = []

    class ShortLived(Zygote):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            made.append(self)
            if len(made) <= 2:
                self._process.kill()

    monkeypatch.setattr(slots, "Zygote", ShortLived)
    executor = SlotExecutor(1)
    executor.open()
    with pytest.raises(ResourceExhaustionError, match="jobs wait for a worker"):
        executor.start(JobId("a"), payload(tmp_path, "Quick"), time.monotonic() + 60)
    start(executor, "a", payload(tmp_path, "Quick"))
    (event,) = next_events(executor)
    executor.close()
    assert isinstance(event, Finished)
    assert len(made) == 3


def test_a_result_file_that_cannot_be_read_costs_one_attempt(executor: SlotExecutor, tmp_path: Path) -> None:
    ours, theirs = Pipe()
    with subprocess.Popen(["sleep", "60"]) as process, theirs:
        executor._slots.append(Slot(process.pid, ours, JobId("large"), attempt="large/1"))
        answer = {"type": "succeeded", "attempt": "large/1", "resources": {}}
        theirs.send_bytes(orjson.dumps({**answer, "result_file": str(tmp_path / ".result-gone.json")}))
        (event,) = next_events(executor)
        executor.close()
    assert isinstance(event, Died)
    assert "its result cannot be read" in event.reason


def test_executors_that_are_gone_hold_no_descriptors() -> None:
    def descriptors() -> int:
        gc.collect()
        return psutil.Process().num_fds()

    SlotExecutor(1).close()
    before = descriptors()
    for _ in range(5):
        SlotExecutor(1).close()
    assert descriptors() == before
