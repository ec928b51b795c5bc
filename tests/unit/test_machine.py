"""What a container leaves of the machine, told by files as the kernel writes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stratopt import bootstrap
from stratopt.machine import MemoryLimit, memory_limits, usable_cores
from stratopt.monitoring import resources
from stratopt.settings import Settings

NO_LIMIT_V1 = 9223372036854771712
MEBIBYTE = 2**20


def groups(tmp_path: Path, own: str, files: dict[str, object]) -> tuple[Path, Path]:
    """A mount of control groups with these files, and the file that tells the groups of the process."""
    mount, told = tmp_path / "cgroup", tmp_path / "own"
    mount.mkdir()
    told.write_text(own)
    for name, text in files.items():
        path = mount / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return mount, told


def test_without_control_groups_the_machine_is_all_there(tmp_path: Path) -> None:
    where = tmp_path / "none", tmp_path / "nothing"
    assert memory_limits(*where) == []
    assert usable_cores(*where) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("quota", "cores"), [("100000 100000", 1), ("50000 100000", 1), ("max 100000", None)])
def test_version_2_limits_processors_and_memory(tmp_path: Path, quota: str, cores: int | None) -> None:
    files = {
        "pod/app/cpu.max": quota,
        "pod/app/memory.max": 512 * MEBIBYTE,
        "pod/app/memory.current": 300 * MEBIBYTE,
        "pod/app/memory.stat": f"anon 1\ninactive_file {100 * MEBIBYTE}",
        "pod/memory.max": "max",
        "pod/memory.current": 300 * MEBIBYTE,
    }
    where = groups(tmp_path, "0::/pod/app\n", files)
    assert usable_cores(*where) == (cores or len(os.sched_getaffinity(0)))
    (limit,) = memory_limits(*where)
    assert limit == MemoryLimit(512 * MEBIBYTE, 200 * MEBIBYTE)
    assert limit.free == 312 * MEBIBYTE


def test_version_1_tells_the_path_of_the_host_and_shows_the_own_group_at_the_root(tmp_path: Path) -> None:
    files = {
        "memory/memory.limit_in_bytes": 64 * MEBIBYTE,
        "memory/memory.usage_in_bytes": 80 * MEBIBYTE,
        "memory/memory.stat": f"inactive_file 7\ntotal_inactive_file {8 * MEBIBYTE}",
        "cpu,cpuacct/cpu.cfs_quota_us": 50_000,
        "cpu/cpu.cfs_quota_us": 100_000,
        "cpu/cpu.cfs_period_us": 100_000,
    }
    where = groups(tmp_path, "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n", files)
    assert memory_limits(*where) == [MemoryLimit(64 * MEBIBYTE, 72 * MEBIBYTE)]
    assert memory_limits(*where)[0].free == 0
    assert usable_cores(*where) == 1


def test_version_1_has_a_number_for_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "memory/memory.limit_in_bytes": NO_LIMIT_V1,
        "memory/memory.usage_in_bytes": MEBIBYTE,
        "cpu/cpu.cfs_quota_us": -1,
        "cpu/cpu.cfs_period_us": 100_000,
    }
    where = groups(tmp_path, "5:memory:/\n4:cpu:/\n", files)
    assert usable_cores(*where) == len(os.sched_getaffinity(0))
    monkeypatch.setattr(resources, "memory_limits", lambda: memory_limits(*where))
    assert resources.usable_memory_bytes() == resources.psutil.virtual_memory().total


def test_the_tightest_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [MemoryLimit(900 * MEBIBYTE, 100 * MEBIBYTE), MemoryLimit(600 * MEBIBYTE, 590 * MEBIBYTE)]
    monkeypatch.setattr(resources, "memory_limits", lambda: limits)
    assert resources.free_memory_bytes() == 10 * MEBIBYTE
    assert resources.usable_memory_bytes() == 600 * MEBIBYTE
    told = resources.snapshot()
    assert (told["memory_total_bytes"], told["memory_available_bytes"]) == (600 * MEBIBYTE, 10 * MEBIBYTE)


@pytest.mark.parametrize(
    ("told", "workers", "limit"),
    [(None, 2, 3 * 2**30), (None, 100, 2**30), (700, 2, 700 * MEBIBYTE), (0, 2, None)],
)
def test_workers_share_the_memory(
    monkeypatch: pytest.MonkeyPatch, told: int | None, workers: int, limit: int | None
) -> None:
    """Equally, unless a limit is set; never so little that a worker cannot work."""
    monkeypatch.setattr(resources, "usable_memory_bytes", lambda: 6 * 2**30)
    settings = Settings(workers=workers, worker_memory_limit_megabytes=told)
    assert bootstrap.worker_memory_bytes(settings) == limit


def test_a_limit_that_no_worker_can_start_with_is_refused() -> None:
    with pytest.raises(ValueError, match="100 MB are too few for a worker; take 256 or more, or 0 for no limit"):
        Settings(worker_memory_limit_megabytes=100)
