"""A server that tests may kill, and the invariants that must hold afterwards."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import psutil

from stratopt.cli.server_process import free_port
from stratopt.client.client import BatchHandle, Client

from .timeline import Span, idle_spans, late_attempts, late_batches, longest_stretch, starts, without

STRATEGIES = Path(__file__).parent / "strategies"
TERMINAL_JOBS = {"succeeded", "failed", "timed_out", "cancelled"}
TERMINAL_BATCHES = {"completed", "failed", "cancelled", "timed_out"}
MAX_ATTEMPTS = 3
SLOT_BACK_SECONDS = 1.0
"""I9: no slot may stand idle longer beside waiting work, whatever was killed; that is far more than a busy machine takes."""
NOTICED_SECONDS = 0.1
"""How late it may be seen that a server has ended by itself."""
NO_GATE = {"maximum_load_per_core": 1e9, "minimum_free_memory_megabytes": 0}
"""Beside heavy load the service runs one job at a time, and none without memory; rightly, but to I9 a slot would stand idle."""


def quick_config(max_evals: int = 4, **search: Any) -> dict[str, Any]:
    return {
        "asset": "BTC",
        "optimization_config": {"max_evals": max_evals, "algorithm": "random", "cross_validation": False, **search},
    }


class Server:
    """A server process on its own data directory; ``start`` after a kill goes on with the same state and port."""

    def __init__(self, data_dir: Path, **settings: Any) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.settings = {"workers": 2, **NO_GATE, **settings}
        self.process: subprocess.Popen[bytes] | None = None
        self.acknowledged: list[str] = []
        self.history = History()
        self.excused: list[Span] = []
        self._ups: list[Span] = []
        self._up_since: float | None = None
        self._clients: list[Client] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, wait: bool = True, **settings: Any) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        chosen = {
            **self.settings,
            **settings,
            "data_dir": self.data_dir,
            "strategy_folder": STRATEGIES,
            "log_level": "INFO",
        }
        environment = {**os.environ, **{f"STRATOPT_{name.upper()}": str(value) for name, value in chosen.items()}}
        self._up_since = time.time()  # of one that nobody saw end, it is not known how long it was up
        with (self.data_dir / "server.log").open("ab") as log:
            command = [sys.executable, "-m", "stratopt.cli.main", "serve", "--port", str(self.port)]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self, seconds: float = 90.0) -> None:
        assert self.process is not None
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            assert self.process.poll() is None, (
                f"the server ended: {(self.data_dir / 'server.log').read_text()[-3000:]}"
            )
            with suppress(httpx2.TransportError):
                if httpx2.get(f"{self.address}/readyz", timeout=5.0).status_code == 200:
                    return
            time.sleep(0.02)
        raise AssertionError(f"not ready: {(self.data_dir / 'server.log').read_text()[-3000:]}")

    def kill(self) -> None:
        assert self.process is not None
        self._goes_down()
        self.process.kill()
        self.process.wait()
        self.close_clients()
        self.history.assert_unchanged(self)

    def close_clients(self) -> None:
        while self._clients:
            self._clients.pop().close()

    def stop(self) -> int:
        assert self.process is not None
        self._goes_down()
        self.process.terminate()
        code = self.process.wait(30)
        self.history.assert_unchanged(self)
        return code

    def wait_until_dead(self, seconds: float = 60.0) -> None:
        assert self.process is not None
        assert self.process.wait(seconds) == -signal.SIGKILL
        self._goes_down()
        self.excused.append(Span(time.time() - NOTICED_SECONDS, time.time()))
        self.history.assert_unchanged(self)

    def _goes_down(self) -> None:
        if self._up_since is not None:
            self._ups.append(Span(self._up_since, time.time()))
            self._up_since = None

    @property
    def up(self) -> list[Span]:
        """When a server was there, from the start of its process on."""
        return [*self._ups, *([] if self._up_since is None else [Span(self._up_since, time.time())])]

    def excuse(self, seconds: float) -> None:
        """A slot may stand idle so long from now on."""
        self.excused.append(Span(time.time(), time.time() + seconds))

    @contextmanager
    def excusing(self) -> Iterator[None]:
        """Slots may stand idle meanwhile: the test takes away what they need."""
        begin = time.time()
        try:
            yield
        finally:
            self.excused.append(Span(begin, time.time()))

    def client(self, retries: int = 4) -> Client:
        self._clients.append(Client(self.address, retries=retries, timeout_seconds=90))
        return self._clients[-1]

    def submit(self, strategies: Sequence[Any], config: dict[str, Any] | None = None, **more: Any) -> BatchHandle:
        batch = self.client().optimize_batch(
            {"strategies": list(strategies), "common_config": config or quick_config(), **more}
        )
        self.acknowledged.append(batch.batch_id)
        return batch

    def processes(self) -> list[psutil.Process]:
        """The zygote and the workers, wherever they hang now."""
        mark = str(self.process.pid) if self.process else ""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            command = " ".join(process.info["cmdline"] or [])
            if "stratopt.optimization.zygote" in command and f'"parent": {mark}' in command:
                found.append(process)
        return found

    def workers(self) -> list[int]:
        """Pids of the forked workers that live."""
        assert self.process is not None
        found = []
        for zygote in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                found += [worker.pid for worker in zygote.children() if worker.status() != psutil.STATUS_ZOMBIE]
        return found

    def rows(self, query: str) -> list[dict[str, Any]]:
        connection = sqlite3.connect(self.data_dir / "stratopt.sqlite")
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(query)]
        finally:
            connection.close()


@contextmanager
def unstarted(data_dir: Path, **settings: Any) -> Iterator[Server]:
    """A server that the test starts itself; it is killed at the end, and takes its workers with it."""
    server = Server(data_dir, **settings)
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        server.close_clients()
    assert_no_orphans(server)
    if server.process is not None:
        server.history.assert_unchanged(server)


@contextmanager
def running(data_dir: Path, **settings: Any) -> Iterator[Server]:
    with unstarted(data_dir, **settings) as server:
        server.start()
        yield server


def until(condition: Callable[[], bool], seconds: float = 60.0, otherwise: str = "it did not happen") -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, otherwise
        time.sleep(0.02)


def assert_invariants(server: Server, *, ended: bool = True) -> None:
    """I1 to I5 and I8 on the rows of the store, I7 and I9 on their times once all has ended; what results refer to is there."""
    batches = {row["batch_id"]: row for row in server.rows("SELECT * FROM batches")}
    jobs = server.rows("SELECT * FROM jobs")
    events = server.rows("SELECT * FROM events ORDER BY batch_id, seq")
    for batch_id in server.acknowledged:
        assert batch_id in batches, f"I1: {batch_id} was acknowledged and is gone"
    for batch_id, batch in batches.items():
        mine = [job for job in jobs if job["batch_id"] == batch_id]
        states = Counter(job["state"] for job in mine)
        counts = {name: batch[name] for name in ("queued", "running", *sorted(TERMINAL_JOBS))}
        assert counts == {name: states.get(name, 0) for name in counts}, f"I4: {batch_id} {counts} {states}"
        assert batch["total"] == len(mine), "I4"
        assert batch["best_index"] == _best(batch, mine), f"I4: {batch_id} best {batch['best_index']}"
        if ended:
            assert batch["state"] in TERMINAL_BATCHES, f"I1: {batch_id} is {batch['state']}"
            assert set(states) <= TERMINAL_JOBS, f"I1: {states}"
        told = [event for event in events if event["batch_id"] == batch_id]
        assert [event["seq"] for event in told] == list(range(1, batch["last_seq"] + 1)), f"I3: {batch_id}"
        ends = sorted((job["seq"], job["job_id"], job["state"]) for job in mine if job["seq"] is not None)
        facts = [(event["seq"], json.loads(event["data"])) for event in told if event["kind"] != "batch.ended"]
        assert ends == [(seq, data["job_id"], data["status"]) for seq, data in facts], f"I3: {batch_id}"
        over = [event["seq"] for event in told if event["kind"] == "batch.ended"]
        assert over == ([len(mine) + 1] if batch["state"] in TERMINAL_BATCHES else []), f"I3: {batch_id} {over}"
        for job in mine:
            assert (job["state"] in TERMINAL_JOBS) == (job["seq"] is not None), "I2"
            assert (job["state"] == "succeeded") == (job["result"] is not None), "I2"
            assert job["attempts"] <= MAX_ATTEMPTS, f"I5: {job['attempts']}"
            for name in (json.loads(job["result"] or "{}").get("artifacts") or {}).values():
                assert (server.data_dir / "artifacts" / batch_id / name).exists(), f"I6: {name} of {job['job_id']}"
    for attempt in server.rows("SELECT a.*, j.fence AS newest FROM attempts a JOIN jobs j USING (job_id)"):
        assert attempt["outcome"] != "succeeded" or attempt["fence"] == attempt["newest"], "I8"
    server.history.assert_unchanged(server)
    if ended:
        assert_times(server)


def assert_times(server: Server) -> None:
    """I7: nothing passed its limit. I9: no slot stood idle for long beside waiting work, but for starts and what a test excused."""
    batches, jobs, attempts = (server.rows(f"SELECT * FROM {table}") for table in ("batches", "jobs", "attempts"))
    late = [*late_attempts(jobs, attempts, server.up), *late_batches(batches, server.up)]
    assert not late, "; ".join(late)
    seen = without(server.up, [*starts(server.up, attempts), *server.excused])
    idle = longest_stretch(idle_spans(batches, jobs, attempts, slots=server.settings["workers"], seen=seen))
    assert idle.seconds <= SLOT_BACK_SECONDS, (
        f"I9: a slot stood idle for {idle.seconds:.2f} s beside waiting work: {idle}"
    )


def _best(batch: dict[str, Any], jobs: Sequence[dict[str, Any]]) -> int | None:
    """The job with the highest out-of-sample Sharpe ratio, the earlier of equal ones; of older releases' batches it is not known."""
    ratios = {
        job["position"]: json.loads(job["result"])["out_of_sample"]["metrics"]["sharpe_ratio"]
        for job in jobs
        if job["result"]
    }
    known = [(-ratio, position) for position, ratio in ratios.items() if ratio is not None]
    return min(known)[1] if known and batch["strategies"] is not None else None


