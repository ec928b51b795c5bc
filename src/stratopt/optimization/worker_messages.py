"""What a worker tells the supervisor: taken as it comes in, believed only where it has the form of a word about the attempt at hand.

The strategies of a worker can reach its pipe: they may write to it, or fork a child that answers as well. Nothing of that may stop
the supervisor or be booked to another job.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import orjson

LONGEST_MESSAGE_BYTES = 64 * 2**20
LARGEST_AMOUNT = 2**53
READ_BYTES = 2**18
_LENGTH = struct.Struct("!i")
"""What ``Connection.send_bytes`` writes before a message."""


class Incoming:
    """The messages of one pipe. The rest of one that is not complete is not waited for, as ``Connection.recv_bytes`` would."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._read = bytearray()

    def messages(self) -> Iterator[bytes]:
        """What is complete after one look at a readable pipe. EOFError or OSError at its end, ValueError for what has no length."""
        more = os.read(self._pipe.fileno(), READ_BYTES)
        if not more:
            raise EOFError
        self._read += more
        while len(self._read) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._read)
            if not 0 <= length <= LONGEST_MESSAGE_BYTES:
                raise ValueError(f"a message of {length} bytes; {LONGEST_MESSAGE_BYTES} are the most")
            end = _LENGTH.size + length
            if len(self._read) < end:
                return
            message = bytes(self._read[_LENGTH.size : end])
            del self._read[:end]
            yield message


def parse(data: bytes, attempt: str | None) -> dict[str, Any]:
    """A message about ``attempt``; ValueError for anything else."""
    message = orjson.loads(data)
    if not isinstance(message, dict):
        raise ValueError("it is no object")
    if attempt is None or message.get("attempt") != attempt:
        raise ValueError(f"it is about attempt {message.get('attempt')!r}, not about {attempt!r}")
    wrong = [name for name, has_form in _form(message).items() if not has_form(message.get(name))]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: missing or of the wrong form")
    return message


def with_result(message: dict[str, Any]) -> dict[str, Any]:
    """An answer with its result, which is in a file of its own if it is large. OSError or ValueError when that is no result."""
    if "result_file" not in message:
        return message
    path = Path(message.pop("result_file"))
    result = orjson.loads(path.read_bytes())
    if not _is_result(result):
        raise ValueError(f"{path.name} holds no result")
    path.unlink()
    return {**message, "result": result}


def _form(message: Mapping[str, Any]) -> dict[str, Callable[[Any], bool]]:
    kind = message.get("type")
    if kind == "progress":
        return {"evaluations_done": _is_count, "resources": _is_resources}
    if kind == "succeeded":
        result = {"result_file": _is_text} if "result_file" in message else {"result": _is_result}
        return {**result, "resources": _is_resources}
    if kind == "failed":
        return {"failure": _is_failure, "resources": _is_resources}
    return {"type": lambda _: False}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_AMOUNT


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and _is_amount(value) and value >= 0


def _is_resources(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_amount, value.values()))


def _is_failure(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"code", "message", "context", "traceback"}
        and _is_text(value["code"])
        and _is_text(value["message"])
        and isinstance(value["context"], dict)
        and isinstance(value["traceback"], str | None)
    )


def _is_result(value: Any) -> bool:
    """Whether it has the parts that the server reads when it stores a result."""
    if not isinstance(value, dict) or not isinstance(value.get("out_of_sample"), dict | None):
        return False
    metrics = (value.get("out_of_sample") or {}).get("metrics", {})
    return isinstance(metrics, dict) and isinstance(metrics.get("sharpe_ratio"), int | float | None)
