"""Strategies of the operator: a decorator, a folder of Python files, an entry point. Clients send names only, never code."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from stratopt.errors import StrategyError
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Parameter
from stratopt.strategies.base import Category, Strategy

ENTRY_POINT_GROUP = "stratopt.strategies"
Warmup = int | Callable[[Mapping[str, Any]], int] | None


def strategy(
    *,
    name: str | None = None,
    space: ParameterSpace | Mapping[str, Parameter] | None = None,
    warmup: Warmup = None,
    category: Category | str = Category.CUSTOM,
    compiled: bool = False,
    needs_volume: bool = False,
    doc: str | None = None,
    source: str = "",
) -> Callable[[Callable[..., Any]], Strategy]:
    """Make a Strategy of a signal function.

    Parameters
    ----------
    name
        What clients ask for; the function's name by default.
    space
        Parameters to search, a ParameterSpace or a mapping of names to parameters; none by default.
    warmup
        Leading bars whose target is always 0: a number, or a function of the parameters; 0 by default.
    compiled
        False: plain Python ``f(bars, params)`` returning one of -1, 0 and 1 for each bar. True: a function that numba can compile,
        ``f(bars, params, out)`` with the arrays of ``strategies.base``.
    needs_volume
        Refuse series whose volume is constant.
    doc, source
        One paragraph for users (the docstring by default) and where the rule comes from.

    Examples
    --------
    >>> import numpy as np
    >>> from stratopt.search.parameters import IntRange
    >>> @strategy(space={"period": IntRange(2, 50, default=10)}, warmup=lambda p: p["period"])
    ... def HigherClose(bars, params):
    ...     target = np.zeros(len(bars), dtype=int)
    ...     target[params["period"] :] = bars.close[params["period"] :] > bars.close[: -params["period"]]
    ...     return target
    >>> HigherClose.name
    'HigherClose'
    """

    def wrap(function: Callable[..., Any]) -> Strategy:
        signal = getattr(function, "py_func", function)
        chosen = name or str(getattr(signal, "__name__", ""))
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", chosen):
            raise StrategyError(
                f"a strategy's name is a letter and up to 63 letters, digits or _, not {chosen!r}", strategy=chosen
            )
        _check_signature(chosen, signal, compiled)
        return Strategy(
            name=chosen,
            category=Category(category),
            doc=doc or inspect.getdoc(signal) or "",
            source=source,
            space=space if isinstance(space, ParameterSpace) else ParameterSpace(space or {}),
            signal=signal,
            warmup=warmup if callable(warmup) else lambda _: warmup or 0,
            compiled=compiled,
            needs_volume=needs_volume,
        )

    return wrap


def _check_signature(name: str, signal: Callable[..., Any], compiled: bool) -> None:
    arguments = ("bars", "params", "out") if compiled else ("bars", "params")
    try:
        inspect.signature(signal).bind(*arguments)
    except TypeError as error:
        raise StrategyError(
            f"{name} must take ({', '.join(arguments)}), not {inspect.signature(signal)}", strategy=name
        ) from error


def folder_strategies(folder: Path) -> tuple[list[Strategy], list[StrategyError]]:
    """Strategies defined in the folder's ``*.py`` files, and one error for each file that could not be read.

    Each file is imported under a name of its own, so that files cannot shadow packages or each other.
    """
    if not folder.is_dir():
        raise StrategyError(f"the strategy folder {str(folder)!r} does not exist; create it or drop the setting")
    found: list[Strategy] = []
    problems: list[StrategyError] = []
    for path in sorted(folder.glob("*.py")):
        if path.name.startswith("_"):
            continue
        try:
            found.extend(_strategies_of(_import_file(path)))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the operator's code may raise anything; it is reported
            problems.append(_import_problem(path, error))
    return found, problems


def entry_point_strategies() -> tuple[list[Strategy], list[StrategyError]]:
    """Strategies that installed packages offer: an entry point names a Strategy, a module or a list of them."""
    found: list[Strategy] = []
    problems: list[StrategyError] = []
    for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        try:
            found.extend(_strategies_of(point.load()))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as for files
            problems.append(
                _problem(f"entry point {point.name} ({point.value}): {type(error).__name__}: {error}", error)
            )
    return found, problems


def _import_file(path: Path) -> ModuleType:
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    spec = importlib.util.spec_from_file_location(f"stratopt_own_{digest}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise StrategyError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    # Registered while it runs, as an ordinary import would be: dataclasses and pickling look the module up by name.
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


def _strategies_of(offered: object) -> list[Strategy]:
    if isinstance(offered, Strategy):
        return [offered]
    if isinstance(offered, ModuleType):
        own = [v for v in vars(offered).values() if isinstance(v, Strategy) and v.signal.__module__ == offered.__name__]
        return list({id(value): value for value in own}.values())
    if isinstance(offered, Iterable) and not isinstance(offered, str):
        return [found for item in offered for found in _strategies_of(item)]
    raise StrategyError(f"a Strategy, a module or a list of them is needed, not {type(offered).__name__}")


def _import_problem(path: Path, error: BaseException) -> StrategyError:
    line = error.lineno if isinstance(error, SyntaxError) else None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == str(path):
            line = frame.lineno
    place = f"{path}, line {line}" if line else str(path)
    return _problem(f"{place}: {type(error).__name__}: {error}", error, file=str(path), line=line)


def _problem(message: str, cause: BaseException, **context: Any) -> StrategyError:
    problem = StrategyError(message, code="strategy_import_failed", error=type(cause).__name__, **context)
    problem.__cause__ = cause
    return problem
