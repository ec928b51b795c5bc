"""The demo, as a new user runs it."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "stratopt.cli.main", "demo", "--output", str(folder), "--max-evals", "10"]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=110, env={**os.environ, "NO_COLOR": "1"}
    ), folder


def test_the_demo_ends_well_and_ranks_real_strategies(demo: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    finished, _ = demo
    assert finished.returncode == 0, finished.stderr
    for title in ("Sharpe OOS", "Sharpe IS", "Return OOS", "Return IS"):
        assert title in finished.stdout
    for name in ("MovingAverageCrossover", "RSI", "MACD", "BollingerBands", "Momentum", "Donchian"):
        assert name in finished.stdout


def test_the_broken_strategy_is_shown_as_failed_with_its_reason(
    demo: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    finished, _ = demo
    assert "BrokenOnPurpose on BTC 1d failed (strategy_error)" in finished.stdout
    assert "KeyError: 'lookback'" in finished.stdout


def test_progress_goes_to_stderr(demo: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    finished, _ = demo
    assert "done in" in finished.stderr
    assert "done in" not in finished.stdout


def test_the_report_is_written_in_three_formats(demo: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    _, folder = demo
    report = json.loads((folder / "report.json").read_text())
    rows = list(csv.DictReader(io.StringIO((folder / "report.csv").read_text())))
    assert len(rows) == report["counts"]["total"] == 9
    assert "<h2>Leaderboard</h2>" in (folder / "report.html").read_text()
