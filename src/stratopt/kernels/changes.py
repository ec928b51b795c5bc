"""Where targets change: eight bars are compared at once, so that bars on which nothing happens cost next to nothing.

Targets and signs come as rows of int8 padded to whole words, read here as uint64: byte ``bar % 8`` of word ``bar // 8``
(little-endian) is the value of ``bar``.
"""

from __future__ import annotations

import sys

import numpy as np

from stratopt.kernels.arrays import AnyArray, Int8Array1D, Int32Array1D
from stratopt.kernels.jit import jit_bare, jit_inlined

WORD = 8
if sys.byteorder != "little":  # pragma: no cover - every platform numba supports on servers is little-endian
    raise ImportError("stratopt reads eight int8 targets as one little-endian word; this machine is big-endian")


def padded_rows(row_count: int, bar_count: int) -> tuple[AnyArray, AnyArray]:
    """Rows for targets, int8 (R, n padded to whole words) of zeros, and the same memory as uint64 (R, words)."""
    rows = np.zeros((row_count, (bar_count + WORD - 1) // WORD * WORD), dtype=np.int8)
    return rows, rows.view(np.uint64)


@jit_inlined
def target_changes(words: AnyArray, bar_count: int, where: Int32Array1D, target: Int8Array1D) -> int:
    """Bars whose target differs from the one before (0 before the first), and that target; returns how many.

    Parameters
    ----------
    words : uint64 (ceil(n / 8),)
        int8 targets of all bars.
    where : int32 (n + 8,), out
    target : int8 (n + 8,), out
    """
    count, before = 0, np.uint64(0)
    for position in range((bar_count + WORD - 1) // WORD):
        word = words[position]
        moved = word ^ ((word << np.uint64(8)) | before)
        before = word >> np.uint64(56)
        if moved == np.uint64(0):
            continue
        # written at every byte and kept by counting on: a branch that cannot be guessed costs more than eight writes
        for byte in range(WORD):
            shift = np.uint64(8 * byte)
            where[count] = position * WORD + byte
            target[count] = np.int8((word >> shift) & np.uint64(255))
            count += int((moved >> shift) & np.uint64(255) != np.uint64(0))
    while count > 0 and where[count - 1] >= bar_count:
        count -= 1
    return count


@jit_bare
def fill_changes(where: Int32Array1D, target: Int8Array1D, count: int, out: Int8Array1D) -> None:
    """The target of every bar from its changes; 0 before the first."""
    held, change = np.int8(0), 0
    for bar in range(out.size):
        if change < count and where[change] == bar:
            held = target[change]
            change += 1
        out[bar] = held
