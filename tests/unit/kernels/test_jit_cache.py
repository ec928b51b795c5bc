"""The disk cache of compiled kernels never outlives a change of the code it was compiled from."""

from __future__ import annotations

import importlib.util
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


def test_a_change_in_another_kernel_file_compiles_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second process reads the cache; after any kernel or strategy file changed, nothing old is read."""
    path = tmp_path / "kernel.py"
    path.write_text(KERNEL)
    hits = []
    for stamp in ("before", "before", "after", "after"):
        monkeypatch.setattr(jit_module, "SOURCE_STAMP", stamp)
        double = load(path).double
        assert double(21.0) == 42.0
        hits.append(sum(double.stats.cache_hits.values()))
    assert hits == [0, 1, 0, 1]


def test_the_stamp_covers_kernels_and_strategies() -> None:
    """Every file whose functions may be compiled into others counts."""
    names = {name for name, _, _ in jit_module.SOURCE_STAMP}
    assert {"averages.py", "simulate.py", "positions.py", "trend.py"} <= names
