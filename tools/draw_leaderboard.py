"""Photograph the report that `make demo` wrote for the README: docs/images/leaderboard.png. Needs Chromium on the path."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUIET = ("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")


def main() -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("install chromium first")
    report, picture = ROOT / "demo-output" / "report.html", ROOT / "docs" / "images" / "leaderboard.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        size = ["--window-size=1200,1180", "--hide-scrollbars", f"--user-data-dir={profile}", f"--screenshot={picture}"]
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", *QUIET, *size, report.as_uri()]
        subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main()
