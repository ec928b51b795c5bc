"""What the searches of a job have found so far, on disk, so that another attempt goes on where a killed one was.

Any attempt of the same job may read what an earlier one wrote: the trials are a function of the job, and a file that was written for
anything else (other data, other code) does not fit its fingerprint and is ignored.
"""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from stratopt.backtest.scorer import Score, Scores
from stratopt.errors import ParameterSpaceError
from stratopt.optimization.artifacts import DISK_FULL, write_bytes
from stratopt.search.checkpoint import Checkpoint, StudySoFar
from stratopt.search.study import StudyResult, Trial

log = logging.getLogger(__name__)
NOTHING = StudySoFar(trials=(), seconds=0.0)
SHARE_OF_TIME = 0.05
"""Writing takes at most this share of a search."""


class StudyCheckpoints:
    """One file a search in the folder of one job. Nothing is written before the job has run for ``seconds``.

    ``resumed`` counts the trials that were read instead of evaluated.
    """

    def __init__(self, folder: Path, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._seconds = seconds
        self._clock = clock
        self._next = clock() + seconds
        self.resumed = 0

    def of(self, number: int, checkpoint: Checkpoint) -> SavedSearch:
        """One search of the job."""
        return SavedSearch(self, self._folder / f"search{number}.json", checkpoint)

    @property
    def is_used(self) -> bool:
        """Whether anything was written, by this attempt or an earlier one, or is due."""
        return self._folder.exists() or self.is_due()

    def is_due(self) -> bool:
        """Whether the last time of writing was long enough ago."""
        return self._clock() >= self._next

    def write(self, path: Path, data: Callable[[], bytes]) -> None:
        """Write a file; the next time comes the later, the longer this took. On a full disk the job goes on without it."""
        began = self._clock()
        try:
            write_bytes(path, data())
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            log.warning("disk_full", extra={"file": path.name, "held": False, "reason": str(error)})
        ended = self._clock()
        self._next = ended + max(self._seconds, (ended - began) / SHARE_OF_TIME)


class SavedSearch:
    """The file of one search."""

    def __init__(self, job: StudyCheckpoints, path: Path, checkpoint: Checkpoint) -> None:
        self._job, self._path, self._checkpoint = job, path, checkpoint

    def known(self) -> StudySoFar:
        """What an earlier attempt left; nothing where there is no file that fits."""
        with suppress(FileNotFoundError, ParameterSpaceError):
            left = self._checkpoint.read(self._path.read_bytes())
            self._job.resumed += len(left.trials)
            return replace(left, trials=[_unpacked(trial) for trial in left.trials])
        return NOTHING

    def keep(self, trials: Sequence[Trial], seconds: float) -> None:
        """Write the trials so far, if it is time."""
        if self._job.is_due():
            self._write(trials, seconds)

    def finish(self, study: StudyResult) -> None:
        """The search has ended: write it whole, so that only what follows is repeated."""
        if self._job.is_used:
            self._write(study.trials, study.seconds)

    def _write(self, trials: Sequence[Trial], seconds: float) -> None:
        self._job.write(self._path, lambda: self._checkpoint.write([_packed(trial) for trial in trials], seconds))


def _packed(trial: Trial) -> Trial:
    """The trial with the exact bytes of its scores, NaN included, as text."""
    score = trial.outcome.facts
    values, blocks = (np.ascontiguousarray(part, dtype=np.float64) for part in (score.values, score.blocks))
    facts = [base64.b64encode(part.tobytes()).decode() for part in (values, blocks)]
    return replace(trial, outcome=replace(trial.outcome, facts=facts))


def _unpacked(trial: Trial) -> Trial:
    values, blocks = (np.frombuffer(base64.b64decode(text), dtype=np.float64) for text in trial.outcome.facts)
    score = Score(Scores(values[None, :], blocks.reshape(1, 3, -1)), 0)
    return replace(trial, outcome=replace(trial.outcome, facts=score))
