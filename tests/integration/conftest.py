"""A real server with real worker processes on a free loopback port, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from stratopt.cli.server_process import running_server
from stratopt.client.client import Client

STRATEGY_FOLDER = Path(__file__).parent / "own_strategies"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = {
        "strategy_folder": STRATEGY_FOLDER,
        "webhooks": True,
        "submissions_per_minute": 100_000,
    }  # all tests share it
    with running_server(tmp_path_factory.mktemp("server"), **settings) as address:  # type: ignore[arg-type]
        yield address


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    with Client(server) as client:
        yield client


@pytest.fixture
def http(server: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server, timeout=90.0) as http:
        yield http


def quick(max_evals: int = 6, **more: object) -> dict[str, object]:
    """A common_config that is searched in a moment."""
    search = {"max_evals": max_evals, "algorithm": "random", "cross_validation": False, **more}
    return {"asset": "BTC", "timeframe": "1d", "optimization_config": search}
