"""Running the server: in this process, or as a child for the demo."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import httpx2

from stratopt.cli.output import EXIT_INVALID, EXIT_UNEXPECTED, fail, say

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
START_SECONDS = 60.0
GRACEFUL_SECONDS = 10


def serve(host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; open event streams get a ``shutdown`` event first.

    Without its supervisor a server is of no use: it ends likewise, with an exit code that lets a service manager start it again.
    """
    from stratopt.bootstrap import make_parts, make_server_app
    from stratopt.monitoring.log_setup import configure_logging
    from stratopt.optimization.printed_lines import PrintedLines
    from stratopt.optimization.processes import freeze_imports
    from stratopt.settings import Settings

    settings = Settings()
    configure_logging(settings.log_level)
    lock = _own_directory(settings.data_dir)
    listener = _listen(host, port)
    with PrintedLines() as printed, redirect_stdout(printed):
        parts = make_parts(settings, workers_now=True)
    if host not in LOOPBACK and not parts.keys.list():
        fail(
            f"refusing to listen on {host} without API keys: anyone who reaches it could run optimisations",
            EXIT_INVALID,
            "make a key with `stratopt keys create NAME`, or listen on 127.0.0.1",
        )
    import uvicorn  # after the worker factory started: both import at the same time

    app = make_server_app(settings, parts)

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            app.state.draining = True
            super().handle_exit(sig, frame)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                _tell_address(listener, settings.data_dir, docs=settings.docs)

        async def on_tick(self, counter: int) -> bool:
            app.state.draining |= parts.service.manager.failure is not None
            return await super().on_tick(counter) or parts.service.manager.failure is not None

    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level=settings.log_level.lower(),
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        access_log=False,
        log_config=None,
        server_header=False,
    )
    freeze_imports()
    try:
        Server(config).run(sockets=[listener])
    finally:
        lock.close()
    if (failure := parts.service.manager.failure) is not None:
        fail(
            f"the supervisor stopped: {type(failure).__name__}: {failure}",
            EXIT_UNEXPECTED,
            "the log has the traceback; what ran goes on at the next start",
        )


def _tell_address(listener: socket.socket, data_dir: Path, *, docs: bool) -> None:
    """Once a start, when requests are answered: a line of the log, and for people at a terminal a sentence."""
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    folder = str(data_dir.resolve())
    documentation = f"{address}/docs" if docs else None
    facts = {"address": address, "documentation": documentation, "data_directory": folder}
    logging.getLogger(__name__).info("server_listening", extra=facts)
    if sys.stderr.isatty():
        say(f"stratopt listens on {address} (Ctrl-C stops it)", "bold")
        say(f"documentation: {documentation or 'turned off'}\ndata directory: {folder}")


def _own_directory(directory: Path) -> Any:
    """One server a data directory."""
    import fcntl

    directory.mkdir(parents=True, exist_ok=True)
    lock = (directory / "server.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fail(
            f"another stratopt server uses {directory}",
            EXIT_INVALID,
            "stop it, or set STRATOPT_DATA_DIR to another directory",
        )
    return lock


def _listen(host: str, port: int) -> socket.socket:
    """The bound socket, before anything slow happens."""
    listener: socket.socket | None = None
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # taken over by its connections: head and body of an answer are two writes, and the second would wait 40 ms for the first
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
    except OSError as error:
        if listener:
            listener.close()
        fail(
            f"cannot listen on {host}:{port}: {error.strerror}",
            EXIT_INVALID,
            "another program has the port, perhaps another stratopt server; stop it or choose one with --port"
            if error.errno == errno.EADDRINUSE
            else None,
        )
    return listener


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_server(data_dir: Path, *, strategy_folder: Path | None = None, **settings: Any) -> Iterator[str]:
    """A server of its own on a free loopback port, with other ``settings`` if given; the value is its address."""
    port = free_port()
    environment = {**os.environ, "STRATOPT_DATA_DIR": str(data_dir), "STRATOPT_LOG_LEVEL": "WARNING"}
    environment |= {f"STRATOPT_{name.upper()}": str(value) for name, value in settings.items()}
    if strategy_folder:
        environment["STRATOPT_STRATEGY_FOLDER"] = str(strategy_folder)
    data_dir.mkdir(parents=True, exist_ok=True)
    log_path = data_dir / "server.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "stratopt.cli.main", "serve", "--port", str(port)],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}", log_path)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(GRACEFUL_SECONDS + 5)
        except subprocess.TimeoutExpired:
            say("the server did not stop in time and is killed", "yellow")
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, log_path: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            fail(
                f"the server ended with exit code {process.returncode}:\n{log_path.read_text()[-2000:]}",
                EXIT_UNEXPECTED,
            )
        with suppress(httpx2.TransportError):
            if httpx2.get(f"{address}/readyz", timeout=2.0).status_code == 200:
                return
        time.sleep(0.05)
    fail(f"the server was not ready after {START_SECONDS:g} s; its log is {log_path}", EXIT_UNEXPECTED)
