"""When another job may start."""

from __future__ import annotations

import pytest

from stratopt.monitoring import resources
from stratopt.monitoring.resources import ResourceGate, free_memory_bytes, kept_fresh, load_per_core


@pytest.mark.parametrize(
    ("free", "load", "busy", "shortage"),
    [
        (200, 0.5, 0, None),
        (200, 0.5, 4, None),
        (99, 0.5, 0, "memory"),
        (99, 9.0, 4, "memory"),
        (200, 9.0, 1, "cpu"),
        (200, 9.0, 0, None),
        (100, 2.0, 1, None),
    ],
)
def test_a_job_waits_for_memory_and_beside_others_for_the_cpu(
    free: int, load: float, busy: int, shortage: str | None
) -> None:
    gate = ResourceGate(minimum_free_bytes=100, maximum_load_per_core=2.0, free_bytes=lambda: free, load=lambda: load)
    assert gate.shortage(busy) == shortage
    assert gate.has_room(busy) == (shortage is None)


def test_the_machine_is_measured() -> None:
    assert free_memory_bytes() > 2**20
    assert load_per_core() >= 0.0


def test_the_machine_is_asked_again_when_the_answer_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([1.0, 2.0, 3.0])
    moment = [10.0]
    monkeypatch.setattr(resources.time, "monotonic", lambda: moment[0])
    read = kept_fresh(lambda: next(answers))
    assert [read(), read()] == [1.0, 1.0]
    moment[0] += resources.FRESH_SECONDS
    assert [read(), read()] == [2.0, 2.0]
