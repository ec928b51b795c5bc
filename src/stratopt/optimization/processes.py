"""Calls to the operating system and to libraries below numpy: die with the parent, memory and time limits, one thread."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from threadpoolctl import ThreadpoolController

PR_SET_PDEATHSIG = 1
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
LIBRARY_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
SINGLE_THREADED = dict.fromkeys(LIBRARY_THREADS, "1")
"""Environment of a worker: N workers times N library threads is slower than N workers."""


def die_with_parent(parent_pid: int) -> None:
    """SIGKILL this process when the thread that started it ends; exit at once if that has happened already."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(0)


def limit_memory(limit_bytes: int | None) -> None:
    """Let allocations beyond ``limit_bytes`` of data fail with MemoryError instead of waking the kernel's killer."""
    if limit_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))


@contextmanager
def one_library_thread() -> Iterator[None]:
    """Linear algebra in one thread while the block runs: the sums are added in the same order on every machine, and beside busy
    workers it is faster (eigenvalues of 309 x 309: 3 instead of 270 ms on two busy cores, where library threads wait for each other).
    """
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        yield


def keep_freed_memory() -> None:
    """Let the C library reuse what large arrays leave instead of asking the kernel for fresh pages each time.

    Fresh pages made a backtest of 5,000,000 bars a third slower. Without glibc nothing changes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def freeze_imports() -> None:
    """Take what was made so far out of garbage collection: it stays until the process ends, and looking through it again and again
    cost a fifth of what a job costs beside its work. Forked children go on sharing its pages.
    """
    gc.collect()
    gc.freeze()


def prefer_as_victim() -> None:
    """Should the machine run out of memory, this process goes before the server."""
    try:
        Path("/proc/self/oom_score_adj").write_text("500")
    except OSError:
        return  # not every container allows it; the memory limit still holds


def alarm_after(seconds: float) -> None:
    """Backstop: the kernel ends this process if the supervisor did not; 0 switches it off."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


class Meter:
    """What this process has used since the meter was made."""

    def __init__(self) -> None:
        with contextlib.suppress(
            OSError
        ):  # not every container allows it; the peak is then that of the process's whole life
            Path("/proc/self/clear_refs").write_text("5")
        self._began, self._cpu_before = time.monotonic(), _cpu_seconds()

    def read(self) -> dict[str, float]:
        """Wall and CPU seconds, and resident memory now and at its peak in bytes."""
        memory = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        now, peak = (int(memory[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
        return {
            "wall_seconds": round(time.monotonic() - self._began, 6),
            "cpu_seconds": round(_cpu_seconds() - self._cpu_before, 6),
            "memory_bytes": now,
            "peak_memory_bytes": peak,
        }


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
