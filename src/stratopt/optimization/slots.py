"""The local executor: N worker processes with a private pipe each, killed hard at their deadline."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import orjson

from stratopt.optimization.exceptions import ResourceExhaustionError
from stratopt.optimization.executor import Died, ExecutorEvent, Finished, Progressed
from stratopt.optimization.jobs import JobId
from stratopt.optimization.zygote import Zygote

BACKSTOP_SECONDS = 5.0
REAP_SECONDS = 0.2
FACTORIES_TRIED = 2


@dataclass
class Slot:
    """One worker process and what it is doing."""

    pid: int
    pipe: Connection
    job_id: JobId | None = None
    deadline: float = float("inf")
    jobs_done: int = 0


class SlotExecutor:
    """See ``Executor``. Workers are forked on demand and replaced after ``recycle_after`` jobs."""

    def __init__(self, slots: int, *, memory_limit_bytes: int | None = None, recycle_after: int = 200) -> None:
        self._size = slots
        self._memory_limit_bytes = memory_limit_bytes
        self._recycle_after = recycle_after
        self._slots: list[Slot] = []
        self._zygote: Zygote | None = None
        self._forked_ahead = False
        self._wakeup_read, self._wakeup_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for end in (self._wakeup_read, self._wakeup_write):
            weakref.finalize(self, os.close, end)  # ``wake`` may come after ``close``

    def open(self) -> None:
        """Start the zygote, unless that was done; a worker for every slot follows when it is ready."""
        if self._zygote is None:
            self._zygote = Zygote(memory_limit_bytes=self._memory_limit_bytes)

    def free(self) -> int:
        """Slots without a job."""
        return self._size - sum(1 for slot in self._slots if slot.job_id)

    def pids(self) -> Mapping[JobId, int]:
        """Process of each running job."""
        return {slot.job_id: slot.pid for slot in self._slots if slot.job_id}

    def start(self, job_id: JobId, payload: Mapping[str, Any], deadline: float) -> None:
        """Hand an attempt to an idle worker or a new one. ResourceExhaustionError when there is none: try again later."""
        backstop = max(deadline - time.monotonic(), 0.0) + BACKSTOP_SECONDS
        request = orjson.dumps({"type": "run", "backstop_seconds": backstop, **payload})
        slot = next((s for s in self._slots if s.job_id is None), None) or self._fork()
        try:
            slot.pipe.send_bytes(request)
        except OSError:  # the idle worker died unseen: a fresh one takes the job
            self._drop(slot)
            slot = self._fork()
            with contextlib.suppress(OSError):  # that one died as well: ``events`` finds its pipe at the end
                slot.pipe.send_bytes(request)
        slot.job_id, slot.deadline = job_id, deadline

    def kill(self, job_id: JobId) -> None:
        """End an attempt now."""
        for slot in [s for s in self._slots if s.job_id == job_id]:
            self._drop(slot)

    def events(self, timeout: float) -> Sequence[ExecutorEvent]:
        """What happened since the last call, or within ``timeout`` seconds."""
        nearest = min((s.deadline for s in self._slots if s.job_id), default=float("inf"))
        timeout = max(0.0, min(timeout, nearest - time.monotonic()))
        assert self._zygote is not None, "open() comes first"
        news = [] if self._forked_ahead else [self._zygote.fileno()]
        ready = wait([*(s.pipe for s in self._slots), self._wakeup_read, *news], timeout)
        if not self._forked_ahead and self._zygote.fileno() in ready:
            self._fork_ahead()
        if self._wakeup_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wakeup_read, 4096)
        found: list[ExecutorEvent] = []
        for slot in [s for s in self._slots if s.pipe in ready]:
            found.extend(self._read(slot))
        return [*found, *self._enforce_deadlines()]

    def wake(self) -> None:
        """Let ``events`` return soon; from any thread."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._wakeup_write, b"x")

    def close(self) -> None:
        """End all workers."""
        for slot in list(self._slots):
            self._drop(slot)
        if self._zygote:
            self._zygote.close()

    def _fork(self) -> Slot:
        """A new worker; if the factory died, and its workers with it, from a new one. ResourceExhaustionError when that dies as well."""
        assert self._zygote is not None, "open() comes first"
        for _ in range(FACTORIES_TRIED):
            try:
                pid, pipe = self._zygote.fork()
            except (EOFError, OSError):
                self._zygote.close()
                self._zygote = Zygote(memory_limit_bytes=self._memory_limit_bytes)
            else:
                slot = Slot(pid, pipe)
                self._slots.append(slot)
                return slot
        raise ResourceExhaustionError(
            f"{FACTORIES_TRIED} worker factories died one after another; jobs wait for a worker", code="no_worker"
        )

    def _fork_ahead(self) -> None:
        """All workers at once, before the first job comes: a first result does not wait for a fork."""
        self._forked_ahead = True
        with contextlib.suppress(ResourceExhaustionError):  # they are forked when they are needed
            for _ in range(self._size - len(self._slots)):
                self._fork()

    def _read(self, slot: Slot) -> list[ExecutorEvent]:
        try:
            message = orjson.loads(slot.pipe.recv_bytes())
        except (EOFError, OSError):
            return self._died(slot)
        if slot.job_id is None:
            return []
        if message["type"] == "progress":
            done, used = message["evaluations_done"], message["resources"]
            return [Progressed(job_id=slot.job_id, evaluations_done=done, resources=used)]
        try:
            event: ExecutorEvent = Finished(job_id=slot.job_id, message=_with_result(message))
        except (OSError, ValueError) as error:
            event = Died(job_id=slot.job_id, reason=f"its result cannot be read: {error}")
        slot.job_id, slot.deadline, slot.jobs_done = None, float("inf"), slot.jobs_done + 1
        if slot.jobs_done >= self._recycle_after:
            self._drop(slot)
        return [event]

    def _died(self, slot: Slot) -> list[ExecutorEvent]:
        job_id, late = slot.job_id, time.monotonic() >= slot.deadline  # the backstop may have been faster than we were
        self._drop(slot)
        if job_id is None:
            return []
        return [Died(job_id=job_id, reason=self._reason(slot.pid), killed_by_deadline=late)]

    def _reason(self, pid: int) -> str:
        assert self._zygote is not None
        until = time.monotonic() + REAP_SECONDS
        while time.monotonic() < until:
            wait([self._zygote.fileno()], max(0.0, until - time.monotonic()))
            try:
                status = self._zygote.exit_status(pid)
            except (EOFError, OSError):
                return "the worker factory died"
            if status is not None:
                return (
                    f"signal {signal.Signals(os.WTERMSIG(status)).name}"
                    if os.WIFSIGNALED(status)
                    else f"exit code {os.WEXITSTATUS(status)}"
                )
        return "pipe closed"

    def _enforce_deadlines(self) -> list[ExecutorEvent]:
        now = time.monotonic()
        late = [slot for slot in self._slots if slot.job_id and now >= slot.deadline]
        found: list[ExecutorEvent] = []
        for slot in late:
            assert slot.job_id
            found.append(Died(job_id=slot.job_id, reason="killed at its deadline", killed_by_deadline=True))
            self._drop(slot)
        return found

    def _drop(self, slot: Slot) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(slot.pid, signal.SIGKILL)
        slot.pipe.close()
        self._slots.remove(slot)


def _with_result(message: dict[str, Any]) -> dict[str, Any]:
    """The answer with its result, which is in a file of its own if it is large."""
    if "result_file" not in message:
        return message
    path = Path(message.pop("result_file"))
    result = orjson.loads(path.read_bytes())
    path.unlink()
    return {**message, "result": result}
