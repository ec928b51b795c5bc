"""Every block of the README runs as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stratopt.cli.server_process import running_server

README = Path(__file__).resolve().parents[2] / "README.md"
MARK = re.compile(r"<!-- (run|file): ([^\n]*?) -->\n```(\w+)\n(.*?)```", re.DOTALL)
BLOCKS = [(kind, note, text) for kind, note, _, text in MARK.findall(README.read_text())]
RUN = [(note, text) for kind, note, text in BLOCKS if kind == "run"]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("readme")
    for kind, name, text in BLOCKS:
        if kind == "file":
            (folder / name).write_text(text)
    with running_server(folder / "data") as address:
        yield folder, address


def test_no_block_is_left_out() -> None:
    fences = [line for line in README.read_text().splitlines() if line.startswith("```") and line != "```"]
    assert len(fences) == len(BLOCKS)
    assert len(RUN) == 6


@pytest.mark.parametrize(("note", "text"), RUN, ids=[f"{i}-{note.split(',')[0]}" for i, (note, _) in enumerate(RUN)])
def test_a_block_of_the_readme_runs(workplace: tuple[Path, str], note: str, text: str) -> None:
    folder, address = workplace
    text = text.replace("http://127.0.0.1:8000", address)
    script = folder / ("block.py" if note.startswith("python") else "block.sh")
    script.write_text(text)
    command = [sys.executable, str(script)] if script.suffix == ".py" else ["bash", "-e", str(script)]
    environment = {
        **os.environ,
        "STRATOPT_DATA_DIR": str(folder / "local"),
        "STRATOPT_SERVER": address,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    finished = subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=110
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip()
    assert '"code"' not in finished.stdout


def test_the_documents_that_the_readme_names_exist() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README.read_text())
    missing = [link for link in links if not (README.parent / link).exists()]
    assert missing == []
