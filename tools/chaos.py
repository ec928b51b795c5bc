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
    SLOT_BACK_SECONDS,
    Server,
    assert_invariants,
    assert_no_orphans,
    assert_same_results,
    quick_config,
    results,
    running,
    until,
)
from tests.faults.timeline import GRACE_SECONDS, died, idle_spans, longest_stretch, slot_seconds, starts, without

BASE = [{"name": "Quick", "strategy_id": f"quick{i}"} for i in range(4)]
MOST_WAITING = 30
SLOTS = 2
FACTORY_BACK_SECONDS = 2.0
"""Until a slot works again after the factory of workers was killed. After a start that is the first end of an attempt."""
LONGEST_STRETCH_SECONDS = 0.3
"""Outside of them no slot stands idle so long at once, on a machine that has nothing else to do."""
DISPATCH_SECONDS = 0.01
FORK_SECONDS = 0.05
"""What is explained in all: between two jobs of a slot, and where a strategy ends its own worker."""
SMALLEST_SHARE = 0.2
"""Of the slots' time that was watched: with all of it excused, I9 would not have been checked."""
POISON = ("Segfaults", "Exits", "GivesNaN", "SpinsWithLock")


class Chaos:
    """One run: a server, a source of random numbers, a diary."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.clean: list[str] = []
        self.sockets: list[socket.socket] = []

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

    def kill_worker(self) -> None:
        if found := self.server.workers():
            self.server.excuse(SLOT_BACK_SECONDS)
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
        self.server.excuse(FACTORY_BACK_SECONDS)
        for factory in psutil.Process(self.server.process.pid).children():
            factory.kill()

    def slow_reader(self) -> None:
        if self.server.acknowledged:
            connection = socket.create_connection(("127.0.0.1", self.server.port))
            path = f"/api/v1/optimize/batch/{self.random.choice(self.server.acknowledged)}/events"
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            self.sockets = [*self.sockets[-20:], connection]

    def kill_server(self) -> None:
        self.server.kill()
        self.look_and_start()

    def stop_server(self) -> None:
        for connection in self.sockets:
            connection.close()
        self.sockets = []
        self.server.stop()
        self.server.close_clients()
        self.look_and_start()

    def look_and_start(self) -> None:
        assert_no_orphans(self.server)
        assert_invariants(self.server, ended=False)
        self.server.start()

    def check_idle(self) -> dict[str, float]:
        """I9 over all that happened: how long slots were watched, kills and starts apart, and stood idle beside waiting work."""
        batches, jobs, attempts = (
            self.server.rows(f"SELECT * FROM {table}") for table in ("batches", "jobs", "attempts")
        )
        up = self.server.up
        seen = without(up, [*self.server.excused, *starts(up, attempts)])
        idle = idle_spans(batches, jobs, attempts, slots=SLOTS, seen=seen)
        longest, together = longest_stretch(idle), slot_seconds(idle)
        watched = SLOTS * sum(span.seconds for span in seen)
        share = watched / (SLOTS * sum(span.seconds for span in up))
        assert longest.seconds <= LONGEST_STRETCH_SECONDS, (
            f"I9: a slot stood idle for {longest.seconds:.2f} s at once beside waiting work: {longest}"
        )
        allowed = sum(FORK_SECONDS if died(attempt) else DISPATCH_SECONDS for attempt in attempts)
        assert together <= allowed, (
            f"I9: slots stood idle for {together:.2f} s beside waiting work, {allowed:.2f} s are explained"
        )
        assert share >= SMALLEST_SHARE, f"I9: only {share:.0%} of the slots' time was watched, the rest is excused"
        return {
            "watched_slot_seconds": round(watched, 3),
            "watched_share": round(share, 3),
            "idle_slot_seconds": round(together, 3),
            "longest_idle_seconds": round(longest.seconds, 3),
        }

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
    slots: dict[str, float] | None = None
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
                slots = chaos.check_idle()
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
                        "slots": slots,
                        "violations": violations,
                    }
                ),
                flush=True,
            )
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
