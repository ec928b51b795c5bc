"""A worker or a server that is killed in the middle of a long search: the next attempt goes on, with the same bytes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from .harness import Server, assert_invariants, assert_same_results, quick_config, results, running, unstarted, until

pytestmark = pytest.mark.faults
EVALUATIONS, KILLED_AT, LOST_AT_MOST = 300, 200, 80
"""A checkpoint is written every 0.2 s, an evaluation takes a hundredth of a second."""


def config(algorithm: str) -> dict[str, Any]:
    search = {"max_evals": 100, "algorithm": algorithm, "cross_validation": True}
    return {"asset": "BTC", "optimization_config": search, "validation_config": {"folds": 2}}


def evaluations(server: Server) -> int:
    marks = server.data_dir / "evaluations"
    return marks.stat().st_size if marks.exists() else 0


def wait_for_evaluations(server: Server, count: int) -> None:
    until(lambda: evaluations(server) >= count, otherwise=f"there were never {count} evaluations")


@pytest.fixture(params=["tpe", "random"])
def algorithm(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize("killed", ["worker", "server"])
def test_a_long_search_goes_on_where_it_was(tmp_path: Path, algorithm: str, killed: str) -> None:
    with running(tmp_path / "whole", workers=1) as whole:
        expected = results(whole.submit(["Counted"], config(algorithm)).wait())
        once = evaluations(whole)
    around = once - EVALUATIONS  # calls before and after the searches, such as those of the look-ahead check

    with running(tmp_path / "data", workers=1, checkpoint_seconds=0.2) as server:
        batch = server.submit(["Counted"], config(algorithm))
        wait_for_evaluations(server, around + KILLED_AT)
        if killed == "worker":
            (pid,) = server.workers()
            os.kill(pid, signal.SIGKILL)
        else:
            server.kill()
            server.start()
        batch = server.client().batch(batch.batch_id).wait()
        assert_same_results(batch, expected)
        (item,) = batch.results()
        assert item["resources"]["evaluations_resumed"] >= KILLED_AT - LOST_AT_MOST
        cost, last = batch.status["resources"], item["resources"]
        assert cost["lost_attempts"] == 1
        assert cost["cpu_seconds"] > last["cpu_seconds"]
        assert cost["worker_seconds"] > last["wall_seconds"] + KILLED_AT * 0.01 * 0.8
        computed = last["evaluations"] - last["evaluations_resumed"]
        assert KILLED_AT - LOST_AT_MOST <= cost["evaluations"] - computed <= evaluations(server)
        assert evaluations(server) <= EVALUATIONS + 2 * around + LOST_AT_MOST
        assert list((server.data_dir / "checkpoints").iterdir()) == []
        assert_invariants(server)


def test_checkpoints_of_a_cancelled_batch_are_removed(tmp_path: Path) -> None:
    with running(tmp_path / "data", workers=1, checkpoint_seconds=0.1) as server:
        batch = server.submit(["Counted"], quick_config(400))
        wait_for_evaluations(server, 60)
        until(lambda: bool(list((server.data_dir / "checkpoints" / batch.batch_id).glob("*/search0.json"))))
        batch.cancel().wait()
        assert list((server.data_dir / "checkpoints").iterdir()) == []


def test_checkpoints_that_a_killed_server_left_are_swept(tmp_path: Path) -> None:
    with unstarted(tmp_path / "data", workers=1, checkpoint_seconds=0.1) as server:
        server.start(crash_point="end_batch.after_commit")
        server.submit(["Counted"], quick_config(60))
        server.wait_until_dead()
        left = server.data_dir / "checkpoints"
        assert list(left.iterdir())
        server.start()
        assert list(left.iterdir()) == []
        assert_invariants(server)
