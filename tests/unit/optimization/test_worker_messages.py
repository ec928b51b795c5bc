"""What is believed of a worker's messages: those of the form that the worker gives them, about the attempt at hand."""

from __future__ import annotations

from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import orjson
import pytest

from stratopt.optimization.worker_messages import LONGEST_MESSAGE_BYTES, Incoming, parse, with_result

RESULT = {"out_of_sample": {"metrics": {"sharpe_ratio": 1.5}}}
FAILURE = {"code": "x", "message": "y", "context": {}, "traceback": None}
PROGRESS = {"type": "progress", "attempt": "a/1", "evaluations_done": 3, "resources": {"wall_seconds": 0.5}}
SUCCEEDED = {"type": "succeeded", "attempt": "a/1", "result": RESULT, "resources": {}}
FAILED = {"type": "failed", "attempt": "a/1", "failure": FAILURE, "resources": {}}


@pytest.mark.parametrize("message", [PROGRESS, SUCCEEDED, FAILED])
def test_a_worker_s_messages_are_read(message: dict[str, Any]) -> None:
    assert parse(orjson.dumps(message), "a/1") == message


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        "progress",
        {**PROGRESS, "attempt": "a/2"},
        {**PROGRESS, "type": "unheard of"},
        {**PROGRESS, "type": ["progress"]},
        {**PROGRESS, "evaluations_done": "3"},
        {**PROGRESS, "evaluations_done": -1},
        {**PROGRESS, "evaluations_done": True},
        {**PROGRESS, "resources": None},
        {**PROGRESS, "resources": {"wall_seconds": "0.5"}},
        {**PROGRESS, "resources": {"evaluations": 1e300}},
        {**SUCCEEDED, "result": []},
        {**SUCCEEDED, "result": {"out_of_sample": "good"}},
        {**SUCCEEDED, "result": {"out_of_sample": {"metrics": []}}},
        {**SUCCEEDED, "result": {"out_of_sample": {"metrics": {"sharpe_ratio": "1.5"}}}},
        {**SUCCEEDED, "result_file": 3},
        {**FAILED, "failure": "bad"},
        {**FAILED, "failure": {**FAILURE, "message": 3}},
        {**FAILED, "failure": {**FAILURE, "context": []}},
        {**FAILED, "failure": {**FAILURE, "more": 1}},
        {**FAILED, "failure": {"code": "x"}},
    ],
)
def test_nothing_else_is_believed(message: Any) -> None:
    with pytest.raises(ValueError):
        parse(orjson.dumps(message), "a/1")


def test_a_worker_without_a_job_has_nothing_to_say() -> None:
    with pytest.raises(ValueError, match="about attempt None"):
        parse(orjson.dumps({**SUCCEEDED, "attempt": None}), None)


def test_messages_are_read_whole_however_they_arrive() -> None:
    ours, theirs = Pipe()
    incoming = Incoming(ours)
    with ours, theirs:
        theirs.send_bytes(b"one")
        theirs.send_bytes(b"")
        theirs._send(b"\x00\x00")  # type: ignore[attr-defined]
        assert list(incoming.messages()) == [b"one", b""]
        theirs._send(b"\x00\x05th")  # type: ignore[attr-defined]
        assert list(incoming.messages()) == []
        theirs._send(b"ree")  # type: ignore[attr-defined]
        assert list(incoming.messages()) == [b"three"]
        theirs._send((LONGEST_MESSAGE_BYTES + 1).to_bytes(4))  # type: ignore[attr-defined]
        with pytest.raises(ValueError, match="are the most"):
            list(incoming.messages())
        theirs.close()
        with pytest.raises(EOFError):
            list(incoming.messages())


def test_a_large_result_comes_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / ".result.json"
    answer = {name: value for name, value in SUCCEEDED.items() if name != "result"}
    path.write_bytes(orjson.dumps([]))
    with pytest.raises(ValueError, match="holds no result"):
        with_result({**answer, "result_file": str(path)})
    path.write_bytes(orjson.dumps(RESULT))
    assert with_result({**answer, "result_file": str(path)}) == SUCCEEDED
    assert not path.exists()
