"""Strategies that fail in every way that a worker must survive or be killed for."""

import ctypes
import os
import signal
import time
from pathlib import Path

import numba
import numpy as np

import stratopt


@stratopt.strategy(space={"period": stratopt.IntRange(2, 50, default=10)}, warmup=lambda p: p["period"])
def Quick(bars, params):
    """Long while the close is above that of `period` bars ago."""
    period = params["period"]
    target = np.zeros(len(bars), dtype=int)
    target[period:] = bars.close[period:] > bars.close[:-period]
    return target


@stratopt.strategy(space={"period": stratopt.IntRange(2, 50, default=10)}, warmup=lambda p: p["period"])
def Slow(bars, params):
    """As Quick, a tenth of a second an evaluation."""
    time.sleep(0.1)
    return Quick.signal(bars, params)


@stratopt.strategy(space={"period": stratopt.IntRange(2, 500, default=10)}, warmup=lambda p: p["period"])
def Counted(bars, params):
    """As Quick, but slow, and every evaluation leaves a mark."""
    time.sleep(0.01)
    with (Path(os.environ["STRATOPT_DATA_DIR"]) / "evaluations").open("ab") as marks:
        marks.write(b"x")
    return Quick.signal(bars, params)


@stratopt.strategy()
def Segfaults(bars, params):
    """Reads address 0."""
    return ctypes.string_at(0)


@stratopt.strategy()
def Aborts(bars, params):
    """Aborts."""
    os.abort()


@stratopt.strategy()
def Exits(bars, params):
    """Leaves without a word."""
    os._exit(7)


@stratopt.strategy()
def KilledOnce(bars, params):
    """Is killed at its first try of a machine, then works."""
    mark = Path(os.environ["STRATOPT_DATA_DIR"]) / "killed-once"
    if not mark.exists():
        mark.write_text("x")
        os.kill(os.getpid(), signal.SIGKILL)
    return (bars.close > bars.open).astype(int)


@numba.njit
def _spin(limit):
    number = 0
    while number < limit:
        number = (number + 1) % 1_000_003
    return number


@numba.njit(nogil=True)
def _spin_without_lock(limit):
    number = 0
    while number < limit:
        number = (number + 1) % 1_000_003
    return number


@stratopt.strategy()
def SpinsWithLock(bars, params):
    """Never returns from native code that holds the interpreter's lock."""
    return np.full(len(bars), _spin(2_000_000))


@stratopt.strategy()
def SpinsWithoutLock(bars, params):
    """Never returns from native code that let the lock go."""
    return np.full(len(bars), _spin_without_lock(2_000_000))


@stratopt.strategy()
def EatsMemory(bars, params):
    """Asks for memory until it gets no more."""
    kept = []
    while True:
        kept.append(np.ones(50_000_000))


@stratopt.strategy()
def GivesNaN(bars, params):
    """Returns NaN."""
    return np.full(len(bars), np.nan)


@stratopt.strategy()
def GivesGenerator(bars, params):
    """Returns something that is no array."""
    return (x for x in range(len(bars)))


@stratopt.strategy()
def GivesTooMuch(bars, params):
    """Returns 200 MB."""
    return np.zeros(200_000_000, dtype=np.int8)


@stratopt.strategy()
def QuotesBytes(bars, params):
    """Raises an error whose text UTF-8 cannot hold."""
    raise ValueError("no file \udcff.csv")


@stratopt.strategy()
def Leaves(bars, params):
    """Asks the interpreter to end."""
    raise SystemExit(3)
