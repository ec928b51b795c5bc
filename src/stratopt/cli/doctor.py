"""What ``stratopt doctor`` checks. Every figure is measured here and now."""

from __future__ import annotations

import platform
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stratopt.machine import usable_cores

if TYPE_CHECKING:
    from stratopt.api.services.optimization_service import OptimizationService

LEAST_FREE_BYTES = 500_000_000
LEAST_SPEEDUP = 1.3
ROUNDS = 2
EVALUATIONS = 2500


def examine() -> list[dict[str, Any]]:
    """Each check with what was found."""
    from stratopt._version import __version__
    from stratopt.settings import Settings

    settings = Settings()
    checks = [
        _check(
            "stratopt",
            True,
            f"{__version__} on Python {platform.python_version()}, {platform.system()} {platform.machine()}, {usable_cores()} cores",
        ),
        _data_directory(settings.data_dir),
        _market_data(settings.data_dir),
        _own_strategies(),
    ]
    return [*checks, _speedup()]


def _check(name: str, ok: bool, detail: str, **facts: Any) -> dict[str, Any]:
    return {"name": name, "ok": ok, "detail": detail, **facts}


def _data_directory(folder: Path) -> dict[str, Any]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return _check(
            "data directory", False, f"{folder} cannot be written: {error}; set STRATOPT_DATA_DIR to a folder that can"
        )
    free = shutil.disk_usage(folder).free
    return _check("data directory", free > LEAST_FREE_BYTES, f"{folder}, {free / 1e9:.1f} GB free")


def _market_data(folder: Path) -> dict[str, Any]:
    from stratopt.market.catalogue import Catalogue

    series = Catalogue(folder).series()
    return _check("market data", bool(series), f"{len(series)} series, {sum(s.rows for s in series):,} bars")


def _own_strategies() -> dict[str, Any]:
    from stratopt.cli.local import prints_on_stderr
    from stratopt.settings import Settings
    from stratopt.strategies.catalogue import StrategyCatalogue

    with prints_on_stderr():
        found = StrategyCatalogue.with_own(Settings().strategy_folder)
    problems = "; ".join(p.message for p in found.problems)
    return _check("strategies", not found.problems, problems or f"{len(found)} strategies")


def _speedup() -> dict[str, Any]:
    """The same batch with one worker and with two, in turns; the quicker run of each counts, for other programs only slow down."""
    from stratopt.bootstrap import local_service
    from stratopt.cli.local import prints_on_stderr

    seconds: dict[int, float] = {}
    with prints_on_stderr(), local_service() as service:
        try:
            _seconds(service, workers=2)  # what the first jobs load is no matter of parallelism
            for workers in (1, 2) * ROUNDS:
                taken = _seconds(service, workers, evaluations=EVALUATIONS)
                seconds[workers] = min(taken, seconds.get(workers, taken))
        except RuntimeError as error:
            return _check("workers", False, str(error))
    ratio = seconds[1] / seconds[2]
    good = ratio > LEAST_SPEEDUP or usable_cores() < 2
    return _check(
        "workers",
        good,
        f"two workers are {ratio:.2f} times as fast as one ({seconds[1]:.2f} s against {seconds[2]:.2f} s)",
        speedup=round(ratio, 3),
    )


def _seconds(service: OptimizationService, workers: int, evaluations: int = 1) -> float:
    """How long a batch of four equal jobs takes; RuntimeError where one of them does not succeed."""
    from stratopt.wire.optimization import BatchRequest

    search = {"max_evals": evaluations, "algorithm": "random", "cross_validation": False}
    body = {
        "strategies": [{"name": "MovingAverageCrossover", "strategy_id": f"job{i}"} for i in range(4)],
        "common_config": {"asset": "BTC", "optimization_config": search},
        "parallel_jobs": workers,
    }
    began = time.monotonic()
    batch, _ = service.submit_batch(BatchRequest.model_validate(body))
    ended = service.manager.wait(batch.batch_id)
    taken = time.monotonic() - began
    if ended.counts["succeeded"] != ended.counts["total"]:
        raise RuntimeError(f"a trial batch ended {ended.state}: {dict(ended.counts)}")
    service.report(ended)  # it is made in the background, and must not run beside the next batch
    return taken
