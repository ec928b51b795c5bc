"""Calling signal and line functions for many rows from compiled code.

Engine and strategy are compiled apart: these loops take the strategy as a first-class function of one explicit type. Handing over
the strategy's dispatcher instead would compile the loop again for every strategy and let the disk cache grow with every process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from numba import types

from stratopt.kernels.arrays import AnyArray, Float64Array1D, Float64Array2D, Int8Array1D
from stratopt.kernels.jit import jit_for

_BARS = types.Array(types.float64, 2, "C", readonly=True)
_VECTOR = types.Array(types.float64, 1, "C")
_ROWS = types.Array(types.float64, 2, "C")
_SIGNAL = (_BARS, _VECTOR, types.Array(types.int8, 1, "C"))
_LINE = (_BARS, _VECTOR, _VECTOR)

ROWS_FOR_LOOP = 8
"""Handing a function over costs 30 microseconds, a call from Python 4: fewer rows are called one by one."""

Signal = Callable[[Float64Array2D, Float64Array1D, Int8Array1D], None]
Line = Callable[[Float64Array2D, Float64Array1D, Float64Array1D], None]


def compile_signal(signal: Callable[..., Any]) -> Signal:
    """A signal function ``(bars, params, out)`` compiled for the one type that every strategy shares."""
    return jit_for(signal, *_SIGNAL)


def compile_line(line: Callable[..., Any]) -> Line:
    """A line function ``(bars, key, out)`` compiled for its one type."""
    return jit_for(line, *_LINE)


@cache
def _target_loop() -> Any:
    return jit_for(
        _fill_targets, types.FunctionType(types.void(*_SIGNAL)), _BARS, _ROWS, types.Array(types.int8, 2, "C")
    )


@cache
def _line_loop() -> Any:
    return jit_for(_fill_lines, types.FunctionType(types.void(*_LINE)), _BARS, _ROWS, _ROWS)


def fill_targets(signal: Signal, bars: Float64Array2D, params: Float64Array2D, targets: AnyArray) -> None:
    """Targets of every parameter row.

    Parameters
    ----------
    signal
        Of ``compile_signal``.
    bars : float64 (6, n), read-only
    params : float64 (R, k + 1)
    targets : int8 (R, at least n), out
    """
    if params.shape[0] < ROWS_FOR_LOOP:
        _fill_targets(signal, bars, params, targets)
        return
    _target_loop()(signal, bars, params, targets)


def fill_lines(line: Line, bars: Float64Array2D, keys: Float64Array2D, lines: Float64Array2D) -> None:
    """One line (an indicator) for every key: ``keys`` float64 (L, k), ``lines`` float64 (L, n), out."""
    _line_loop()(line, bars, keys, lines)


def _fill_targets(signal: Signal, bars: Float64Array2D, params: Float64Array2D, targets: AnyArray) -> None:
    for row in range(params.shape[0]):
        targets[row] = 0
        signal(bars, params[row], targets[row, : bars.shape[1]])


def _fill_lines(line: Line, bars: Float64Array2D, keys: Float64Array2D, lines: Float64Array2D) -> None:
    for row in range(keys.shape[0]):
        line(bars, keys[row], lines[row])
