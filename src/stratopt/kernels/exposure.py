"""How much of the account was in the market."""

from __future__ import annotations

from stratopt.kernels import engine_codes as k
from stratopt.kernels.arrays import Float64Array1D, Float64Array2D
from stratopt.kernels.jit import jit_bare


@jit_bare
def held_units(trades: Float64Array2D, count: int, start: int, units: Float64Array1D) -> None:
    """Signed units held at each close of the window that begins at bar ``start``.

    Parameters
    ----------
    trades : float64 (t, TRADE_COLUMNS)
        Trades of the window, the first ``count`` rows; a trade is held from its entry bar to the bar before its exit, an open one to the end.
    units : float64 (n,), out
    """
    units[:] = 0.0
    for trade in range(count):
        first = int(trades[trade, k.TRADE_ENTRY_BAR]) - start
        last = units.size if trades[trade, k.TRADE_OPEN] != 0.0 else int(trades[trade, k.TRADE_EXIT_BAR]) - start
        held = trades[trade, k.TRADE_SIDE] * abs(trades[trade, k.TRADE_SIZE])
        for bar in range(first, last):
            units[bar] += held


@jit_bare
def mean_net_weight(units: Float64Array1D, closes: Float64Array1D, equity: Float64Array1D) -> float:
    """Mean over the bars of position value over equity, short ones negative; 0 where the wealth is gone."""
    total = 0.0
    for bar in range(units.size):
        if equity[bar] > 0.0:
            total += units[bar] * closes[bar] / equity[bar]
    return total / units.size
