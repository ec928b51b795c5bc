"""``make bench-service`` tells each figure beside its limit; a missed one fails it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "service.py"
STREAM = {"rows": 200_000, "rows_per_second": 300_000.0, "memory_growth_megabytes": 10.0}
OVERLOAD = {
    "refused_by_status": {"503": 1, "429": 2},
    "refused_without_retry_after": 0,
    "accepted_and_lost": 0,
    "patient_client_got_through": True,
}


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
        ({"long_stream": STREAM | {"memory_growth_megabytes": -60.0}}, ["long_stream/memory_growth_megabytes"]),
        ({"overload": OVERLOAD}, []),
        ({"overload": OVERLOAD | {"refused_by_status": {"429": 3}}}, ["overload/refused_by_status"]),
        ({"overload": OVERLOAD | {"refused_without_retry_after": 1}}, ["overload/refused_without_retry_after"]),
        ({"readers": {"complete_without_gap": 199}}, ["readers/complete_without_gap"]),
    ],
)
def test_missed_limits_are_told(
    service: ModuleType, capsys: pytest.CaptureFixture[str], figures: dict[str, object], missed: list[str]
) -> None:
    verdicts = service.judge(figures)
    assert [verdict["figure"] for verdict in verdicts if not verdict["met"]] == missed
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(verdicts) >= len(figures)
    assert [line.split()[0] for line in lines if line.endswith("NO")] == missed


def test_a_figure_that_is_no_longer_measured_is_an_error(service: ModuleType) -> None:
    with pytest.raises(KeyError, match="speedup"):
        service.judge({"two_workers": {"one_worker_seconds": 6.0}})
