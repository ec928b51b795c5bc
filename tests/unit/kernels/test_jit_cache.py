"""The disk cache of compiled kernels never outlives a change of the code it was compiled from."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from stratopt.kernels import jit as jit_module

KERNEL = """
from stratopt.kernels.jit import jit

@jit
def double(value):
    return 2.0 * value
"""


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("kernel_of_a_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_change_in_an_imported_kernel_compiles_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the times of files say: another text is compiled again, the same text is read from the cache."""
    path = tmp_path / "kernel.py"
    path.write_text(KERNEL)
    hits = []
    for stamp in ("before", "before", "after", "after"):
        monkeypatch.setattr(jit_module, "_stamp", lambda _, stamp=stamp: stamp)
        double = load(path).double
        assert double(21.0) == 42.0
        hits.append(sum(double.stats.cache_hits.values()))
    assert hits == [0, 1, 0, 1]


def test_the_stamp_is_of_the_text_of_a_file_and_of_what_it_imports(tmp_path: Path) -> None:
    """Two files with the same imports differ by their own text only; times do not count."""
    stamps = set()
    for folder, text in (("a", KERNEL), ("b", KERNEL), ("c", KERNEL.replace("2.0", "3.0"))):
        path = tmp_path / folder / "kernel.py"
        path.parent.mkdir()
        path.write_text(text)
        stamps.add(jit_module._stamp(path))
    assert len(stamps) == 2


COMPILE_TOGETHER = """
import sys, threading
sys.path.insert(0, sys.argv[1])
import kernel_of_a_test
print(kernel_of_a_test.double(21.0), kernel_of_a_test.double(21), kernel_of_a_test.double(1j))
"""


def test_processes_that_compile_at_once_share_one_sound_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four processes compile three types of one function at the same time; the next one reads all three from the cache."""
    (tmp_path / "kernel_of_a_test.py").write_text(KERNEL)
    command = [sys.executable, "-c", COMPILE_TOGETHER, str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert {process.communicate()[0].strip() for process in running} == {"42.0 42.0 2j"}
    monkeypatch.syspath_prepend(tmp_path)
    double = importlib.import_module("kernel_of_a_test").double
    assert (double(21.0), double(21), double(1j)) == (42.0, 42.0, 2j)
    assert sum(double.stats.cache_hits.values()) == 3
