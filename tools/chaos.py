"""Chaos against a real server: random kills, stops, cancels, submissions and slow readers, then the history is checked offline.

    python tools/chaos.py --seconds 300 --seed 1

Prints the seed, what was done and every violation of the invariants; exit code 1 if there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.faults.harness import (
    History,
    Server,
    assert_invariants,
    assert_no_orphans,
    assert_same_results,
    quick_config,
    results,
    running,
    until,
)
from tests.faults.timeline import GRACE_SECONDS, Span, died, idle_slot_seconds, late_attempts, late_batches, without

BASE = [{"name": "Quick", "strategy_id": f"quick{i}"} for i in range(4)]
MOST_WAITING = 30
SLOTS = 2
SLOT_BACK_SECONDS = 1.0
FACTORY_BACK_SECONDS = 2.0
START_SECONDS = 1.0
"""Until a slot works again: after its worker was killed, after the factory was, after a start."""
DISPATCH_SECONDS = 0.01
FORK_SECONDS = 0.05
"""What is explained outside of them: between two jobs of a slot, and where a strategy ends its own worker."""
POISON = ("Segfaults", "Exits", "GivesNaN", "SpinsWithLock")


class Chaos:
    """One run: a server, a source of random numbers, a diary."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.clean: list[str] = []
        self.sockets: list[socket.socket] = []
        self.history = History()
        self.up: list[Span] = []
        self.excused: list[Span] = []
        self._up_since = time.time()

    def step(self) -> None:
        actions = {
            "submit_clean": 6,
            "submit_mixed": 4,
            "submit_slow": 3,
            "cancel": 2,
            "kill_worker": 5,
            "stop_worker": 1,
            "kill_factory": 1,
            "slow_reader": 2,
            "kill_server": 1,
            "stop_server": 1,
            "wait": 3,
        }
        name = self.random.choices(list(actions), list(actions.values()))[0]
        if name.startswith("submit") and self.waiting() > MOST_WAITING:
            name = "wait"
        getattr(self, name)()
        self.done[name] += 1
        until(lambda: self.live_workers() <= SLOTS, GRACE_SECONDS, f"I7: more than {SLOTS} workers live")

    def waiting(self) -> int:
        """Jobs in the queue: chaos must not submit faster than the server can work, or it would wait for hours at the end."""
        return int(self.server.rows("SELECT COUNT(*) AS n FROM jobs WHERE state = 'queued'")[0]["n"])

    def submit_clean(self) -> None:
        self.clean.append(self.server.submit(BASE).batch_id)

    def submit_mixed(self) -> None:
        names = [*self.random.sample(POISON, 2), *BASE[:2]]
        self.server.submit(names, quick_config(timeout_minutes=3 / 60))

    def submit_slow(self) -> None:
        self.server.submit(
            [{"name": "Slow", "strategy_id": f"s{i}"} for i in range(3)],
            quick_config(self.random.randint(5, 30)),
            deadline_minutes=self.random.choice([0.1, 5]),
        )

    def cancel(self) -> None:
        candidates = [b for b in self.server.acknowledged if b not in self.clean]
        if candidates:
            self.server.client().batch(self.random.choice(candidates)).cancel()

    def live_workers(self) -> int:
        return len(self.server.workers())

    def excuse(self, seconds: float) -> None:
        """A slot may stand idle so long from now on."""
        self.excused.append(Span(time.time(), time.time() + seconds))

    def kill_worker(self) -> None:
        if found := self.server.workers():
            self.excuse(SLOT_BACK_SECONDS)
            with suppress(ProcessLookupError):
                os.kill(self.random.choice(found), signal.SIGKILL)

    def stop_worker(self) -> None:
        if found := self.server.workers():
            pid = self.random.choice(found)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.5)
                os.kill(pid, signal.SIGCONT)

    def kill_factory(self) -> None:
        """The process that workers are forked from; they die with it."""
        assert self.server.process is not None
        self.excuse(FACTORY_BACK_SECONDS)
        for factory in psutil.Process(self.server.process.pid).children():
            factory.kill()

    def slow_reader(self) -> None:
        if self.server.acknowledged:
            connection = socket.create_connection(("127.0.0.1", self.server.port))
            path = f"/api/v1/optimize/batch/{self.random.choice(self.server.acknowledged)}/events"
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            self.sockets = [*self.sockets[-20:], connection]

    def kill_server(self) -> None:
        self.goes_down()
        self.server.kill()
        self.look_and_start()

    def stop_server(self) -> None:
        for connection in self.sockets:
            connection.close()
        self.sockets = []
        self.goes_down()
        self.server.stop()
        self.server.close_clients()
        self.look_and_start()

    def look_and_start(self) -> None:
        assert_no_orphans(self.server)
        assert_invariants(self.server, ended=False)
        self.history.assert_unchanged(self.server)
        self.server.start()
        self._up_since = time.time()

    def goes_down(self) -> None:
        self.up.append(Span(self._up_since, time.time()))

    def check_times(self) -> float:
        """I7 and I9 over all that happened; returns the slot seconds that stood idle beside waiting work, kills and starts apart."""
        self.goes_down()
        batches, jobs, attempts = (
            self.server.rows(f"SELECT * FROM {table}") for table in ("batches", "jobs", "attempts")
        )
        late = [*late_attempts(jobs, attempts, self.up), *late_batches(batches, self.up)]
        assert not late, "; ".join(late)
        starts = [Span(span.begin, span.begin + START_SECONDS) for span in self.up]
        seen = without(self.up, [*self.excused, *starts])
        idle = idle_slot_seconds(batches, jobs, attempts, slots=SLOTS, seen=seen)
        allowed = sum(FORK_SECONDS if died(attempt) else DISPATCH_SECONDS for attempt in attempts)
        assert idle <= allowed, (
            f"I9: slots stood idle for {idle:.2f} s beside waiting work, {allowed:.2f} s are explained"
        )
        return idle

    def wait(self) -> None:
        time.sleep(self.random.uniform(0.1, 1.0))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    seed = options.seed or int(time.time())
    print(json.dumps({"seed": seed, "seconds": options.seconds}), flush=True)
    violations: list[str] = []
    idle: float | None = None
    with tempfile.TemporaryDirectory() as folder:
        with running(Path(folder) / "reference") as reference:
            expected = results(reference.submit(BASE).wait())
        with running(Path(folder) / "data", workers=SLOTS) as server:
            chaos = Chaos(server, seed)
            end = time.monotonic() + options.seconds
            try:
                while time.monotonic() < end:
                    chaos.step()
                for batch_id in server.acknowledged:
                    server.client().batch(batch_id).wait(timeout_seconds=600)
                assert_invariants(server)
                chaos.history.assert_unchanged(server)
                idle = chaos.check_times()
                for batch_id in chaos.clean:
                    assert_same_results(server.client().batch(batch_id), expected)
                server.kill()
                assert_no_orphans(server)
            except AssertionError as error:
                violations.append(str(error))
            except Exception:
                print((server.data_dir / "server.log").read_text()[-5000:], file=sys.stderr)
                raise
            jobs = Counter(row["state"] for row in server.rows("SELECT state FROM jobs"))
            print(
                json.dumps(
                    {
                        "done": chaos.done,
                        "batches": len(server.acknowledged),
                        "jobs": jobs,
                        "idle_slot_seconds": idle,
                        "violations": violations,
                    }
                ),
                flush=True,
            )
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
