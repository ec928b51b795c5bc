"""Own strategies that behave badly in every way a test needs."""

import os
import sys
import time

import numba
import numpy as np

import stratopt

print("this module talks")  # noqa: T201


@stratopt.strategy(space={"period": stratopt.IntRange(2, 50, default=10)}, warmup=lambda p: p["period"])
def HigherClose(bars, params):
    """Long while the close is above that of `period` bars ago."""
    period = params["period"]
    target = np.zeros(len(bars), dtype=int)
    target[period:] = bars.close[period:] > bars.close[:-period]
    return target


@stratopt.strategy()
def Raises(bars, params):
    """Raises."""
    raise ValueError("this strategy always fails")


@stratopt.strategy()
def ReturnsNaN(bars, params):
    """Returns NaN."""
    return np.full(len(bars), np.nan)


@stratopt.strategy()
def NeverTrades(bars, params):
    """Never trades."""
    return np.zeros(len(bars), dtype=int)


@stratopt.strategy()
def KillsItself(bars, params):
    """Ends its process without a word."""
    os._exit(3)


@numba.njit
def _endless() -> int:
    number = 0
    while number >= 0:
        number = (number + 1) % 1000
    return number


@stratopt.strategy()
def HoldsTheGil(bars, params):
    """Runs compiled code for ever without letting go of the interpreter's lock."""
    return np.full(len(bars), _endless())


@stratopt.strategy()
def Sleeps(bars, params):
    """Takes half a second an evaluation."""
    time.sleep(0.5)
    return np.ones(len(bars), dtype=int)


@stratopt.strategy()
def EatsMemory(bars, params):
    """Asks for more memory than a worker may have."""
    return np.ones(10**13, dtype=np.int8)


@stratopt.strategy()
def Peeks(bars, params):
    """Long when the next bar closes higher."""
    return np.append((np.diff(bars.close) > 0).astype(int), 0)


@stratopt.strategy()
def Leaves(bars, params):
    """Ends the interpreter, politely."""
    sys.exit(0)


@stratopt.strategy()
def Prints(bars, params):
    """Prints, and goes on."""
    print("this strategy talks")  # noqa: T201
    target = np.zeros(len(bars), dtype=int)
    target[::40] = 1
    return target
