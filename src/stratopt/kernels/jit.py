"""The one compile decorator: cache policy and the switch that turns compilation off.

``STRATOPT_DISABLE_JIT=1`` leaves every kernel plain Python (for coverage and debugging; the numbers are the same).
Kernels are compiled in float64 without ``fastmath``, so that results do not depend on the compiler's mood.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

_njit: Any = numba.njit  # its stubs do not know every option

COMPILED = os.environ.get("STRATOPT_DISABLE_JIT", "") not in {"1", "true"}


def jit(function: Function) -> Function:
    """Compile ``function`` on first call (nopython, GIL released, cached on disk)."""
    if not COMPILED:
        return function
    return _stamped(_njit(cache=True, nogil=True, error_model="numpy")(function))


def jit_bare(function: Function) -> Function:
    """Like ``jit`` for a function that allocates nothing and keeps no array: reference counting is left out.

    Counting the arrays at each call cost the engine two thirds of its time (58 of 76 microseconds for 2,148 bars). A function
    that does allocate is refused when it compiles.
    """
    if not COMPILED:
        return function
    return _stamped(_njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(function))


def _source_stamp() -> tuple[tuple[str, int, int], ...]:
    package = Path(__file__).parent.parent
    files = sorted([*package.glob("kernels/*.py"), *package.glob("strategies/*.py")])
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)


SOURCE_STAMP = _source_stamp()


def _stamped(dispatcher: Any) -> Any:
    # numba looks only at the file of the function itself. Functions that call each other are compiled into one another, so a change
    # in one file must refuse what other files have in the disk cache, or old code would go on running after an update.
    index = dispatcher._cache._cache_file
    index._source_stamp = (index._source_stamp, SOURCE_STAMP)
    return dispatcher
