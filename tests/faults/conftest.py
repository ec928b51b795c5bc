"""What a run without faults finds, to compare with (I6)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import Server, assert_invariants, results, running, unstarted

BASE = [{"name": "Quick", "strategy_id": f"quick{i}"} for i in range(4)]


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    with running(tmp_path_factory.mktemp("reference")) as server:
        return results(server.submit(BASE).wait())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path / "data") as server:
        yield server
        assert_invariants(server, ended=False)


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Server]:
    """A server that the test starts, with what is to end it."""
    with unstarted(tmp_path / "data") as server:
        yield server
