"""``make bench-compare`` fails when a ratio to a peer got more than 15 % worse, or is not measured any more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "compare.py"


def document(**ratios: float) -> str:
    return json.dumps({"sections": {"sweep": {"ratios": ratios}, "minute": {"bars": 5}}})


@pytest.mark.parametrize(
    ("now", "status", "told"),
    [
        ({"vectorbt": 86.0, "backtrader": 9.0}, 0, "2 ratios compared, 0 worse by more than 15 %, 0 missing"),
        ({"vectorbt": 84.0, "backtrader": 9.0}, 1, "WORSE sweep: vectorbt: 84.0 times, was 100.0"),
        ({"vectorbt": 120.0}, 1, "MISSING sweep: backtrader: it was 9.0 times"),
    ],
)
def test_exit_status_and_what_is_told(tmp_path: Path, now: dict[str, float], status: int, told: str) -> None:
    new, old = tmp_path / "new.json", tmp_path / "old.json"
    new.write_text(document(**now))
    old.write_text(document(vectorbt=100.0, backtrader=9.0))
    found = subprocess.run(
        [sys.executable, str(SCRIPT), str(new), str(old)], capture_output=True, text=True, check=False
    )
    assert found.returncode == status
    assert told in found.stdout
