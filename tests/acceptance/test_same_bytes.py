"""The same request gives the same bytes: alone or in a batch, with one worker or two, in process or over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

import stratopt
from stratopt.cli.server_process import running_server
from stratopt.client.client import Client

CONFIG: dict[str, Any] = {
    "asset": "BTC",
    "timeframe": "1d",
    "start_date": "2016-01-01",
    "optimization_config": {"max_evals": 8, "algorithm": "tpe"},
}
NAMES = ["RSI", "MovingAverageCrossover", "MACD", "BollingerBands"]


def canonical(result: dict[str, Any]) -> bytes:
    return orjson.dumps({k: v for k, v in result.items() if k != "artifacts"}, option=orjson.OPT_SORT_KEYS)


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, dict[str, Any]]]:
    """Results by number of workers and strategy, from two servers with empty data directories."""
    found = {}
    for workers in (1, 2):
        with running_server(tmp_path_factory.mktemp(f"workers{workers}")) as address, Client(address) as client:
            request = {"strategies": NAMES, "common_config": CONFIG, "parallel_jobs": workers, "seed": 11}
            found[workers] = {
                item["strategy_id"]: item["result"] for item in client.optimize_batch(request).wait().results()
            }
            found[workers]["single"] = client.optimize({"strategy_name": "RSI", **CONFIG, "seed": 11})["result"]
    return found


def test_the_number_of_workers_changes_nothing(batches: dict[int, dict[str, dict[str, Any]]]) -> None:
    for name in NAMES:
        assert orjson.dumps(batches[1][name]) == orjson.dumps(batches[2][name])


def test_alone_over_http_is_the_same_as_in_the_batch(batches: dict[int, dict[str, dict[str, Any]]]) -> None:
    for workers in (1, 2):
        assert orjson.dumps(batches[workers]["single"]) == orjson.dumps(batches[workers]["RSI"])


def test_alone_in_this_process_is_the_same_as_in_the_batch(
    batches: dict[int, dict[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STRATOPT_DATA_DIR", str(tmp_path))
    alone = stratopt.optimize({"strategy_name": "RSI", **CONFIG, "seed": 11})
    assert canonical(alone.to_dict()) == canonical(batches[2]["RSI"])


def test_another_seed_searches_other_points(
    batches: dict[int, dict[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STRATOPT_DATA_DIR", str(tmp_path))
    first, second = (stratopt.optimize({"strategy_name": "RSI", **CONFIG, "seed": seed}) for seed in (11, 12))
    assert list(first.trials["params"]) != list(second.trials["params"])


def test_a_batch_in_this_process_ranks_what_the_server_ranks(
    batches: dict[int, dict[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STRATOPT_DATA_DIR", str(tmp_path))
    report = stratopt.optimize_batch({"strategies": NAMES, "common_config": CONFIG, "seed": 11})
    for ranked in report.ranking:
        assert ranked.best_params == batches[1][ranked.strategy_id]["best_params"]
        assert (
            ranked.out_of_sample["sharpe_ratio"]
            == batches[1][ranked.strategy_id]["out_of_sample"]["metrics"]["sharpe_ratio"]
        )
