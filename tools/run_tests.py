"""Run pytest and end with one line: N passed, N failed, N skipped.

An error while collecting or setting up counts as failed; so does an empty run. Exit code 0 only when nothing failed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    arguments = sys.argv[1:]
    markers = [] if "--long" in arguments else ["-m", "not long and not faults"]
    rest = [a for a in arguments if a != "--long"]
    workers = ["-n", str(min(2, os.cpu_count() or 1)), "--dist", "loadfile"] if not rest else []
    command = [sys.executable, "-m", "pytest", *markers, *workers, *rest]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    last = ""
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        last = line if line.strip() else last
    code = process.wait()
    counts = {
        kind: int(number) for number, kind in re.findall(r"(\d+) (passed|failed|skipped|errors?|xfailed|xpassed)", last)
    }
    failed = counts.get("failed", 0) + counts.get("error", 0) + counts.get("errors", 0) + counts.get("xpassed", 0)
    passed, skipped = counts.get("passed", 0), counts.get("skipped", 0) + counts.get("xfailed", 0)
    if (code != 0 or passed == 0) and failed == 0:
        failed = 1
    sys.stdout.write(f"{passed} passed, {failed} failed, {skipped} skipped\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
