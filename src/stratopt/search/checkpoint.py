"""A study on paper: enough to continue it, byte for byte, after an interruption."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from stratopt.errors import ParameterSpaceError
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.serializer import ParameterSpaceSerializer
from stratopt.search.study import Outcome, Trial

VERSION = 2


@dataclass(frozen=True, kw_only=True)
class StudySoFar:
    """What an interrupted study had found, and the seconds that it took."""

    trials: Sequence[Trial]
    seconds: float


class Checkpoint:
    """The evaluated trials of one study, and what the study was.

    Engines keep no state of their own here: a study that is resumed asks its engine again from the start and answers from these
    trials (``run_study(known=...)``), which works for every engine and costs no evaluation.

    Parameters
    ----------
    space, algorithm, seed
        What the engine was made from.
    settings : mapping, optional
        Whatever else the course of the study depends on: batch size, budget, start-up trials, objective, data.
    """

    def __init__(
        self, space: ParameterSpace, algorithm: str, seed: int, settings: Mapping[str, Any] | None = None
    ) -> None:
        identity = {
            "space": ParameterSpaceSerializer().to_json(space),
            "algorithm": algorithm,
            "seed": seed,
            "settings": dict(settings or {}),
        }
        self._fingerprint = hashlib.sha256(orjson.dumps(identity, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def write(self, trials: Sequence[Trial], seconds: float = 0.0) -> bytes:
        """The bytes of a checkpoint; facts of outcomes must be JSON values or None."""
        rows = [
            [t.params, t.outcome.score, t.outcome.reason, t.outcome.scores and list(t.outcome.scores), t.outcome.facts]
            for t in trials
        ]
        return orjson.dumps({"version": VERSION, "study": self._fingerprint, "seconds": seconds, "trials": rows})

    def read(self, data: bytes) -> StudySoFar:
        """What a checkpoint holds, or ParameterSpaceError if it is damaged or belongs to another study."""
        try:
            document = orjson.loads(data)
            version, study, rows = document["version"], document["study"], document["trials"]
            seconds = float(document["seconds"])
            trials = [
                Trial(number=k, params=params, outcome=Outcome(score=score, reason=reason, scores=scores, facts=facts))
                for k, (params, score, reason, scores, facts) in enumerate(rows)
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise ParameterSpaceError(
                "the checkpoint is damaged; start the study anew", code="invalid_checkpoint"
            ) from error
        if version != VERSION or study != self._fingerprint:
            raise ParameterSpaceError(
                "the checkpoint belongs to another study (space, algorithm, seed or settings differ); start the study anew",
                code="invalid_checkpoint",
            )
        return StudySoFar(trials=trials, seconds=seconds)
