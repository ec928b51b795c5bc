"""``make bench-service`` tells each figure beside its limit; a missed one fails it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "service.py"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPT.parents[1]))
    spec = importlib.util.spec_from_file_location("service", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "service", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("figures", "missed"),
    [
        ({"dispatch": {"overhead_per_job_milliseconds": 4.9}, "one_key": {"batches": 1}}, []),
        ({"dispatch": {"overhead_per_job_milliseconds": 5.1}}, ["dispatch/overhead_per_job_milliseconds"]),
        ({"two_workers": {"speedup": 1.742}}, ["two_workers/speedup"]),
        ({"long_stream": {"memory_growth_megabytes": -60.0}}, ["long_stream/memory_growth_megabytes"]),
        ({"overload": {"refused_by_status": {"429": 3}}}, ["overload/refused_by_status"]),
        ({"readers": {"complete_without_gap": 199}}, ["readers/complete_without_gap"]),
    ],
)
def test_missed_limits_are_told(
    service: ModuleType, capsys: pytest.CaptureFixture[str], figures: dict[str, object], missed: list[str]
) -> None:
    verdicts = service.judge(figures)
    assert [verdict["figure"] for verdict in verdicts if not verdict["met"]] == missed
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(verdicts) == len(figures)
    assert [line.split()[0] for line in lines if line.endswith("NO")] == missed
