"""Worker processes and what they say, with an executor and no server: words that nobody can read, guards, factories that cannot start."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from stratopt.optimization import zygote
from stratopt.optimization.exceptions import ResourceExhaustionError
from stratopt.optimization.executor import Died, Finished, Progressed
from stratopt.optimization.jobs import JobId
from stratopt.optimization.slots import SlotExecutor

from .harness import until
from .test_slots import drop_idle_workers, is_gone, next_events, payload, start

CROWDED = """
import os
from pathlib import Path

fork = os.fork

def refuse_forks_beside(full):
    def maybe():
        if Path(full).exists():
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return fork()
    os.fork = maybe
"""

SLOW = """
import time
from pathlib import Path

def wait_for(go):
    while not Path(go).exists():
        time.sleep(0.01)
"""

pytestmark = pytest.mark.faults


@contextmanager
def opened(count: int, **options: Any) -> Iterator[SlotExecutor]:
    executor = SlotExecutor(count, **options)
    try:
        executor.open()
        yield executor
    finally:
        executor.close()


def run(executor: SlotExecutor, job: str, request: dict[str, Any]) -> int:
    """The pid of the worker that finished the job."""
    pid = start(executor, job, request)
    (event,) = [event for event in next_events(executor) if not isinstance(event, Progressed)]
    assert isinstance(event, Finished), event
    return pid


@pytest.mark.parametrize("strategy", ["SaysNoJSON", "SaysNoLength", "SaysNothingKnown", "AnswersForAnother"])
def test_a_worker_whose_word_cannot_be_read_is_dropped_and_costs_its_job_one_attempt(
    strategy: str, tmp_path: Path
) -> None:
    with opened(2) as executor:
        other = start(executor, "other", payload(tmp_path, "SpinsWithoutLock"))
        pid = start(executor, "babbles", payload(tmp_path, strategy))
        (event,) = next_events(executor)
        assert isinstance(event, Died)
        assert (event.job_id, event.kind, event.killed_by_deadline) == ("babbles", "answer", False)
        assert event.reason.startswith("its answer cannot be read: ")
        until(lambda: is_gone(pid))
        assert executor.pids() == {"other": other}
        run(executor, "next", payload(tmp_path, "Quick"))


def test_half_a_message_keeps_nobody_waiting(tmp_path: Path) -> None:
    with opened(2) as executor:
        half = start(executor, "half", payload(tmp_path, "SaysHalf"))
        for number in range(3):
            run(executor, f"job{number}", payload(tmp_path, "Quick"))
        assert executor.pids() == {"half": half}


def test_a_second_answer_is_not_booked_to_the_next_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A strategy forked a child that answers as well, while the worker has another job already."""
    again = tmp_path / "again"
    monkeypatch.setenv("ANSWER_AGAIN", str(again))
    with opened(1) as executor:
        pid = run(executor, "first", payload(tmp_path, "AnswersTwice"))
        assert start(executor, "second", payload(tmp_path, "SpinsWithoutLock")) == pid
        again.touch()
        (event,) = next_events(executor)
        assert isinstance(event, Died)
        assert (event.job_id, event.kind) == ("second", "answer")
        until(lambda: is_gone(pid))


def test_a_second_answer_to_an_idle_worker_ends_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = tmp_path / "again"
    monkeypatch.setenv("ANSWER_AGAIN", str(again))
    with opened(1) as executor:
        pid = run(executor, "first", payload(tmp_path, "AnswersTwice"))
        again.touch()
        until(lambda: bool(executor.events(0.1)) or is_gone(pid))
        assert run(executor, "second", payload(tmp_path, "Quick")) != pid


