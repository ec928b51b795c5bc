"""What the machine has left, and whether that is enough for another job."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from stratopt.machine import memory_limits, usable_cores

FRESH_SECONDS = 0.1


def free_memory_bytes() -> int:
    """Memory that can be had without swapping, within the limits of a container."""
    return int(min([psutil.virtual_memory().available, *(limit.free for limit in memory_limits())]))


def usable_memory_bytes() -> int:
    """All the memory of the machine, or of the container."""
    return int(min([psutil.virtual_memory().total, *(limit.limit for limit in memory_limits())]))


def free_disk_bytes(folder: Path) -> int:
    """What this user may still write where ``folder`` is."""
    return int(psutil.disk_usage(str(folder)).free)


def load_per_core() -> float:
    """Mean number of processes of the last minute that wanted to run, over the number of cores."""
    return float(psutil.getloadavg()[0]) / (psutil.cpu_count() or 1)


def kept_fresh(read: Callable[[], float]) -> Callable[[], float]:
    """``read``, asked again only after a tenth of a second: asking the system costs as much as storing a result."""
    known, until = 0.0, -1.0

    def fresh() -> float:
        nonlocal known, until
        now = time.monotonic()
        if now >= until:
            known, until = read(), now + FRESH_SECONDS
        return known

    return fresh


@dataclass(frozen=True, kw_only=True)
class ResourceGate:
    """Says whether another job may start: memory must be free, and the CPU not wanted by too many others.

    An overloaded CPU slows the service down to one job at a time but never stops it; without memory no job starts.
    """

    minimum_free_bytes: int
    maximum_load_per_core: float
    free_bytes: Callable[[], float] = field(default_factory=lambda: kept_fresh(free_memory_bytes))
    load: Callable[[], float] = field(default_factory=lambda: kept_fresh(load_per_core))

    def has_room(self, busy: int) -> bool:
        """Whether another job may start beside ``busy`` running ones."""
        return self.shortage(busy) is None

    def shortage(self, busy: int) -> str | None:
        """What there is too little of: ``memory``, ``cpu`` or nothing."""
        if self.free_bytes() < self.minimum_free_bytes:
            return "memory"
        return "cpu" if busy and self.load() > self.maximum_load_per_core else None


def snapshot() -> dict[str, float]:
    """Load of the machine, and what of it this process may use, now."""
    return {
        "cpu_count": float(usable_cores()),
        "load_average_1m": psutil.getloadavg()[0],
        "memory_total_bytes": float(usable_memory_bytes()),
        "memory_available_bytes": float(free_memory_bytes()),
        "process_memory_bytes": float(psutil.Process().memory_info().rss),
    }
