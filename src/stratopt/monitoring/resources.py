"""What the machine has left, and whether that is enough for another job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psutil


def free_memory_bytes() -> int:
    """Memory that can be had without swapping."""
    return int(psutil.virtual_memory().available)


def load_per_core() -> float:
    """Mean number of processes of the last minute that wanted to run, over the number of cores."""
    return float(psutil.getloadavg()[0]) / (psutil.cpu_count() or 1)


@dataclass(frozen=True, kw_only=True)
class ResourceGate:
    """Says whether another job may start: memory must be free, and the CPU not wanted by too many others.

    An overloaded CPU slows the service down to one job at a time but never stops it; without memory no job starts.
    """

    minimum_free_bytes: int
    maximum_load_per_core: float
    free_bytes: Callable[[], int] = free_memory_bytes
    load: Callable[[], float] = load_per_core

    def has_room(self, busy: int) -> bool:
        """Whether another job may start beside ``busy`` running ones."""
        return self.shortage(busy) is None

    def shortage(self, busy: int) -> str | None:
        """What there is too little of: ``memory``, ``cpu`` or nothing."""
        if self.free_bytes() < self.minimum_free_bytes:
            return "memory"
        return "cpu" if busy and self.load() > self.maximum_load_per_core else None


def snapshot() -> dict[str, float]:
    """Load and memory of the machine now."""
    memory = psutil.virtual_memory()
    return {
        "cpu_count": float(psutil.cpu_count() or 1),
        "load_average_1m": psutil.getloadavg()[0],
        "memory_total_bytes": float(memory.total),
        "memory_available_bytes": float(memory.available),
        "process_memory_bytes": float(psutil.Process().memory_info().rss),
    }
