"""The process that workers are forked from: everything is imported and compiled once, here.

A fork server of our own, because multiprocessing's runs the caller's main module again, which breaks scripts without a
main guard and notebooks. One control socket to the parent: ``fork`` requests come with the worker's end of its pipe, ``exited``
notices go back. The zygote dies with its parent thread or at the end of the socket, and its children die with it.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

from stratopt.optimization.exceptions import ResourceExhaustionError
from stratopt.optimization.processes import (
    SINGLE_THREADED,
    die_with_parent,
    freeze_imports,
    limit_memory,
    prefer_as_victim,
)

MESSAGE_BYTES = 4096
SetUp: TypeAlias = tuple[str, str]
"""A function as ``module:name`` and its argument; the factory calls it before anything else, its workers have what it did."""

log = logging.getLogger("stratopt.optimization.zygote")  # this module's name is __main__ where it runs


class Zygote:
    """The parent's handle; OSError when the process cannot be made. Start it from the thread that will live as long as the workers shall."""

    def __init__(self, *, memory_limit_bytes: int | None = None, set_up: SetUp | None = None) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        options = json.dumps(
            {
                "fd": theirs.fileno(),
                "parent": os.getpid(),
                "memory_limit_bytes": memory_limit_bytes,
                "set_up": set_up,
            }
        )
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603
                    [sys.executable, "-m", "stratopt.optimization.zygote", options],
                    pass_fds=[theirs.fileno()],
                    env={**os.environ, **SINGLE_THREADED},
                    stdin=subprocess.DEVNULL,
                )
            except OSError:
                ours.close()
                raise
        self._control = ours
        self.ready = False
        """Whether it has said that workers can be forked."""
        self._exits: dict[int, int] = {}

    def fileno(self) -> int:
        """For ``multiprocessing.connection.wait``: readable when there is something to ``hear``."""
        return self._control.fileno()

    def hear(self) -> None:
        """Take in its notices: that it is ready, who has ended. EOFError or OSError when it died. Waits for nothing."""
        while select.select([self._control], [], [], 0)[0]:
            self._note(self._read())

    def fork(self) -> tuple[int, Connection]:
        """A new worker's pid and the pipe to it; only when it is ``ready``.

        EOFError or OSError when the zygote died; ResourceExhaustionError when the machine has no room for one more worker, which leaves
        the others alone.
        """
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise _no_worker(str(error)) from error
        try:
            with theirs:
                socket.send_fds(self._control, [b"fork"], [theirs.fileno()])
            answer = self._receive("forked")
        except (EOFError, OSError):
            ours.close()
            raise
        if (pid := int(answer["pid"])) == 0:
            ours.close()
            raise _no_worker(answer["reason"])
        self._exits.pop(pid, None)  # of an earlier process with this number
        return pid, Connection(ours.detach())

    def exit_status(self, pid: int) -> int | None:
        """Wait status (as os.waitpid gives it) of a worker, if it has ended; told once."""
        self.hear()
        return self._exits.pop(pid, None)

    def _receive(self, kind: str) -> dict[str, Any]:
        while True:
            message = self._read()
            self._note(message)
            if message["type"] == kind:
                return message

    def _note(self, message: dict[str, Any]) -> None:
        if message["type"] == "exited":
            self._exits[message["pid"]] = message["status"]
        elif message["type"] == "ready":
            self.ready = True

    def _read(self) -> dict[str, Any]:
        data = self._control.recv(MESSAGE_BYTES)
        if not data:
            raise EOFError(f"the worker factory ended with exit code {self._process.poll()}")
        return json.loads(data)

    def close(self) -> None:
        """End the zygote, and with it every worker."""
        self._control.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _no_worker(reason: str) -> ResourceExhaustionError:
    return ResourceExhaustionError(f"no worker process can be made: {reason}; jobs wait for one", code="no_worker")


def main(options: dict[str, Any]) -> None:
    """What the zygote process runs."""
    die_with_parent(options["parent"])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a Ctrl-C at the terminal reaches the whole group; the server decides
    os.dup2(2, 1)  # what compiled code and programs of a strategy print; workers tell what its Python prints
    if options["set_up"] is not None:
        _set_up(*options["set_up"])
    control = socket.socket(fileno=options["fd"])
    from stratopt.optimization import worker

    worker.warm_up()
    freeze_imports()
    wakeup_read, wakeup_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wakeup_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        control.send(b'{"type":"ready"}')
    except BrokenPipeError:
        return  # the server ended before it needed a worker
    while True:
        waiting: list[Any] = [control, wakeup_read]
        readable = select.select(waiting, [], [])[0]
        if wakeup_read in readable:
            os.read(wakeup_read, 512)
            _report_exits(control)
        if control in readable:
            try:
                request, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 1)
            except ConnectionResetError:
                return  # the server ended with something of ours unread
            if not request:
                return
            _fork(control, descriptors[0], (wakeup_read, wakeup_write), options)


def _set_up(function: str, argument: str) -> None:
    module, _, name = function.partition(":")
    getattr(import_module(module), name)(argument)


def _fork(control: socket.socket, descriptor: int, wakeup: tuple[int, int], options: dict[str, Any]) -> None:
    zygote_pid = os.getpid()
    try:
        pid = os.fork()
    except OSError as error:
        os.close(descriptor)
        control.send(json.dumps({"type": "forked", "pid": 0, "reason": str(error)}).encode())
        return
    if pid:
        os.close(descriptor)
        control.send(json.dumps({"type": "forked", "pid": pid}).encode())
        return
    code = 1
    try:
        die_with_parent(zygote_pid)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
        for end in wakeup:
            os.close(end)
        prefer_as_victim()
        limit_memory(options["memory_limit_bytes"])
        from stratopt.optimization import worker

        worker.serve(Connection(descriptor))
        code = 0
    except BaseException:
        log.exception("worker_failed")
    finally:
        os._exit(code)


def _report_exits(control: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        control.send(json.dumps({"type": "exited", "pid": pid, "status": status}).encode())


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
