"""What a client is told that it may choose is what the server can do."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from stratopt.search.algorithms import ALGORITHMS


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_engines_are_listed_where_they_are_installed(client: TestClient, name: str) -> None:
    listed = client.get("/api/v1/objectives").json()["algorithms"]
    assert (name in listed) == ALGORITHMS[name].is_installed


def test_a_listed_engine_is_accepted(client: TestClient) -> None:
    for name in client.get("/api/v1/objectives").json()["algorithms"]:
        search = {"algorithm": name, "max_evals": 5}
        body = {"strategies": ["RSI"], "common_config": {"asset": "BTC", "optimization_config": search}}
        answer = client.post("/api/v1/optimize/batch", params={"validate_only": "true"}, json=body)
        assert answer.status_code == 200, answer.text