class History:
    """What has ended, as it was when it was first seen."""

    def __init__(self) -> None:
        self._ended: dict[str, dict[str, Any]] = {}

    def assert_unchanged(self, server: Server) -> None:
        """I2: what has ended is never written again, nor gone unless it was deleted; what ended since the last look is remembered.

        A newer release may add columns.
        """
        tables = {"jobs": "job_id", "batches": "batch_id"}
        rows = {row[key]: row for table, key in tables.items() for row in server.rows(f"SELECT * FROM {table}")}
        changed = [
            name
            for name, row in self._ended.items()
            if not _is_part(row, rows.get(name)) and (name in rows or row["batch_id"] in server.acknowledged)
        ]
        assert not changed, f"I2: changed after the end: {changed}"
        self._ended = {name: row for name, row in rows.items() if row["state"] in TERMINAL_JOBS | TERMINAL_BATCHES}


def _is_part(row: dict[str, Any], of: dict[str, Any] | None) -> bool:
    return of is not None and all(of[name] == value for name, value in row.items() if name in of)


def assert_no_orphans(server: Server, seconds: float = 3.0) -> None:
    """I7: nothing of a dead server is left."""
    until = time.monotonic() + seconds
    while server.processes() and time.monotonic() < until:
        time.sleep(0.02)
    assert server.processes() == [], "I7"


def results(batch: BatchHandle) -> dict[str, str]:
    """What succeeded, as bytes to compare (I6)."""
    return {
        item["strategy_id"]: json.dumps(item["result"], sort_keys=True) for item in batch.results() if item["result"]
    }


def differences(found: Any, expected: Any, at: str = "") -> list[str]:
    """Where two documents differ, as paths."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return [
            line
            for key in sorted({*found, *expected})
            for line in differences(found.get(key), expected.get(key), f"{at}/{key}")
        ]
    return [] if found == expected else [f"{at}: {str(found)[:80]} is not {str(expected)[:80]}"]


def assert_same_results(batch: BatchHandle, expected: dict[str, str]) -> None:
    """I6: byte for byte what a run without faults found."""
    found = results(batch)
    if found != expected:
        parsed = [{name: json.loads(text) for name, text in each.items()} for each in (found, expected)]
        raise AssertionError("I6: " + "; ".join(differences(*parsed)[:5]))
