"""Fails when a ratio to a peer got more than 15 % worse than in the committed baseline: ``python benchmarks/compare.py [NEW [BASELINE]]``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
WORSE = 0.85


def ratios(document: dict) -> dict[str, float]:
    """Every ratio of a run by section and peer; larger is better for us."""
    return {
        f"{section}: {peer}": value
        for section, found in document["sections"].items()
        for peer, value in found.get("ratios", {}).items()
    }


def main() -> int:
    new = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS / "speed.json"
    old = Path(sys.argv[2]) if len(sys.argv) > 2 else RESULTS / "baseline.json"
    found, baseline = ratios(json.loads(new.read_text())), ratios(json.loads(old.read_text()))
    worse = {
        name: (value, baseline[name])
        for name, value in found.items()
        if name in baseline and value < WORSE * baseline[name]
    }
    for name, (value, before) in worse.items():
        print(f"WORSE {name}: {value:.1f} times, was {before:.1f}")
    missing = sorted(set(baseline) - set(found))
    for name in missing:
        print(f"MISSING {name}: it was {baseline[name]:.1f} times")
    print(f"{len(found)} ratios compared, {len(worse)} worse by more than 15 %, {len(missing)} missing")
    return 1 if worse or missing else 0


if __name__ == "__main__":
    sys.exit(main())
