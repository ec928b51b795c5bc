"""Faults of workers: killed, crashing, hungry, endless, poisonous, babbling (1 to 5 and 20)."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from stratopt.optimization.batch_manager import BACK_OFF_SECONDS

from .conftest import BASE
from .harness import (
    SLOT_BACK_SECONDS,
    Server,
    assert_invariants,
    assert_same_results,
    quick_config,
    results,
    running,
    until,
)
from .timeline import GRACE_SECONDS

pytestmark = pytest.mark.faults


DIED = "SELECT * FROM attempts WHERE outcome = 'signal SIGKILL'"
NOTICED_SECONDS = 0.1
RUNNING = "SELECT COALESCE(SUM(evaluations_done), 0) AS evaluations FROM jobs WHERE state = 'running'"


def wait_for_workers(server: Server, count: int = 1) -> list[int]:
    until(lambda: len(server.workers()) >= count, otherwise=f"there were never {count} workers")
    return server.workers()


def all_workers(server: Server) -> list[int]:
    """Those of both slots; they are forked before the first job, when their factory is ready."""
    return wait_for_workers(server, server.settings["workers"])


def test_1_a_killed_worker_costs_its_job_one_attempt_and_the_others_nothing(
    server: Server, expected: dict[str, str]
) -> None:
    other = server.submit(BASE).wait()
    batch = server.submit([{"name": "Slow", "strategy_id": "slow"}], quick_config(20))
    until(lambda: server.rows(RUNNING)[0]["evaluations"] > 0)
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    after = server.submit(BASE)
    (item,) = batch.wait().results()
    assert (item["status"], item["attempts"], batch.status["resources"]["lost_attempts"]) == ("succeeded", 2, 1)
    died, again = server.rows(f"SELECT * FROM attempts WHERE job_id = '{item['job_id']}' ORDER BY fence")
    assert again["started_at"] - died["ended_at"] < BACK_OFF_SECONDS[0] + SLOT_BACK_SECONDS
    for untouched in (other, after.wait()):
        assert untouched.status["resources"]["lost_attempts"] == 0
        assert_same_results(untouched, expected)
    assert_invariants(server)


def test_1_an_idle_worker_that_dies_is_replaced(server: Server, expected: dict[str, str]) -> None:
    server.submit(BASE).wait()
    for pid in wait_for_workers(server):
        os.kill(pid, signal.SIGKILL)
    assert_same_results(server.submit(BASE).wait(), expected)
    assert all(row["attempts"] == 1 for row in server.rows("SELECT attempts FROM jobs"))
    assert_invariants(server)


@pytest.mark.parametrize("strategy", ["KilledAtItsAnswer", "KilledAtItsTables"])
def test_1_a_worker_killed_while_it_answers_costs_its_job_one_attempt(
    server: Server, expected: dict[str, str], strategy: str
) -> None:
    batch = server.submit([strategy, *BASE]).wait()
    attempts = {item["strategy_id"]: item["attempts"] for item in batch.results()}
    assert attempts == {strategy: 2, **dict.fromkeys(expected, 1)}
    assert [row["outcome"] for row in server.rows(DIED)] == ["signal SIGKILL"]
    found = results(batch)
    assert results(server.submit([strategy, *BASE]).wait()) == found
    assert {name: found[name] for name in expected} == expected
    folder = server.data_dir / "artifacts" / batch.batch_id
    until(lambda: not list(folder.glob(".*")))
    assert_invariants(server)


def test_1_a_storm_of_kills_loses_nothing_and_each_is_noticed_at_once(server: Server, expected: dict[str, str]) -> None:
    """By the rows: within a tenth of a second where the machine let the server run, and in any case within the second of I9."""
    batch = server.submit([*BASE, *({"name": "Slow", "strategy_id": f"slow{i}"} for i in range(4))], quick_config(8))
    noticed: list[float] = []
    for _ in range(2):  # a third time might be the third of the same job
        until(lambda: server.rows(RUNNING)[0]["evaluations"] > 0)
        known = len(server.rows(DIED))
        killed = time.time()
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
        until(lambda known=known: len(server.rows(DIED)) > known)
        assert_invariants(server, ended=False)
        noticed += [row["ended_at"] - killed for row in server.rows(DIED) if row["ended_at"] > killed]
    batch.wait()
    assert_invariants(server)
    assert min(noticed) < NOTICED_SECONDS, noticed
    assert max(noticed) < SLOT_BACK_SECONDS, noticed
    assert batch.status["resources"]["lost_attempts"] >= 2
    assert_same_results(server.submit(BASE).wait(), expected)


@pytest.mark.parametrize(
    ("strategy", "words"), [("Segfaults", "SIGSEGV"), ("Aborts", "SIGABRT"), ("Exits", "exit code 7")]
)
def test_2_and_5_a_crashing_strategy_is_poison_after_three_attempts(
    server: Server, expected: dict[str, str], strategy: str, words: str
) -> None:
    batch = server.submit([strategy, *BASE]).wait()
    items = {item["strategy_id"]: item for item in batch.results()}
    assert (items[strategy]["status"], items[strategy]["error"]["code"]) == ("failed", "worker_died")
    assert items[strategy]["attempts"] == 3
    assert words in items[strategy]["error"]["detail"]
    assert_same_results(batch, expected)
    assert_invariants(server)


def test_2_the_clock_of_attempts_that_died_at_once_is_known_and_their_cpu_is_not(server: Server) -> None:
    batch = server.submit(["Segfaults"]).wait()
    cost = batch.status["resources"]
    assert cost["lost_attempts"] == 3
    assert cost["worker_seconds"] > 0
    assert (cost["cpu_seconds"], cost["evaluations"], cost["peak_memory_bytes"]) == (0.0, 0, None)
    assert_invariants(server)


def test_2_a_death_that_does_not_repeat_is_only_retried(server: Server) -> None:
    (item,) = server.submit(["KilledOnce"]).wait().results()
    assert (item["status"], item["attempts"]) == ("succeeded", 2)
    assert_invariants(server)


def test_3_a_job_without_memory_fails_and_its_worker_lives(tmp_path: Path, expected: dict[str, str]) -> None:
    with running(tmp_path / "data", worker_memory_limit_megabytes=2000, workers=1) as server:
        server.submit(BASE).wait()
        before = server.workers()
        batch = server.submit(["EatsMemory", *BASE]).wait()
        items = {item["strategy_id"]: item for item in batch.results()}
        assert (items["EatsMemory"]["status"], items["EatsMemory"]["error"]["code"]) == ("failed", "out_of_memory")
        assert_same_results(batch, expected)
        assert server.workers() == before
        assert_invariants(server)


@pytest.mark.parametrize("strategy", ["SpinsWithLock", "SpinsWithoutLock"])
def test_4_an_endless_native_loop_is_killed_at_its_limit_and_its_process_is_gone(tmp_path: Path, strategy: str) -> None:
    with running(tmp_path / "data", workers=1) as server:
        server.submit(["Quick"]).wait()
        (pid,) = server.workers()
        worker = psutil.Process(pid)
        batch = server.submit([strategy], quick_config(timeout_minutes=2 / 60)).wait()
        (row,) = server.rows(
            f"SELECT ended_at - started_at AS seconds, state FROM jobs WHERE batch_id = '{batch.batch_id}'"
        )
        assert row["state"] == "timed_out"
        assert 2.0 <= row["seconds"] < 2.5
        until(lambda: not worker.is_running(), GRACE_SECONDS, f"I7: {pid} lives on")
        server.submit(["Quick"]).wait()
        assert_invariants(server)


def test_4_a_limit_is_kept_while_a_worker_factory_starts(server: Server) -> None:
    """The last one is killed so late that the next one, which takes a second or more, is not ready when the limit comes."""
    batch = server.submit(
        [{"name": "SpinsWithoutLock", "strategy_id": f"s{i}"} for i in range(3)], deadline_minutes=0.1
    )
    (pid, _) = all_workers(server)
    (row,) = server.rows("SELECT created_at, deadline_seconds FROM batches")
    until(lambda: time.time() > row["created_at"] + row["deadline_seconds"] - 0.6)
    factory = psutil.Process(pid).parent()
    assert factory is not None
    with server.excusing():
        factory.kill()
        batch.wait()
    assert batch.status["status"] == "timed_out"
    assert {row["outcome"] for row in server.rows("SELECT outcome FROM attempts WHERE fence = 1")} != {"timed_out"}
    assert_invariants(server)


@pytest.mark.parametrize("strategy", ["QuotesBytes", "Leaves"])
def test_20_an_exception_of_any_kind_is_a_failure_and_no_death(server: Server, strategy: str) -> None:
    workers = all_workers(server)
    (item,) = server.submit([strategy]).wait().results()
    assert (item["status"], item["attempts"]) == ("failed", 1)
    assert server.workers() == workers
    assert_invariants(server)
    assert item["error"]["code"] == "strategy_error"
    assert {"QuotesBytes": "no file \\udcff.csv", "Leaves": "SystemExit"}[strategy] in item["error"]["detail"]


@pytest.mark.parametrize("strategy", ["GivesNaN", "GivesGenerator", "GivesTooMuch"])
def test_20_a_strategy_that_returns_nonsense_fails_with_its_reason(
    server: Server, expected: dict[str, str], strategy: str
) -> None:
    workers = all_workers(server)
    batch = server.submit([strategy, *BASE]).wait()
    assert server.workers() == workers
    items = {item["strategy_id"]: item for item in batch.results()}
    assert items[strategy]["error"]["code"] == "strategy_error"
    assert items[strategy]["attempts"] == 1
    assert_same_results(batch, expected)
    assert_invariants(server)
