"""Write the versions installed in this environment to requirements.lock, which installations use as constraints."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OWN = {"stratopt", "pip", "setuptools", "wheel"}


def main() -> None:
    names = {}
    for distribution in importlib.metadata.distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        if name not in OWN:
            names[name] = distribution.version
    lines = ["# Versions that are tested together. Written by `make lock`; used as constraints by every installation."]
    lines += [f"{name}=={version}" for name, version in sorted(names.items())]
    (ROOT / "requirements.lock").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
