"""Strategies that fail in every way that a worker must survive or be killed for."""

import ctypes
import os
import signal
import struct
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numba
import numpy as np
import psutil

import stratopt
from stratopt.optimization import worker

DATA_DIR = Path(os.environ.get("STRATOPT_DATA_DIR", "."))


def _first_time(name):
    mark = DATA_DIR / name
    if mark.exists():
        return False
    mark.write_text("x")
    return True


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
    if _first_time("killed-once"):
        os.kill(os.getpid(), signal.SIGKILL)
    return (bars.close > bars.open).astype(int)


@stratopt.strategy()
def KilledAtItsAnswer(bars, params):
    """At its first try its worker is killed with half of the result in the pipe, then it works."""
    if _first_time("killed-at-its-answer"):

        def send_half(pipe, message):
            if b'"type":"succeeded"' in message:
                os.write(pipe.fileno(), struct.pack("!i", len(message)) + message[: len(message) // 2])
                os.kill(os.getpid(), signal.SIGKILL)

        Connection.send_bytes = send_half
    return (bars.close > bars.open).astype(int)


@stratopt.strategy()
def KilledAtItsTables(bars, params):
    """At its first try its worker is killed when a table is written but not yet named, then it works."""
    if _first_time("killed-at-its-tables"):
        Path.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    return (bars.close > bars.open).astype(int)


@stratopt.strategy()
def EndsServerAtItsResult(bars, params):
    """At its first try it kills the server when its tables and its result are written and nothing is told of them."""
    if _first_time("ended-server"):
        encode = worker._encode

        def encode_and_kill(answer, folder):
            encode(answer, folder)
            os.kill(psutil.Process().parent().ppid(), signal.SIGKILL)
            signal.pause()

        worker.INLINE_RESULT_BYTES, worker._encode = 0, encode_and_kill
    return (bars.close > bars.open).astype(int)


@stratopt.strategy()
def DiesBeforeTheLimit(bars, params):
    """Dies at once, and at its second try at the moment that a file says."""
    if not _first_time("died-once"):
        moment = DATA_DIR / "moment-to-die"
        while not moment.exists():
            time.sleep(0.01)
        time.sleep(max(0.0, float(moment.read_text()) - time.time()))
    os._exit(7)


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
