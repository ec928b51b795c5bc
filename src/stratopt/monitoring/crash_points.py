"""Where tests pull the plug: named points in the code at which the process kills itself."""

from __future__ import annotations

import os
import signal


class CrashPoint:
    """SIGKILL at the ``count``-th time a point is reached; ``spec`` is ``name`` or ``name:count``, None does nothing."""

    def __init__(self, spec: str | None) -> None:
        self._name, _, count = (spec or "").partition(":")
        self._left = int(count or 1)

    def reach(self, point: str) -> None:
        """Die here if this is the one."""
        if point == self._name:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
