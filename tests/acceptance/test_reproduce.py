"""One printed command runs a result again and finds the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stratopt.cli.main", *arguments]
    environment = {**os.environ, "NO_COLOR": "1", "STRATOPT_DATA_DIR": str(folder)}
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=110, env=environment)


def test_a_result_runs_again_to_the_same_bytes_and_a_changed_one_does_not(tmp_path: Path) -> None:
    made = run("optimize", "RSI", "-s", "BTC", "--start", "2016-01-01", "--max-evals", "8", "--json", folder=tmp_path)
    result = tmp_path / "result.json"
    result.write_text(made.stdout)
    document = json.loads(made.stdout)
    manifest = document["manifest"]
    assert manifest["command"] == "stratopt reproduce RESULT.json"
    assert {"data", "code_hash", "strategy_source_hash", "space", "seed", "spec", "versions"} <= set(manifest)
    assert {"costs", "execution", "search", "validation"} <= set(manifest["spec"])
    again = run("reproduce", str(result), folder=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "the same bytes: sha256" in again.stdout
    document["best_params"]["period"] = 99
    result.write_text(json.dumps(document))
    changed = run("reproduce", str(result), folder=tmp_path)
    assert changed.returncode == 7
    assert "/best_params/period" in changed.stdout