def test_a_factory_that_cannot_be_started_leaves_the_job_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The factory died, and the machine has no process left for another one: the supervisor goes on, and so do the jobs later."""
    with opened(1) as executor:
        first = start(executor, "first", payload(tmp_path, "SpinsWithoutLock"))
        with monkeypatch.context() as patched:

            def refuses(*_: Any, **__: Any) -> None:
                raise BlockingIOError(11, "Resource temporarily unavailable")

            patched.setattr(zygote.subprocess, "Popen", refuses)
            psutil.Process(psutil.Process(first).ppid()).kill()
            (event,) = next_events(executor)
            assert isinstance(event, Died)
            held = psutil.Process().num_fds()
            for _ in range(3):
                with pytest.raises(ResourceExhaustionError, match="Resource temporarily unavailable") as told:
                    executor.start(JobId("second"), payload(tmp_path, "Quick"), time.monotonic() + 60)
                assert told.value.code == "no_worker"
                assert executor.events(0.0) == []
            assert psutil.Process().num_fds() <= held
        run(executor, "second", payload(tmp_path, "Quick"))


def test_nobody_waits_for_a_factory_that_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a second or more, in which the supervisor has limits to keep; when it is ready, that is news."""
    (tmp_path / "slow.py").write_text(SLOW)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    go = tmp_path / "go"
    with opened(2, set_up=("slow:wait_for", str(go))) as executor:
        with pytest.raises(ResourceExhaustionError, match="the worker factory is starting; jobs wait") as told:
            executor.start(JobId("early"), payload(tmp_path, "Quick"), time.monotonic() + 60)
        assert told.value.code == "no_worker"
        assert (executor.free(), executor.events(0.0)) == (0, [])
        go.touch()
        until(lambda: executor.events(60.0) == [] and executor.free() == 2)
        pid = start(executor, "first", payload(tmp_path, "SpinsWithoutLock"))
        go.unlink()
        factory = psutil.Process(pid).parent()
        assert factory is not None
        factory.kill()
        (event,) = next_events(executor)
        assert isinstance(event, Died)
        assert (event.job_id, event.kind) == ("first", "factory")
        assert executor.free() == 0
        go.touch()
        run(executor, "first", payload(tmp_path, "Quick"))


def test_a_machine_without_descriptors_left_takes_nothing_from_running_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(2) as executor:
        pid = start(executor, "first", payload(tmp_path, "SpinsWithoutLock"))
        drop_idle_workers(executor)
        with monkeypatch.context() as patched:

            def refuses() -> None:
                raise OSError(24, "Too many open files")

            patched.setattr(zygote.socket, "socketpair", refuses)
            with pytest.raises(ResourceExhaustionError, match="Too many open files") as told:
                executor.start(JobId("second"), payload(tmp_path, "Quick"), time.monotonic() + 60)
            assert told.value.code == "no_worker"
        run(executor, "second", payload(tmp_path, "Quick"))
        assert executor.pids() == {"first": pid}


def test_a_machine_without_processes_left_takes_nothing_from_running_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The factory cannot fork while the file is there."""
    full = tmp_path / "full"
    (tmp_path / "crowded.py").write_text(CROWDED)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    with opened(2, set_up=("crowded:refuse_forks_beside", str(full))) as executor:
        pid = start(executor, "first", payload(tmp_path, "SpinsWithoutLock"))
        drop_idle_workers(executor)
        full.touch()
        with pytest.raises(ResourceExhaustionError, match="Resource temporarily unavailable") as told:
            executor.start(JobId("second"), payload(tmp_path, "Quick"), time.monotonic() + 60)
        assert told.value.code == "no_worker"
        full.unlink()
        run(executor, "second", payload(tmp_path, "Quick"))
        assert executor.pids() == {"first": pid}


def test_a_worker_is_replaced_after_its_number_of_jobs_and_runs_guarded(tmp_path: Path) -> None:
    """One thread in libraries, and first in line for the kernel's killer."""
    with opened(1, recycle_after=2) as executor:
        first, second, third = (run(executor, f"job{n}", payload(tmp_path, "Quick")) for n in range(3))
        assert first == second != third
        until(lambda: is_gone(first))
        environment = psutil.Process(third).environ()
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        assert [environment.get(name) for name in names] == ["1"] * len(names)
        adjusted, ours = (int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in (third, "self"))
        assert adjusted == 500 >= ours


def test_what_a_worker_logs_is_json_without_secrets(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    set_up = ("stratopt.monitoring.worker_log:configure_worker_log", "INFO")
    with opened(1, set_up=set_up) as executor:
        run(executor, "talks", payload(tmp_path, "TellsSecrets"))
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    printed = [line for line in lines if line["event"] == "strategy_printed"]
    assert {(line["strategy"], line["text"]) for line in printed} == {("TellsSecrets", "found [redacted]")}
    warned = [line["request"] for line in lines if line["event"] == "found"]
    assert warned
    assert warned == [{"note": "[redacted]", "password": "[redacted]"}] * len(warned)
