"""What this process may use of the machine: less than all of it where a container or the system sets limits (control groups, v1 and v2).

Files and their meaning: the Linux kernel's documentation of control groups, ``admin-guide/cgroup-v2.rst`` and ``cgroup-v1/memory.rst``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


@dataclass(frozen=True)
class MemoryLimit:
    """Bytes that a control group may have, and has; what the kernel would give up at once, unused file pages, is not counted."""

    limit: int
    used: int

    @property
    def free(self) -> int:
        """Bytes that are left."""
        return max(0, self.limit - self.used)


def usable_cores(mount: Path = MOUNT, own_groups: Path = OWN_GROUPS) -> int:
    """Processors that this process may run on, or the share of them that its control groups allow, rounded up."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [quota for folder in _groups("cpu", mount, own_groups) if (quota := _cpu_quota(folder)) is not None]
    return max(1, min([allowed, *map(math.ceil, quotas)]))


def memory_limits(mount: Path = MOUNT, own_groups: Path = OWN_GROUPS) -> list[MemoryLimit]:
    """The limits of the control groups that this process is in; none outside of containers, as a rule."""
    found = (_memory_limit(folder) for folder in _groups("memory", mount, own_groups))
    return [limit for limit in found if limit is not None]


def _groups(controller: str, mount: Path, own_groups: Path) -> Iterator[Path]:
    """Folders of the control groups that this process is in, each inside the next."""
    for line in _text(own_groups).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = mount / controller if controllers else mount
        folder = root / path.strip("/")
        while folder != root:
            yield folder
            folder = folder.parent
        yield root


def _cpu_quota(folder: Path) -> float | None:
    """Processors."""
    unified = _text(folder / "cpu.max").split()
    quota, period = (
        unified if unified else (_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    )
    if not (quota.isdigit() and period.isdigit()):
        return None  # "max" and -1: no limit
    return int(quota) / int(period)


def _memory_limit(folder: Path) -> MemoryLimit | None:
    for limit_file, used_file, unused in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        limit, used = _text(folder / limit_file).strip(), _text(folder / used_file).strip()
        if limit.isdigit() and used.isdigit():
            facts = dict(line.split(" ", 1) for line in _text(folder / "memory.stat").splitlines())
            return MemoryLimit(int(limit), max(0, int(used) - int(facts.get(unused, 0))))
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
