"""Who waits for a batch is woken when something about it changed."""

from __future__ import annotations

import threading
from collections import Counter


class Revisions:
    """A number for each batch that grows with every change in this process; any thread may read, wait and count."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._numbers: Counter[str] = Counter()

    def of(self, batch_id: str) -> int:
        """The number now; 0 for a batch that nothing is known of."""
        return self._numbers[batch_id]

    def touch(self, batch_id: str) -> None:
        """Something changed."""
        with self._changed:
            self._numbers[batch_id] += 1
            self._changed.notify_all()

    def wait(self, batch_id: str, seen: int, seconds: float) -> int:
        """The number as soon as it is not ``seen``, or whatever it is when somebody is woken or ``seconds`` are over."""
        with self._changed:
            if self._numbers[batch_id] == seen and seconds > 0:
                self._changed.wait(seconds)
            return self._numbers[batch_id]

    def wake(self) -> None:
        """Let everybody who waits look again."""
        with self._changed:
            self._changed.notify_all()

    def forget(self, batch_id: str) -> None:
        """The batch is gone: who waits for it looks again, and its number is no longer kept."""
        with self._changed:
            self._numbers.pop(batch_id, None)
            self._changed.notify_all()
