"""Strategies that reach the pipe of their worker, which is nobody's but the worker's, and one that uses its log."""

import gc
import logging
import os
import time
from multiprocessing.connection import Connection
from pathlib import Path

import orjson

import stratopt


def _pipe():
    (pipe,) = [found for found in gc.get_objects() if isinstance(found, Connection)]
    return pipe


def _say(message):
    """Then wait to be ended for it."""
    _pipe().send_bytes(message)
    time.sleep(60)


@stratopt.strategy()
def SaysNoJSON(bars, params):
    """Sends what is no JSON."""
    _say(b"{")


@stratopt.strategy()
def SaysNoLength(bars, params):
    """Writes bytes where a message has its length."""
    os.write(_pipe().fileno(), b"\xff\xff\xff\xff and so on")
    time.sleep(60)


@stratopt.strategy()
def SaysHalf(bars, params):
    """Begins a message and leaves it at that."""
    os.write(_pipe().fileno(), b"\x00\x00\x00\x40 half of it")
    time.sleep(60)


@stratopt.strategy()
def SaysNothingKnown(bars, params):
    """Sends an object without the names that every message has."""
    _say(orjson.dumps({"type": "succeeded"}))


@stratopt.strategy()
def AnswersForAnother(bars, params):
    """Sends a good answer of a job that its worker does not have."""
    failure = {"code": "x", "message": "y", "context": {}, "traceback": None}
    _say(orjson.dumps({"type": "failed", "attempt": "other/1", "failure": failure, "resources": {}}))


_forked = []


@stratopt.strategy()
def AnswersTwice(bars, params):
    """Forks a child that goes on as its worker does, but only when the file ANSWER_AGAIN is there."""
    if not _forked:
        _forked.append(True)
        worker = os.getpid()
        if os.fork() == 0:
            while not Path(os.environ["ANSWER_AGAIN"]).exists():
                if os.getppid() != worker:
                    os._exit(0)
                time.sleep(0.01)
    return (bars.close > bars.open).astype(int)


@stratopt.strategy()
def TellsSecrets(bars, params):
    """Prints a key, and warns with it."""
    key = "stratopt_" + 32 * "x"
    print(f"found {key}")  # noqa: T201 - that is what is tested
    logging.getLogger("mine").warning("found", extra={"request": {"note": key, "password": "abc"}})
    return (bars.close > bars.open).astype(int)
