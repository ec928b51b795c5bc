"""The one compile decorator: cache policy and the switch that turns compilation off.

``STRATOPT_DISABLE_JIT=1`` leaves every kernel plain Python (for coverage and debugging; the numbers are the same).
Kernels are compiled in float64 without ``fastmath``, so that results do not depend on the compiler's mood.

The disk cache is keyed by content: a function is compiled again when its file, or any kernel file that this one imports, holds
other text. Times of files say nothing in an installed wheel, and functions that call each other are compiled into one another.
Only one process compiles or loads at a time (``flock`` beside the cache), because parallel writers of numba's cache mix up entries.
"""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

_njit: Any = numba.njit  # its stubs do not know every option

COMPILED = os.environ.get("STRATOPT_DISABLE_JIT", "") not in {"1", "true"}

_PACKAGE = Path(__file__).parent.parent
_IMPORT = re.compile(r"^\s*from stratopt\.(kernels|strategies)(?:\.(\w+))? import (.+?)$", re.MULTILINE)


def jit(function: Function) -> Function:
    """Compile ``function`` on first call (nopython, GIL released, cached on disk)."""
    return _compiled(function)


def jit_bare(function: Function) -> Function:
    """Like ``jit`` for a function that allocates nothing and keeps no array: reference counting is left out.

    Counting the arrays at each call cost the engine two thirds of its time (58 of 76 microseconds for 2,148 bars). A function
    that does allocate is refused when it compiles.
    """
    return _compiled(function, _nrt=False)


def jit_inlined(function: Function) -> Function:
    """Like ``jit_bare`` for a step of the engine, always expanded in its caller.

    A call hands over seven words for each array; expanding the steps halved the time of an event (14.7 to 7.9 microseconds for
    a hundred).
    """
    return _compiled(function, _nrt=False, forceinline=True)


def jit_for(function: Function, *argument_types: Any) -> Function:
    """Compile ``function`` now for these numba types and no others, so that nothing compiles inside a request."""
    dispatcher: Any = _compiled(function)
    if COMPILED:
        dispatcher.compile(argument_types)
        dispatcher.disable_compile()
    return dispatcher


def _compiled(function: Function, **options: Any) -> Function:
    if not COMPILED:
        return function
    dispatcher = _njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    source = inspect.getsourcefile(function)
    assert source, "numba found no source either"
    dispatcher._cache._cache_file._source_stamp = _stamp(Path(source))
    _lock_compilation(dispatcher)
    return dispatcher


@cache
def _stamp(file: Path) -> str:
    """Hash of the text of a file and of the kernel files that it imports, directly or not."""
    found: dict[Path, bytes] = {}
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path in found or not path.is_file():
            continue
        found[path] = path.read_bytes()
        for folder, module, names in _IMPORT.findall(found[path].decode()):
            modules = [module] if module else re.findall(r"(\w+)(?: as \w+)?", names)
            waiting.extend(_PACKAGE / folder / f"{name}.py" for name in modules)
    digest = hashlib.sha256()
    for path in sorted(found):
        digest.update(path.name.encode() + found[path])
    return digest.hexdigest()


_held = threading.RLock()
_depth = 0


def _lock_compilation(dispatcher: Any) -> None:
    compile_alone = dispatcher.compile

    def compile_locked(signature: Any) -> Any:
        with _one_process_at_a_time(Path(dispatcher._cache.cache_path)):
            return compile_alone(signature)

    dispatcher.compile = compile_locked


@contextmanager
def _one_process_at_a_time(folder: Path) -> Iterator[None]:
    # Compiling a function compiles those it calls, perhaps of another folder: one lock, held once, serves them all.
    global _depth  # noqa: PLW0603 - how deep this process is in its own lock
    with _held:
        _depth += 1
        try:
            if _depth > 1:
                yield
                return
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "stratopt.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        finally:
            _depth -= 1
