"""The local executor: N worker processes with a private pipe each, killed hard at their deadline."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

import orjson

from stratopt.optimization.exceptions import ResourceExhaustionError
from stratopt.optimization.executor import Died, ExecutorEvent, Finished, Progressed
from stratopt.optimization.jobs import JobId
from stratopt.optimization.worker_messages import Incoming, parse, with_result
from stratopt.optimization.zygote import SetUp, Zygote

BACKSTOP_SECONDS = 5.0
REAP_SECONDS = 0.2
FACTORY_DIED = "the worker factory died"


@dataclass
class Slot:
    """One worker process and what it is doing; ``attempt`` is named in the request and has to be named in every answer."""

    pid: int
    pipe: Connection
    job_id: JobId | None = None
    attempt: str | None = None
    deadline: float = float("inf")
    jobs_done: int = 0
    incoming: Incoming = field(init=False)

    def __post_init__(self) -> None:
        self.incoming = Incoming(self.pipe)


class SlotExecutor:
    """See ``Executor``. Workers are forked on demand and replaced after ``recycle_after`` jobs; ``set_up`` prepares their factory."""

    def __init__(
        self,
        slots: int,
        *,
        memory_limit_bytes: int | None = None,
        recycle_after: int = 200,
        set_up: SetUp | None = None,
    ) -> None:
        self._size = slots
        self._memory_limit_bytes = memory_limit_bytes
        self._recycle_after = recycle_after
        self._set_up = set_up
        self._slots: list[Slot] = []
        self._attempts = itertools.count(1)
        self._zygote: Zygote | None = None
        self._forked_ahead = False
        self._wakeup_read, self._wakeup_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for end in (self._wakeup_read, self._wakeup_write):
            weakref.finalize(self, os.close, end)  # ``wake`` may come after ``close``

    def open(self) -> None:
        """Start the zygote, unless that was done; a worker for every slot follows when it is ready."""
        if self._zygote is None:
            self._zygote = self._new_factory()

    def free(self) -> int:
        """Slots without a job that can have one now: while the factory starts, only those whose worker is there."""
        idle = sum(1 for slot in self._slots if slot.job_id is None)
        starting = self._zygote is not None and not self._zygote.ready
        return idle if starting else self._size - len(self._slots) + idle

    def pids(self) -> Mapping[JobId, int]:
        """Process of each running job."""
        return {slot.job_id: slot.pid for slot in self._slots if slot.job_id}

    def start(self, job_id: JobId, payload: Mapping[str, Any], deadline: float) -> None:
        """Hand an attempt to an idle worker or a new one. ResourceExhaustionError when there is none: try again later."""
        backstop = max(deadline - time.monotonic(), 0.0) + BACKSTOP_SECONDS
        attempt = f"{job_id}/{next(self._attempts)}"
        request = orjson.dumps({"attempt": attempt, "backstop_seconds": backstop, **payload})
        slot = next((s for s in self._slots if s.job_id is None), None) or self._fork()
        try:
            slot.pipe.send_bytes(request)
        except OSError:  # the idle worker died unseen: a fresh one takes the job
            self._drop(slot)
            slot = self._fork()
            with contextlib.suppress(OSError):  # that one died as well: ``events`` finds its pipe at the end
                slot.pipe.send_bytes(request)
        slot.job_id, slot.attempt, slot.deadline = job_id, attempt, deadline

    def kill(self, job_id: JobId) -> None:
        """End an attempt now."""
        for slot in [s for s in self._slots if s.job_id == job_id]:
            self._drop(slot)

    def events(self, timeout: float) -> Sequence[ExecutorEvent]:
        """What happened since the last call, or within ``timeout`` seconds."""
        nearest = min((s.deadline for s in self._slots if s.job_id), default=float("inf"))
        timeout = max(0.0, min(timeout, nearest - time.monotonic()))
        news = [] if self._zygote is None else [self._zygote.fileno()]
        ready = wait([*(s.pipe for s in self._slots), self._wakeup_read, *news], timeout)
        if self._wakeup_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wakeup_read, 4096)
        found: list[ExecutorEvent] = []
        for slot in [s for s in self._slots if s.pipe in ready]:
            found.extend(self._read(slot))
        if any(fileno in ready for fileno in news):
            found.extend(self._hear_factory())
        return [*found, *self._enforce_deadlines()]

    def wake(self) -> None:
        """Let ``events`` return soon; from any thread."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._wakeup_write, b"x")

    def close(self) -> None:
        """End all workers."""
        for slot in list(self._slots):
            self._drop(slot)
        self._close_factory()

    def _new_factory(self) -> Zygote:
        """OSError when the machine has no room for it. It takes a second or two to be ready, in which nobody waits for it."""
        self._forked_ahead = False
        return Zygote(memory_limit_bytes=self._memory_limit_bytes, set_up=self._set_up)

    def _hear_factory(self) -> list[ExecutorEvent]:
        """Workers for all slots once it is ready; when it died, the deaths of its workers, which die with it, and another one."""
        if self._zygote is None:
            return []
        factory = self._zygote
        try:
            factory.hear()
        except (EOFError, OSError):
            return self._bury_factory()
        if factory.ready and not self._forked_ahead:
            self._fork_ahead()
        return []

    def _bury_factory(self) -> list[ExecutorEvent]:
        was_ready = self._zygote is not None and self._zygote.ready
        found = [event for slot in list(self._slots) for event in self._orphaned(slot)]
        self._close_factory()
        if was_ready:  # one that dies at its start is followed by another when a worker is needed
            with contextlib.suppress(OSError):
                self._zygote = self._new_factory()
        return found

    def _fork(self) -> Slot:
        """A new worker. ResourceExhaustionError where there is no factory that can make one; then one is on its way, if possible."""
        try:
            pid, pipe = self._ready_factory().fork()
        except (EOFError, OSError) as error:
            self._close_factory()
            raise _no_worker(
                f"the worker factory died or could not be started: {type(error).__name__}: {error}"
            ) from error
        slot = Slot(pid, pipe)
        self._slots.append(slot)
        return slot

    def _ready_factory(self) -> Zygote:
        """As ``_fork``; OSError when none can be started."""
        try:
            if self._zygote is not None:
                self._zygote.hear()
        except (EOFError, OSError):  # it died unseen
            self._close_factory()
        if self._zygote is None:
            self._zygote = self._new_factory()
        if not self._zygote.ready:
            raise _no_worker("the worker factory is starting")
        return self._zygote

    def _close_factory(self) -> None:
        if self._zygote is not None:
            self._zygote.close()
            self._zygote = None

    def _fork_ahead(self) -> None:
        """All workers at once, before the first job comes: a first result does not wait for a fork."""
        self._forked_ahead = True
        with contextlib.suppress(ResourceExhaustionError):  # they are forked when they are needed
            for _ in range(self._size - len(self._slots)):
                self._fork()

    def _read(self, slot: Slot) -> list[ExecutorEvent]:
        found: list[ExecutorEvent] = []
        try:
            for message in slot.incoming.messages():
                found.append(self._heard(slot, message))  # noqa: PERF401 - what came before an error counts
        except (EOFError, OSError):
            return [*found, *self._died(slot)]
        except ValueError as error:
            return [*found, *self._dismissed(slot, f"its answer cannot be read: {error}")]
        if slot.jobs_done >= self._recycle_after:
            self._drop(slot)
        return found

    def _heard(self, slot: Slot, data: bytes) -> ExecutorEvent:
        """What a message says of the slot's job. ValueError for one that says nothing of it: nobody knows what its worker does."""
        message, job_id = parse(data, slot.attempt), slot.job_id
        assert job_id is not None
        if message["type"] == "progress":
            done, used = message["evaluations_done"], message["resources"]
            return Progressed(job_id=job_id, evaluations_done=done, resources=used)
        slot.job_id, slot.attempt, slot.deadline, slot.jobs_done = None, None, float("inf"), slot.jobs_done + 1
        try:
            return Finished(job_id=job_id, message=with_result(message))
        except (OSError, ValueError) as error:
            return Died(job_id=job_id, kind="answer", reason=f"its result cannot be read: {error}")

    def _died(self, slot: Slot) -> list[ExecutorEvent]:
        job_id, late = slot.job_id, time.monotonic() >= slot.deadline  # the backstop may have been faster than we were
        self._drop(slot)
        if job_id is None:
            return []
        kind, reason = self._cause(slot.pid)
        return [Died(job_id=job_id, kind=kind, reason=reason, killed_by_deadline=late)]

    def _orphaned(self, slot: Slot) -> list[ExecutorEvent]:
        job_id, late = slot.job_id, time.monotonic() >= slot.deadline
        self._drop(slot)
        if job_id is None:
            return []
        return [Died(job_id=job_id, kind="factory", reason=FACTORY_DIED, killed_by_deadline=late)]

    def _dismissed(self, slot: Slot, reason: str) -> list[ExecutorEvent]:
        self._drop(slot)
        return [] if slot.job_id is None else [Died(job_id=slot.job_id, kind="answer", reason=reason)]

    def _cause(self, pid: int) -> tuple[str, str]:
        """How a worker ended, as ``Died`` has it: its kind and reason."""
        until = time.monotonic() + REAP_SECONDS
        while self._zygote is not None:
            try:
                status = self._zygote.exit_status(pid)
            except (EOFError, OSError):
                break
            if status is not None:
                return _told(status)
            if (left := until - time.monotonic()) <= 0:
                return "unknown", "pipe closed"
            wait([self._zygote.fileno()], left)
        return "factory", FACTORY_DIED

    def _enforce_deadlines(self) -> list[ExecutorEvent]:
        now = time.monotonic()
        late = [slot for slot in self._slots if slot.job_id and now >= slot.deadline]
        found: list[ExecutorEvent] = []
        for slot in late:
            assert slot.job_id
            reason = "killed at its deadline"
            found.append(Died(job_id=slot.job_id, kind="deadline", reason=reason, killed_by_deadline=True))
            self._drop(slot)
        return found

    def _drop(self, slot: Slot) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(slot.pid, signal.SIGKILL)
        slot.pipe.close()
        self._slots.remove(slot)


def _no_worker(reason: str) -> ResourceExhaustionError:
    return ResourceExhaustionError(f"{reason}; jobs wait for a worker", code="no_worker")


def _told(status: int) -> tuple[str, str]:
    """Kind and reason of a wait status, as os.waitpid gives it."""
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return name, f"signal {name}"
    return "exit_code", f"exit code {os.WEXITSTATUS(status)}"
