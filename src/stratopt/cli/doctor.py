"""What ``stratopt doctor`` checks. Every figure is measured here and now."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

LEAST_FREE_BYTES = 500_000_000


def examine() -> list[dict[str, Any]]:
    """Each check with what was found."""
    from stratopt._version import __version__
    from stratopt.settings import Settings

    settings = Settings()
    checks = [
        _check(
            "stratopt",
            True,
            f"{__version__} on Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores",
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
    from stratopt.settings import Settings
    from stratopt.strategies.catalogue import StrategyCatalogue

    found = StrategyCatalogue.with_own(Settings().strategy_folder)
    problems = "; ".join(p.message for p in found.problems)
    return _check("strategies", not found.problems, problems or f"{len(found)} strategies")


def _speedup() -> dict[str, Any]:
    """The same batch with one worker and with two."""
    from stratopt.bootstrap import local_service
    from stratopt.wire.optimization import BatchRequest

    body = {
        "strategies": [{"name": "MovingAverageCrossover", "strategy_id": f"job{i}"} for i in range(4)],
        "common_config": {
            "asset": "BTC",
            "optimization_config": {"max_evals": 1500, "algorithm": "random", "cross_validation": False},
        },
    }
    seconds = {}
    with local_service() as service:
        warm = service.submit_batch(
            BatchRequest.model_validate(
                {**body, "common_config": {"asset": "BTC", "optimization_config": {"max_evals": 1}}}
            )
        )[0]
        service.manager.wait(warm.batch_id)
        for workers in (1, 2):
            began = time.monotonic()
            batch, _ = service.submit_batch(BatchRequest.model_validate({**body, "parallel_jobs": workers}))
            ended = service.manager.wait(batch.batch_id)
            seconds[workers] = time.monotonic() - began
            if ended.counts["succeeded"] != ended.counts["total"]:
                return _check("workers", False, f"a trial batch ended {ended.state}: {dict(ended.counts)}")
    ratio = seconds[1] / seconds[2]
    cores = os.cpu_count() or 1
    good = ratio > 1.3 or cores < 2
    return _check(
        "workers",
        good,
        f"two workers are {ratio:.2f} times as fast as one ({seconds[1]:.2f} s against {seconds[2]:.2f} s)",
        speedup=round(ratio, 3),
    )
