"""Faults of the server: killed at every commit, started twice, out of disk, out of time, overloaded, deserted (6, 7, 9, 11 to 19, 22)."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from stratopt.cli.output import EXIT_UNEXPECTED
from stratopt.client.errors import ConnectionFailedError, NotFoundError, ServerUnavailableError
from stratopt.optimization.batch_manager import BACK_OFF_SECONDS
from stratopt.storage.migrate import HEAD

from .conftest import BASE
from .harness import (
    Server,
    assert_invariants,
    assert_no_orphans,
    assert_same_results,
    quick_config,
    results,
    running,
    until,
)

pytestmark = pytest.mark.faults
STORAGE_BACK_SECONDS = 2.0
"""Until work goes on after the storage works again: the supervisor looks twice a second, SQLite waits in steps of a tenth."""
SYMBOLS = ["BTC", "ETH", "LTC", "SPX", "AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA"]
COMMITS = ("claim", "progress", "finish", "end_batch")
ADDED_SINCE_THE_FIRST_RELEASE = (
    *("worker_seconds", "cpu_seconds", "peak_memory_bytes", "evaluations"),
    *("traceparent", "lost_attempts"),
    *("strategies", "symbols", "timeframes", "start_date", "end_date"),
    *("best_job", "best_index", "best_sharpe_ratio"),
)


@pytest.mark.parametrize("when", ["before_commit", "after_commit"])
@pytest.mark.parametrize("move", COMMITS)
def test_6_a_server_killed_at_a_commit_goes_on_where_it_was(
    victim: Server, expected: dict[str, str], move: str, when: str
) -> None:
    victim.start(crash_point=f"{move}.{when}:2" if move in {"claim", "finish"} else f"{move}.{when}")
    slow = {"name": "Slow", "strategy_id": "slow"}  # the others are too quick to tell their progress
    body = {"strategies": [*BASE, slow], "common_config": quick_config()}
    with contextlib.suppress(ConnectionFailedError):  # the second claim may come before the answer to the submission
        victim.client(retries=0).optimize_batch(body, idempotency_key="once")
    victim.wait_until_dead()
    assert_no_orphans(victim)
    (stored,) = victim.rows("SELECT batch_id FROM batches")
    victim.acknowledged.append(stored["batch_id"])
    assert_invariants(victim, ended=False)
    victim.start()
    batch = victim.client().optimize_batch(body, idempotency_key="once")
    assert batch.batch_id == stored["batch_id"]
    found = results(batch.wait())
    assert set(found) == {*expected, "slow"}
    assert {name: text for name, text in found.items() if name in expected} == expected
    assert_invariants(victim)


@pytest.mark.parametrize("when", ["before_commit", "after_commit"])
def test_6_and_14_a_submission_cut_by_a_crash_is_made_once(victim: Server, expected: dict[str, str], when: str) -> None:
    victim.start(crash_point=f"submit.{when}")
    body = {"strategies": BASE, "common_config": quick_config()}
    with pytest.raises(ConnectionFailedError):
        victim.client(retries=0).optimize_batch(body, idempotency_key="the-one")
    victim.wait_until_dead()
    victim.start()
    batch = victim.client().optimize_batch(body, idempotency_key="the-one")
    assert_same_results(batch.wait(), expected)
    assert len(victim.rows("SELECT * FROM batches")) == 1
    assert_invariants(victim)


@pytest.mark.parametrize("when", ["before_commit", "after_commit"])
def test_6_a_cancel_cut_by_a_crash_ends_in_one_outcome(victim: Server, when: str) -> None:
    victim.start(crash_point=f"cancel.{when}")
    batch = victim.submit([{"name": "Slow", "strategy_id": f"s{i}"} for i in range(4)], quick_config(10))
    with pytest.raises(ConnectionFailedError):
        victim.client(retries=0).request("POST", f"/api/v1/optimize/batch/{batch.batch_id}/cancel")
    victim.wait_until_dead()
    assert_no_orphans(victim)
    victim.start()
    status = victim.client().batch(batch.batch_id).wait().status["status"]
    assert status == ("cancelled" if when == "after_commit" else "completed")
    assert_invariants(victim)


@pytest.mark.parametrize("when", ["before_commit", "after_commit"])
def test_6_a_death_noted_by_a_server_that_crashes_then_is_tried_again(victim: Server, when: str) -> None:
    victim.start(crash_point=f"release.{when}")
    batch = victim.submit(["KilledOnce", *BASE])
    victim.wait_until_dead()
    assert_invariants(victim, ended=False)
    victim.start()
    batch = victim.client().batch(batch.batch_id).wait()
    assert batch.status["counts"]["succeeded"] == len(BASE) + 1
    assert_invariants(victim)


@pytest.mark.parametrize("when", ["before_commit", "after_commit"])
def test_6_queued_jobs_whose_cancelling_is_cut_by_a_crash_are_cancelled(victim: Server, when: str) -> None:
    victim.start(crash_point=f"end_queued.{when}")
    batch = victim.submit([{"name": "Slow", "strategy_id": f"s{i}"} for i in range(6)], quick_config(300))
    batch.cancel()
    victim.wait_until_dead()
    assert_invariants(victim, ended=False)
    victim.start()
    status = victim.client().batch(batch.batch_id).wait().status
    assert (status["status"], status["counts"]["cancelled"]) == ("cancelled", 6)
    assert_invariants(victim)


@pytest.mark.parametrize("when", ["before_commit", "after_commit"])
def test_6_a_deletion_cut_by_a_crash_keeps_all_or_nothing(victim: Server, expected: dict[str, str], when: str) -> None:
    """And takes nothing from another batch with equal tables."""
    victim.start(crash_point=f"delete.{when}")
    other, batch = (victim.submit(BASE).wait() for _ in range(2))
    with pytest.raises(ConnectionFailedError):
        victim.client(retries=0).request("DELETE", f"/api/v1/optimize/batch/{batch.batch_id}")
    if when == "after_commit":
        victim.acknowledged.remove(batch.batch_id)
    victim.wait_until_dead()
    victim.start()
    assert {path.name for path in (victim.data_dir / "artifacts").iterdir()} == set(victim.acknowledged)
    for batch_id in victim.acknowledged:
        assert_same_results(victim.client().batch(batch_id), expected)
        table = victim.client().request("GET", f"/api/v1/optimize/batch/{batch_id}/results/quick0/equity")
        assert table.text.splitlines()[-1].startswith('{"type":"end"')
    assert other.batch_id in victim.acknowledged
    assert_invariants(victim)


@pytest.mark.parametrize("when", ["before_commit", "after_commit"])
def test_6_a_removal_by_age_cut_by_a_crash_is_made_once_and_told(
    victim: Server, expected: dict[str, str], when: str
) -> None:
    """The batch ended with a second to be kept; the next server dies while it removes it, the one after that answers 410."""
    victim.start()
    kept = victim.submit(BASE).wait()
    victim.stop()
    victim.start(retention_days=1e-6)
    gone = victim.submit(BASE).wait()
    victim.stop()
    victim.start(wait=False, crash_point=f"expire.{when}")
    victim.acknowledged.remove(gone.batch_id)
    victim.wait_until_dead()
    rows = {row["batch_id"] for row in victim.rows("SELECT batch_id FROM batches")}
    told = {row["batch_id"] for row in victim.rows("SELECT batch_id FROM expired_batches")}
    both = {kept.batch_id, gone.batch_id}
    assert (rows, told) == ((both, set()) if when == "before_commit" else ({kept.batch_id}, {gone.batch_id}))
    victim.start()
    until(lambda: not (victim.data_dir / "artifacts" / gone.batch_id).exists())
    with pytest.raises(NotFoundError) as refused:
        victim.client().batch(gone.batch_id)
    assert (refused.value.status, refused.value.code) == (410, "batch_expired")
    assert_same_results(victim.client().batch(kept.batch_id), expected)
    assert_invariants(victim)


def test_6_tables_of_a_job_that_never_ended_go_with_its_batch(victim: Server) -> None:
    """The server is killed between a worker's tables and the job's end, and the batch is cancelled afterwards."""
    victim.start(crash_point="finish.before_commit")
    batch = victim.submit(["Quick"])
    victim.wait_until_dead()
    folder = victim.data_dir / "artifacts" / batch.batch_id
    assert list(folder.iterdir())
    for left in (".result-left.json", ".writing-left"):
        (folder / left).write_text("")
    victim.start()
    handle = victim.client().batch(batch.batch_id)
    handle.cancel().wait()
    until(lambda: not list(folder.glob(".*")))
    assert_invariants(victim)
    victim.client().request("DELETE", f"/api/v1/optimize/batch/{batch.batch_id}")
    victim.acknowledged.remove(batch.batch_id)
    assert list((victim.data_dir / "artifacts").iterdir()) == []


def test_6_a_server_killed_when_tables_and_result_file_are_written_leaves_no_orphan(victim: Server) -> None:
    """The worker has written them and told nothing of it when the server dies, and the worker with it."""
    victim.start()
    batch = victim.submit(["EndsServerAtItsResult", *BASE])
    victim.wait_until_dead()
    folder = victim.data_dir / "artifacts" / batch.batch_id
    assert list(folder.glob("*.parquet"))
    assert list(folder.glob(".result-*.json"))
    assert victim.rows("SELECT * FROM jobs WHERE strategy_id = 'EndsServerAtItsResult' AND state = 'running'")
    victim.start()
    batch = victim.client().batch(batch.batch_id).wait()
    until(lambda: not list(folder.glob(".*")))
    named = [json.loads(row["result"])["artifacts"].values() for row in victim.rows("SELECT result FROM jobs")]
    assert {path.name for path in folder.iterdir()} == {name for names in named for name in names}
    assert_same_results(victim.submit(["EndsServerAtItsResult", *BASE]).wait(), results(batch))
    assert_invariants(victim)


@pytest.mark.parametrize("when", ["before_commit", "after_commit"])
def test_7_a_server_killed_while_it_recovers_recovers_at_the_next_start(
    victim: Server, expected: dict[str, str], when: str
) -> None:
    victim.start()
    batch = victim.submit([*BASE, {"name": "Slow", "strategy_id": "slow"}], quick_config(30))
    time.sleep(1.0)
    victim.kill()
    victim.start(wait=False, crash_point=f"recover.{when}")
    victim.wait_until_dead()
    victim.start()
    victim.client().batch(batch.batch_id).wait()
    assert_invariants(victim)
    assert_same_results(victim.submit(BASE).wait(), expected)


def test_6_work_goes_on_within_a_second_of_the_start(victim: Server) -> None:
    victim.start()
    batch = victim.submit([{"name": "Slow", "strategy_id": f"s{i}"} for i in range(3)], quick_config(15))
    until(lambda: bool(victim.rows("SELECT 1 FROM attempts")))
    victim.kill()
    killed = time.time()
    victim.start()
    ready = time.time()
    again = f"SELECT MIN(started_at) AS first FROM attempts WHERE started_at > {killed}"
    until(lambda: victim.rows(again)[0]["first"] is not None)
    assert victim.rows(again)[0]["first"] <= ready + 1.0
    victim.client().batch(batch.batch_id).wait()
    assert_invariants(victim)


def test_9_a_second_server_on_the_same_directory_ends_with_a_clear_message(server: Server) -> None:
    environment = {**os.environ, "STRATOPT_DATA_DIR": str(server.data_dir)}
    second = subprocess.run(
        [sys.executable, "-m", "stratopt.cli.main", "serve", "--port", "1"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 3
    assert "another stratopt server uses" in second.stderr
    assert httpx2.get(f"{server.address}/readyz").status_code == 200


def test_11_a_locked_database_is_waited_for_and_no_ending_is_lost(server: Server, expected: dict[str, str]) -> None:
    batch = server.submit(BASE)
    connection = sqlite3.connect(server.data_dir / "stratopt.sqlite", isolation_level=None, timeout=30)
    with server.excusing():
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(10)
        connection.execute("COMMIT")
    server.excuse(STORAGE_BACK_SECONDS)
    connection.close()
    assert_same_results(batch.wait(), expected)
    assert_invariants(server)


def test_12_a_full_database_refuses_submissions_and_holds_endings(server: Server, expected: dict[str, str]) -> None:
    batch = server.submit(BASE).wait()
    server.stop()
    with running(server.data_dir) as limited:
        limited.stop()
        limited.start(database_max_pages=(server.data_dir / "stratopt.sqlite").stat().st_size // 4096 + 200)
        fillers = [limited.submit(["Leaves"], metadata={"x": "y" * 16_000}).wait() for _ in range(4)]
        held = limited.submit([{"name": "Slow", "strategy_id": f"s{i}"} for i in range(2)], quick_config(60))
        with limited.excusing():  # what is full may be full again before all endings are written
            with pytest.raises(ServerUnavailableError) as full:
                fill_up(limited)
            assert (full.value.status, full.value.code) == (507, "storage_full")
            assert full.value.retry_after is not None
            log = limited.data_dir / "server.log"
            until(lambda: '"event": "storage_failed"' in log.read_text())
            for filler in fillers:
                filler.delete()
                limited.acknowledged.remove(filler.batch_id)
            held.wait()
            assert {(item["status"], item["attempts"]) for item in held.results()} == {("succeeded", 1)}
        limited.stop()
        limited.start()
        for row in limited.rows("SELECT batch_id FROM batches"):
            limited.client().batch(row["batch_id"]).wait()
        assert_same_results(limited.client().batch(batch.batch_id), expected)
        assert_invariants(limited)


def fill_up(server: Server) -> None:
    client = server.client(retries=0)
    for size in (16_000, 1_000, 0):
        with contextlib.suppress(ServerUnavailableError):
            while True:
                client.optimize_batch(
                    {"strategies": ["Quick"], "common_config": quick_config(), "metadata": {"x": "y" * size}}
                )
    client.optimize_batch({"strategies": ["Quick"], "common_config": quick_config()})


def test_13_the_wall_clock_ends_nothing_early(victim: Server) -> None:
    """Limits are monotonic: a batch whose rows claim that it began two hours ago still has its whole limit."""
    victim.start()
    batch = victim.submit([{"name": "Slow", "strategy_id": "s"}], quick_config(30), deadline_minutes=5)
    time.sleep(0.5)
    victim.kill()
    connection = sqlite3.connect(victim.data_dir / "stratopt.sqlite")
    connection.execute("UPDATE batches SET created_at = created_at - 7200, started_at = started_at - 7200")
    connection.commit()
    connection.close()
    victim.start()
    assert victim.client().batch(batch.batch_id).wait().status["status"] == "completed"
    assert_invariants(victim)


def test_14_fifty_threads_with_one_key_make_one_batch(server: Server) -> None:
    body = {"strategies": ["Quick"], "common_config": quick_config()}

    def submit(_: int) -> str:
        return server.client().optimize_batch(body, idempotency_key="same").batch_id

    with ThreadPoolExecutor(50) as pool:
        made = set(pool.map(submit, range(50)))
    assert len(made) == 1
    assert len(server.rows("SELECT * FROM batches")) == 1
    server.client().batch(made.pop()).wait()
    assert_invariants(server)


def test_15_cancel_racing_the_end_has_exactly_one_outcome(server: Server) -> None:
    for _ in range(5):
        batch = server.submit([{"name": "Quick", "strategy_id": f"q{i}"} for i in range(4)])
        threads = [threading.Thread(target=server.client().batch(batch.batch_id).cancel) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        batch.wait()
    assert_invariants(server)


def ten_thousand_jobs() -> tuple[list[dict[str, str]], dict[str, Any]]:
    config = {**quick_config(), "symbols": SYMBOLS, "timeframes": ["1d", "1w", "2w", "3d", "1M"]}
    del config["asset"]
    return [{"name": "Quick", "strategy_id": f"q{i}"} for i in range(200)], config


def test_15_a_queued_batch_of_ten_thousand_is_cancelled_within_a_second(tmp_path: Path) -> None:
    """By the rows; where other programs make even the submission of them take longer than that, within the time of that."""
    rounds = []
    with running(tmp_path / "data", max_queued_jobs=20_000) as server:
        blocker = server.submit(
            [{"name": "Slow", "strategy_id": f"s{i}"} for i in range(2)], quick_config(600), priority=5
        )
        for _ in range(3):
            began = time.time()
            batch = server.submit(*ten_thousand_jobs())
            submission = time.time() - began
            assert batch.status["counts"]["total"] == 10_000
            asked = time.time()
            batch.cancel().wait()
            assert batch.status["counts"]["cancelled"] == 10_000
            (row,) = server.rows(f"SELECT ended_at FROM batches WHERE batch_id = '{batch.batch_id}'")
            rounds.append((row["ended_at"] - asked, submission))
        assert any(cancel < max(1.0, submission) for cancel, submission in rounds), rounds
        blocker.cancel().wait()
        assert_invariants(server)


def test_16_a_batch_at_its_limit_ends_what_runs_waits_and_waits_for_retry(server: Server) -> None:
    """``DiesBeforeTheLimit`` has died for the second time, and pauses for a second, when the limit passes in the middle of it."""
    limit = 8.0
    slow = [{"name": "Slow", "strategy_id": f"s{i}"} for i in range(5)]
    batch = server.submit(["DiesBeforeTheLimit", "Quick", *slow], quick_config(200), deadline_minutes=limit / 60)
    (row,) = server.rows("SELECT created_at FROM batches")
    moment = server.data_dir / "moment-to-die"
    moment.with_suffix(".new").write_text(str(row["created_at"] + limit - BACK_OFF_SECONDS[1] / 2))
    moment.with_suffix(".new").rename(moment)
    batch.wait()
    assert batch.status["status"] == "timed_out"
    items = {item["strategy_id"]: item for item in batch.results()}
    assert items["Quick"]["status"] == "succeeded"
    assert {items[name]["status"] for name in items if name != "Quick"} == {"timed_out"}
    assert (items["DiesBeforeTheLimit"]["attempts"], deaths(server)) == (2, 2)
    assert (items["s0"]["attempts"], [items[f"s{i}"]["attempts"] for i in range(2, 5)]) == (1, [0, 0, 0])
    report = json.loads(batch.report("json"))
    assert len(report["ranking"]) == 1
    assert_invariants(server)


def deaths(server: Server) -> int:
    """Of workers, as the supervisor saw them."""
    return (server.data_dir / "server.log").read_text().count('"event": "worker_died"')


def test_17_readers_that_read_a_byte_a_second_or_nothing_cost_no_memory(server: Server) -> None:
    server.submit(BASE).wait().report("json")  # what a first report loads is no matter of readers
    batch = server.submit([{"name": "Slow", "strategy_id": f"s{i}"} for i in range(2)], quick_config(60))
    assert server.process is not None
    memory = psutil.Process(server.process.pid).memory_info().rss
    with contextlib.ExitStack() as readers:
        made = [readers.enter_context(slow_reader(server, batch.batch_id)) for _ in range(20)]
        over = threading.Event()
        read = [b"" for _ in made[:10]]

        def trickle() -> None:
            while not over.wait(1.0):
                read[:] = [got + connection.recv(1) for got, connection in zip(read, made, strict=False)]

        thread = threading.Thread(target=trickle)
        thread.start()
        batch.wait().report("json")
        over.set()
        thread.join()
        assert {got[:9] for got in read} == {b"HTTP/1.1 "[: len(read[0])]}
        assert psutil.Process(server.process.pid).memory_info().rss - memory < 50e6
        seqs = [
            int(event["id"])
            for event in server.client().events(f"/api/v1/optimize/batch/{batch.batch_id}/events", "1")
            if event["id"]
        ]
        assert seqs == [2, 3]
    assert_invariants(server)


def slow_reader(server: Server, batch_id: str) -> socket.socket:
    """A connection that has asked for the events of a batch, with hardly any room for the answer."""
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    path = f"/api/v1/optimize/batch/{batch_id}/events"
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return connection


def test_18_a_client_that_leaves_changes_nothing_and_half_a_submission_stores_nothing(
    server: Server, expected: dict[str, str]
) -> None:
    batch = server.submit(BASE)
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(
            f"GET /api/v1/optimize/batch/{batch.batch_id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
        connection.recv(100)
    body = json.dumps({"strategies": ["Quick"], "common_config": quick_config()}).encode()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = f"POST /api/v1/optimize/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[: len(body) // 2])
    assert_same_results(batch.wait(), expected)
    assert len(server.rows("SELECT * FROM batches")) == 1
    assert_invariants(server)


def test_19_a_small_batch_is_not_stuck_behind_ten_thousand_jobs_and_the_queue_has_an_end(tmp_path: Path) -> None:
    """Nor do small batches, one after another, starve the large one."""
    with running(tmp_path / "data", max_queued_jobs=10_050) as server:
        large = server.submit(*ten_thousand_jobs(), parallel_jobs=2)
        ended = [0]
        for _ in range(3):
            small = server.submit(["Quick"]).wait(timeout_seconds=30)
            assert small.status["status"] == "completed"
            (row,) = server.rows(
                f"SELECT COUNT(*) AS n FROM jobs WHERE batch_id = '{large.batch_id}' AND state = 'succeeded'"
                f" AND started_at < (SELECT started_at FROM batches WHERE batch_id = '{small.batch_id}')"
            )
            ended.append(row["n"])
            (between,) = server.rows(
                f"SELECT COUNT(*) AS n FROM attempts a JOIN jobs j USING (job_id), batches b WHERE b.batch_id = '{small.batch_id}'"
                f" AND j.batch_id = '{large.batch_id}' AND a.started_at > b.created_at AND a.started_at < b.started_at"
            )
            assert between["n"] <= 2, "the small batch waited for more than the jobs that ran"
        strategies, config = ten_thousand_jobs()
        too_many = {"strategies": strategies, "common_config": config}
        assert 0 < ended[1] < ended[2] < ended[3] < 5_000, ended
        with pytest.raises(ServerUnavailableError) as full:
            server.client(retries=0).optimize_batch(too_many)
        assert full.value.code == "queue_full"
        assert full.value.retry_after is not None
        large.cancel().wait()
        assert_invariants(server)


def test_22_a_store_of_a_newer_release_is_refused_and_left_alone(victim: Server, expected: dict[str, str]) -> None:
    victim.start()
    batch = victim.submit(BASE).wait()
    victim.stop()
    database = victim.data_dir / "stratopt.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    environment = {**os.environ, "STRATOPT_DATA_DIR": str(victim.data_dir)}
    refused = subprocess.run(
        [sys.executable, "-m", "stratopt.cli.main", "serve", "--port", str(victim.port)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 3
    assert "upgrade stratopt" in refused.stderr
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [HEAD])
    connection.close()
    victim.start()
    assert_same_results(victim.client().batch(batch.batch_id), expected)


def test_22_a_store_of_the_first_release_with_work_under_way_is_migrated_and_goes_on(
    victim: Server, expected: dict[str, str]
) -> None:
    victim.start()
    ended = victim.submit(BASE).wait()
    under_way = victim.submit([*BASE, {"name": "Slow", "strategy_id": "slow"}])
    while not victim.rows("SELECT 1 FROM jobs WHERE state = 'running' AND strategy_id = 'slow'"):
        time.sleep(0.02)
    victim.kill()
    with sqlite3.connect(victim.data_dir / "stratopt.sqlite") as connection:
        for column in ADDED_SINCE_THE_FIRST_RELEASE:
            connection.execute(f"ALTER TABLE batches DROP COLUMN {column}")
        connection.execute("DROP TABLE expired_batches")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    victim.history.assert_unchanged(victim)  # what is compared from now on has no newer columns
    victim.start()
    assert_same_results(victim.client().batch(ended.batch_id), expected)
    under_way = victim.client().batch(under_way.batch_id).wait()
    found = results(under_way)
    assert set(found) == {*expected, "slow"}
    assert {name: found[name] for name in expected} == expected
    assert (under_way.status["symbols"], under_way.status["best"]) == (None, None)  # some of its jobs were not compared
    assert victim.submit(BASE).wait().status["best"] is not None
    assert_invariants(victim)


def test_a_server_asked_to_stop_says_so_and_goes_on_later(server: Server, expected: dict[str, str]) -> None:
    """SIGTERM with an open stream and a waiting client: a shutdown event, a 202, an end within seconds, and the work is done later."""
    batch = server.submit([*BASE, {"name": "Slow", "strategy_id": "slow"}], quick_config(60))
    kinds: list[str] = []

    def follow() -> None:
        kinds.extend(
            event["event"]
            for event in server.client(retries=0).events(f"/api/v1/optimize/batch/{batch.batch_id}/events")
        )

    waited: list[httpx2.Response] = []

    def wait() -> None:
        body = {"strategies": [{"name": "Slow", "strategy_id": "waited_for"}], "common_config": quick_config(60)}
        address = f"{server.address}/api/v1/optimize/batch"
        waited.append(httpx2.post(address, json=body, headers={"Prefer": "wait=60"}, timeout=70))

    threads = [threading.Thread(target=follow), threading.Thread(target=wait)]
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    began = time.monotonic()
    assert server.stop() in {0, -signal.SIGTERM}
    assert time.monotonic() - began < 8
    for thread in threads:
        thread.join()
    assert kinds[-1] == "shutdown"
    assert waited[0].status_code == 202
    assert waited[0].headers["Location"]
    assert_no_orphans(server)
    server.start()
    for batch_id in (batch.batch_id, waited[0].json()["batch_id"]):
        server.client().batch(batch_id).wait()
    assert_invariants(server)


def test_a_problem_while_draining_is_told_as_one(server: Server) -> None:
    """SIGTERM while half of a submission has come: its connection is kept for the answer, which is a problem, and nothing is stored."""
    body = json.dumps({"strategies": BASE, "common_config": quick_config()}).encode()
    head = (
        f"POST /api/v1/optimize/batch HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Type: application/json\r\n"
    )
    log = server.data_dir / "server.log"
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(f"{head}Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body[: len(body) // 2])
        assert server.process is not None
        server.process.terminate()
        until(lambda: "Waiting for connections to close" in log.read_text())
        connection.sendall(body[len(body) // 2 :])
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        problem = json.loads(answer.read())
        assert (answer.status, problem["code"]) == (503, "draining")
        assert int(answer.headers["Retry-After"]) >= 10
        assert connection.recv(1) == b""
    assert server.process.wait(30) in {0, -signal.SIGTERM}
    assert server.rows("SELECT * FROM batches") == []


def test_12_a_job_whose_series_cannot_be_written_down_waits_for_the_disk(server: Server) -> None:
    """Workers map a series from a file of the data directory; a file where that folder should be stands in for a full disk."""
    blocked = server.data_dir / "cache"
    blocked.write_text("")
    with server.excusing():
        batch = server.submit(BASE)
        log = server.data_dir / "server.log"
        until(lambda: "the memory map of BTC" in log.read_text())
        assert httpx2.get(f"{server.address}/readyz").status_code == 200
        blocked.unlink()
    server.excuse(STORAGE_BACK_SECONDS)
    batch.wait()
    assert batch.status["counts"]["succeeded"] == len(BASE)
    assert {row["attempts"] for row in server.rows("SELECT attempts FROM jobs")} == {1}
    assert_invariants(server)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_12_a_result_that_finds_no_room_is_held_and_written_later(victim: Server, expected: dict[str, str]) -> None:
    """The artefacts have a disk of their own, which something else has filled."""
    folder = victim.data_dir / "artifacts"
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)], check=False, text=True, stderr=subprocess.PIPE
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted: {mounted.stderr}")
    try:
        filler = folder / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        victim.start(minimum_free_disk_megabytes=0)
        batch = victim.submit(BASE)
        until(lambda: "disk_full" in (victim.data_dir / "server.log").read_text())
        assert batch.refresh().status["counts"]["succeeded"] == 0
        filler.unlink()
        assert_same_results(batch.wait(), expected)
        assert {row["attempts"] for row in victim.rows("SELECT attempts FROM jobs")} == {1}
        assert_invariants(victim)
        victim.kill()
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_server_whose_supervisor_broke_ends_and_the_next_one_goes_on(server: Server) -> None:
    """A trigger stands in for a broken database: an error that waiting does not mend must not leave a server that only accepts."""
    with contextlib.closing(sqlite3.connect(server.data_dir / "stratopt.sqlite")) as connection:
        connection.execute("CREATE TRIGGER broken BEFORE UPDATE ON jobs BEGIN SELECT RAISE(ABORT, 'broken'); END")
    batch = server.submit(BASE)
    assert server.process is not None
    assert server.process.wait(60) == EXIT_UNEXPECTED
    assert "the supervisor stopped: IntegrityError" in (server.data_dir / "server.log").read_text()
    assert_no_orphans(server)
    with contextlib.closing(sqlite3.connect(server.data_dir / "stratopt.sqlite")) as connection:
        connection.execute("DROP TRIGGER broken")
    server.start()
    assert server.client().batch(batch.batch_id).wait().status["status"] == "completed"
    assert_invariants(server)
