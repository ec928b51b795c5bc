"""What the machine has left."""

from __future__ import annotations

from dataclasses import dataclass

import psutil


@dataclass(frozen=True, kw_only=True)
class ResourceGate:
    """Says whether another job may start: enough memory must be free."""

    minimum_free_bytes: int

    def has_room(self) -> bool:
        """Whether the machine has the memory for another job."""
        return bool(psutil.virtual_memory().available >= self.minimum_free_bytes)


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
