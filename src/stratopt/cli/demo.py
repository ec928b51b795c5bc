"""``stratopt demo``: the whole product in one command, over real HTTP, on bundled market data."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from rich.text import Text

from stratopt.cli.output import EXIT_UNEXPECTED, fail, say, stdout
from stratopt.cli.server_process import running_server
from stratopt.cli.watching import show_ranking, watch
from stratopt.client.client import Client

STRATEGIES = (
    "MovingAverageCrossover",
    "RSI",
    "MACD",
    "BollingerBands",
    "Momentum",
    "Donchian",
    "Stochastic",
    "KeltnerChannel",
    "BrokenOnPurpose",
)
REPORTS = ("html", "csv", "json")


def request(evaluations: int) -> dict[str, Any]:
    """What the demo submits."""
    return {
        "strategies": list(STRATEGIES),
        "common_config": {
            "asset": "BTC",
            "timeframe": "1d",
            "start_date": "2015-01-01T00:00:00Z",
            "end_date": "2020-01-01T00:00:00Z",
            "optimization_config": {
                "max_evals": evaluations,
                "algorithm": "tpe",
                "objective": "sharpe_ratio",
                "cross_validation": True,
            },
        },
        "strategy_specific_configs": None,
        "label": "stratopt demo",
        "seed": 7,
    }


def run_demo(output: Path, evaluations: int) -> None:
    """Serve, submit, watch, show, write."""
    began = time.monotonic()
    output.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(output / "data", ignore_errors=True)  # each demo begins with an empty server
    say("starting a stratopt server on a free loopback port (the first start compiles the kernels)")
    with (
        running_server(output / "data", strategy_folder=Path(__file__).parent / "demo_strategies") as address,
        Client(address) as client,
    ):
        batch = client.optimize_batch(request(evaluations))
        say(f"submitted {len(STRATEGIES)} strategies on bitcoin, daily bars 2015-2019, walk-forward, to {address}")
        watch(batch)
        stdout.print()
        report = show_ranking(batch)
        written = [output / f"report.{kind}" for kind in REPORTS]
        for kind, path in zip(REPORTS, written, strict=True):
            batch.report(kind, path)
    stdout.print(Text("\nThe report:", style="bold"))
    for path in written:
        stdout.print(Text(f"  {path.resolve()}"))
    stdout.print(
        Text(
            "Sharpe OOS is what counts: bars that no search saw, after 10 bps fee and 5 bps slippage a side. IS is what the search saw."
        )
    )
    say(f"done in {time.monotonic() - began:.1f} s")
    if len(report["ranking"]) != len(STRATEGIES) - 1:
        fail(f"{len(report['ranking'])} strategies succeeded; all but the broken one should", EXIT_UNEXPECTED)
