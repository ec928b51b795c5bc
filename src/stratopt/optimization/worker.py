"""What a worker process runs: payload in, progress and then a result or a failure record out.

The process edge: whatever goes wrong below becomes a ``Failure`` with its reason; nothing is swallowed and nothing is invented.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from contextlib import redirect_stdout
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import orjson

from stratopt.backtest.engine import warm_up as warm_up_engine
from stratopt.errors import StratoptError
from stratopt.market.bars import Bars
from stratopt.market.mapped_file import open_mapped
from stratopt.market.timeframe import Calendar, Timeframe
from stratopt.optimization.artifacts import ArtifactStore, write_when_there_is_room
from stratopt.optimization.job_spec import JobSpec, SearchConfig, ValidationConfig
from stratopt.optimization.jobs import Failure
from stratopt.optimization.printed_lines import PrintedLines
from stratopt.optimization.processes import Meter, alarm_after, keep_freed_memory
from stratopt.optimization.strategy_optimizer import optimize_strategy
from stratopt.optimization.study_checkpoints import StudyCheckpoints
from stratopt.strategies.catalogue import StrategyCatalogue

INLINE_RESULT_BYTES = 65_536
PROGRESS_SECONDS = 0.25


def warm_up() -> None:
    """Load or compile what every job needs, by running a small one, so that forked workers have it."""
    warm_up_engine()
    angle = np.arange(240) / 6.0
    close = 100.0 + 10.0 * np.sin(angle) + np.cos(7.0 * angle)
    volume, stamps = np.arange(1.0, 241.0), np.arange(240) * 86_400_000.0
    bars = Bars(
        "WARMUP",
        Timeframe.parse("1d"),
        Calendar.ALWAYS,
        np.array([close, close + 1.0, close - 1.0, close, volume, stamps]),
    )
    spec = JobSpec(
        strategy_id="warm-up",
        strategy="MovingAverageCrossover",
        symbol=bars.symbol,
        timeframe="1d",
        parameter_space=None,
        search=SearchConfig(max_evals=24),
        validation=ValidationConfig(folds=2),
    )
    optimize_strategy(spec, bars, StrategyCatalogue().get(spec.strategy))


def serve(pipe: Connection) -> None:
    """Run jobs from the pipe until it is closed."""
    keep_freed_memory()
    while True:
        try:
            request = orjson.loads(pipe.recv_bytes())
        except (EOFError, ConnectionResetError):
            return
        alarm_after(request["backstop_seconds"])
        checkpoints = StudyCheckpoints(Path(request["checkpoint_folder"]), request["checkpoint_seconds"])
        answer = run(request, Reporter(pipe, request["attempt"], checkpoints))
        alarm_after(0)
        pipe.send_bytes(_encode(answer, Path(request["artifact_folder"])))


class Reporter:
    """Counts the evaluations of one attempt and what they cost, and tells the supervisor at most four times a second."""

    def __init__(self, pipe: Connection, attempt: str, checkpoints: StudyCheckpoints) -> None:
        self._pipe = pipe
        self.attempt = attempt
        self.checkpoints = checkpoints
        self._meter = Meter()
        self._next = time.monotonic() + PROGRESS_SECONDS
        self._evaluations = 0

    def __call__(self, evaluations_done: int) -> None:
        """Note how many there were so far."""
        self._evaluations = evaluations_done
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PROGRESS_SECONDS
            told = {"evaluations_done": evaluations_done, "resources": self.resources()}
            self._pipe.send_bytes(orjson.dumps({"type": "progress", "attempt": self.attempt, **told}))

    def resources(self) -> dict[str, float]:
        """What the attempt cost so far."""
        used = self._meter.read()
        resumed = min(self.checkpoints.resumed, self._evaluations)
        rate = (self._evaluations - resumed) / used["wall_seconds"] if used["wall_seconds"] else 0.0
        counted = {"evaluations": self._evaluations, "evaluations_resumed": resumed}
        return {**used, **counted, "evaluations_per_second": round(rate, 3)}


def run(request: Mapping[str, Any], reporter: Reporter) -> dict[str, Any]:
    """One attempt: the answer is a result or a failure, with what it cost. It names the attempt, as everything that is told of it."""
    answer: dict[str, Any]
    try:
        with PrintedLines(request["job"]["strategy"]) as printed, redirect_stdout(printed):
            answer = {"type": "succeeded", "result": _optimize(request, reporter)}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the process edge: every failure becomes a record with its reason
        answer = {"type": "failed", "failure": failure_of(error).to_dict()}
    used = {name: value for name, value in reporter.resources().items() if name != "memory_bytes"}
    return {**answer, "attempt": reporter.attempt, "resources": used}


def _optimize(request: Mapping[str, Any], reporter: Reporter) -> dict[str, Any]:
    spec = JobSpec.from_dict(request["job"])
    series = request["bars"]
    bars, others = _open(series), [_open(other) for other in request.get("other_bars", ())]
    folder = request.get("strategy_folder")
    strategies = StrategyCatalogue.with_own(Path(folder) if folder else None)
    optimized = optimize_strategy(
        spec,
        bars,
        strategies.get(spec.strategy),
        other_bars=others,
        on_progress=reporter,
        checkpoints=reporter.checkpoints,
    )
    artifacts = ArtifactStore(Path(request["artifact_folder"]))
    return {
        **optimized.result,
        "artifacts": {name: artifacts.put(columns) for name, columns in optimized.tables.items()},
    }


def _open(series: Mapping[str, Any]) -> Bars:
    return open_mapped(Path(series["file"]), series["symbol"], series["timeframe"], series["calendar"])


def failure_of(error: BaseException) -> Failure:
    """The record of an exception: a known error keeps its code, the rest is told apart by kind."""
    trace = _writable("".join(traceback.format_exception(error)))
    if isinstance(error, StratoptError):
        return Failure(
            code=error.code, message=_writable(error.message), context=_json_safe(error.context), traceback=trace
        )
    if isinstance(error, MemoryError):
        return Failure(
            code="out_of_memory",
            message="the job needed more memory than a worker may use; shorten the date range or raise the limit",
            traceback=trace,
        )
    return Failure(code="internal_error", message=_writable(f"{type(error).__name__}: {error}"), traceback=trace)


def _writable(text: str) -> str:
    """Text that UTF-8 can hold: an exception may quote bytes that were none."""
    return text.encode("utf-8", "backslashreplace").decode()


def _json_safe(context: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dict(orjson.loads(orjson.dumps(context, default=str, option=orjson.OPT_SERIALIZE_NUMPY)))
    except TypeError:  # a key that is no text, a number of more than 64 bits, text that UTF-8 cannot hold
        return {_writable(str(name)): _writable(str(value)) for name, value in context.items()}


def _encode(answer: dict[str, Any], folder: Path) -> bytes:
    try:
        result = orjson.dumps(answer.get("result"), option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as error:
        failure = Failure(code="not_serializable", message=f"the result cannot be written as JSON: {error}")
        told = {name: answer[name] for name in ("attempt", "resources")}
        return orjson.dumps({"type": "failed", "failure": failure.to_dict(), **told})
    if len(result) > INLINE_RESULT_BYTES:
        path = folder / f".result-{uuid4().hex}.json"
        write_when_there_is_room(path, result)
        return orjson.dumps({k: v for k, v in answer.items() if k != "result"} | {"result_file": str(path)})
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
