"""One printed command runs a result again and finds the same bytes."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

LEAVES_MARKS = """
import os
from pathlib import Path

import stratopt


@stratopt.strategy(space={"period": stratopt.IntRange(2, 50, default=10)}, warmup=lambda p: p["period"])
def LeavesMarks(bars, params):
    \"\"\"Long above the first close; every run leaves a mark.\"\"\"
    with (Path(os.environ["STRATOPT_DATA_DIR"]) / "marks").open("a") as marks:
        marks.write("x")
    return (bars.close > bars.close[0]).astype(int)
"""


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stratopt.cli.main", *arguments]
    own = folder / "strategies"
    own.mkdir(exist_ok=True)
    places = {"STRATOPT_DATA_DIR": str(folder), "STRATOPT_STRATEGY_FOLDER": str(own)}
    environment = {**os.environ, "NO_COLOR": "1", **places}
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


def prices(path: Path, level: float) -> Path:
    days = [
        f"{year}-{month:02d}-{day:02d}" for year in range(2015, 2019) for month in range(1, 13) for day in range(1, 29)
    ]
    bars = [level + 10 * math.sin(k / 11) for k in range(len(days))]
    rows = [
        f"{day},{bar},{bar + 1},{bar - 1},{bar},{k + 1}" for k, (day, bar) in enumerate(zip(days, bars, strict=True))
    ]
    path.write_text("\n".join(["date,open,high,low,close,volume", *rows]))
    return path


def test_market_data_that_changed_since_are_told_instead_of_every_number(tmp_path: Path) -> None:
    """Both hashes and last bars, the exit code of a difference, and nothing is run; bars after the result's end are no change."""
    file, result, marks = tmp_path / "prices.csv", tmp_path / "result.json", tmp_path / "marks"
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "marks.py").write_text(LEAVES_MARKS)
    import_ = ["data", "import", str(prices(file, 100.0)), "-s", "ACME", "-t", "1d", "--calendar", "24/7"]
    assert run(*import_, folder=tmp_path).returncode == 0
    search = ["--max-evals", "4", "--algorithm", "random", "--hold-out", "--end", "2018-06-01", "--json"]
    result.write_text(run("optimize", "LeavesMarks", "-s", "ACME", *search, folder=tmp_path).stdout)
    told = json.loads(result.read_text())["manifest"]["data"]["content_hash"]
    file.write_text(file.read_text() + "\n2018-12-29,100,101,99,100,7\n")
    assert run(*import_, folder=tmp_path).returncode == 0
    ran = marks.stat().st_size
    assert run("reproduce", str(result), folder=tmp_path).returncode == 0
    assert marks.stat().st_size > ran > 0
    ran = marks.stat().st_size
    prices(file, 200.0)
    assert run(*import_, folder=tmp_path).returncode == 0
    changed = run("reproduce", str(result), folder=tmp_path)
    assert changed.returncode == 7, changed.stderr
    assert "the market data are not those of the result" in changed.stdout
    document = json.loads(run("reproduce", str(result), "--json", folder=tmp_path).stdout)
    assert document["same"] is False
    now = document["data"]["of_this_machine"]
    assert document["data"]["of_the_result"]["content_hash"] == told != now["content_hash"]
    assert now["last_bar"] == "2018-05-28T00:00:00Z"
    assert set(now) == set(document["data"]["of_the_result"])
    assert marks.stat().st_size == ran
    for words in (told, now["content_hash"], "2018-05-28T00:00:00Z"):
        assert words in changed.stdout
