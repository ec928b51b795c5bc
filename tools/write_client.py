"""Write the blocking client from the asynchronous one: the same text without its awaits. A test compares them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).resolve().parent.parent / "src" / "stratopt" / "client"
SOURCE, WRITTEN = CLIENT / "async_client.py", CLIENT / "client.py"
HEAD = '''"""Client: the HTTP API as Python objects. Needs nothing of the server.

Written by ``tools/write_client.py`` from ``async_client.py``: change it there.
"""
'''
BLOCKING = {
    r"from asyncio import": "from stratopt.client.blocking import",
    r"\basync (?=def|with|for)": "",
    r"\bawait ": "",
    r"\bAsync(?=Client|BatchHandle|Iterator)": "",
    r"\b__a(?=enter__|exit__)": "__",
    r"\ba(?=close\(|read\(|iter_lines\()": "",
}
"""Patterns and what stands for them in the blocking client."""


def blocking_client() -> str:
    """The text of ``client.py``."""
    _, _, body = SOURCE.read_text(encoding="utf-8").partition('"""\n\n')
    for pattern, replacement in BLOCKING.items():
        body = re.sub(pattern, replacement, body)
    text = f"{HEAD}\n{body}"
    for command in (["check", "--fix", "--unsafe-fixes", "--quiet", "--select", "I,UP028"], ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(WRITTEN), "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True).stdout
    return text


if __name__ == "__main__":
    WRITTEN.write_text(blocking_client(), encoding="utf-8")
