"""A search that is interrupted and taken up again gives the same bytes."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from stratopt.market.bars import Bars
from stratopt.market.catalogue import Catalogue
from stratopt.optimization.job_spec import JobSpec, SearchConfig, ValidationConfig
from stratopt.optimization.manifest import canonical_bytes
from stratopt.optimization.strategy_optimizer import Optimized, optimize_strategy
from stratopt.optimization.study_checkpoints import StudyCheckpoints
from stratopt.strategies.catalogue import StrategyCatalogue


class Interrupted(BaseException):
    """What a kill is to this test."""


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Bars:
    return Catalogue(tmp_path_factory.mktemp("data")).bars("BTC", "1d")


def always(folder: Path) -> StudyCheckpoints:
    """Written after every batch of points, however long that takes."""
    return StudyCheckpoints(folder, 0.0, clock=lambda: 0.0)


def spec(algorithm: str, **search: object) -> JobSpec:
    return JobSpec(
        strategy_id="s",
        strategy="RSI",
        symbol="BTC",
        timeframe="1d",
        search=SearchConfig(max_evals=30, algorithm=algorithm, n_startup_jobs=10, **search),  # type: ignore[arg-type]
        validation=ValidationConfig(folds=2),
    )


def run(spec: JobSpec, bars: Bars, checkpoints: StudyCheckpoints | None, stop_after: int | None = None) -> Optimized:
    def count(done: int) -> None:
        if stop_after is not None and done >= stop_after:
            raise Interrupted

    strategy = StrategyCatalogue().get(spec.strategy)
    return optimize_strategy(spec, bars, strategy, on_progress=count, checkpoints=checkpoints)


def trials(optimized: Optimized) -> dict[str, object]:
    return {name: list(column) for name, column in optimized.tables["trials"].items()}


@pytest.mark.parametrize("algorithm", ["tpe", "random", "qmc", "grid", "hyperopt_tpe", "optuna_tpe"])
@pytest.mark.parametrize("stop_after", [7, 30, 53, 70])
def test_interrupted_anywhere_the_result_has_the_same_bytes(
    tmp_path: Path, bars: Bars, algorithm: str, stop_after: int
) -> None:
    expected = run(spec(algorithm), bars, None)
    with pytest.raises(Interrupted):
        run(spec(algorithm), bars, always(tmp_path), stop_after)
    again = always(tmp_path)
    found = run(spec(algorithm), bars, again)
    assert again.resumed >= stop_after - 8
    assert canonical_bytes(found.result) == canonical_bytes(expected.result)
    assert trials(found) == trials(expected)


def test_several_objectives_and_conditions_survive_too(tmp_path: Path, bars: Bars) -> None:
    asked = spec("optuna_nsga2", objectives=("sharpe_ratio", "-volatility"), constraints=("max_drawdown > -0.9",))
    expected = run(asked, bars, None)
    with pytest.raises(Interrupted):
        run(asked, bars, always(tmp_path), 47)
    found = run(asked, bars, always(tmp_path))
    assert canonical_bytes(found.result) == canonical_bytes(expected.result)


def test_a_damaged_or_foreign_checkpoint_is_not_used(tmp_path: Path, bars: Bars) -> None:
    expected = run(spec("random"), bars, None)
    run(replace(spec("random"), seed=1), bars, always(tmp_path))
    (tmp_path / "search0.json").write_bytes(b"{torn")
    found = StudyCheckpoints(tmp_path, 1e9)
    assert canonical_bytes(run(spec("random"), bars, found).result) == canonical_bytes(expected.result)
    assert found.resumed == 0


def test_a_short_job_writes_nothing(tmp_path: Path, bars: Bars) -> None:
    run(spec("random"), bars, StudyCheckpoints(tmp_path / "job", 1e9))
    assert not (tmp_path / "job").exists()


def test_the_time_of_an_interrupted_attempt_counts(tmp_path: Path, bars: Bars) -> None:
    """An hour is over before the kill: the next attempt repeats what was found and searches no further."""
    hour = spec("random", max_seconds=3600.0)
    with pytest.raises(Interrupted):
        run(hour, bars, always(tmp_path), 20)
    path = tmp_path / "search0.json"
    left = json.loads(path.read_bytes())
    assert 0 < left["seconds"] < 3600
    path.write_bytes(json.dumps({**left, "seconds": 3600.0}).encode())
    found = run(hour, bars, StudyCheckpoints(tmp_path, 1e9))
    folds = list(found.tables["trials"]["fold"])
    assert (folds.count(0), folds.count(1)) == (len(left["trials"]), 30)


def test_on_a_full_disk_a_job_goes_on_without_checkpoints(
    tmp_path: Path, bars: Bars, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    expected = run(spec("random"), bars, None)
    monkeypatch.setattr(os, "fsync", full)
    assert canonical_bytes(run(spec("random"), bars, always(tmp_path)).result) == canonical_bytes(expected.result)
    assert "disk_full" in caplog.text
    assert list(tmp_path.iterdir()) == []
