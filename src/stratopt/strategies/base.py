"""What a strategy is: a name, a search space, a warm-up rule and a signal function.

A *signal function* turns bars and parameters into the target position of every bar, known at that bar's close.

compiled   ``signal(bars, params, out)``: ``bars`` float64 (6, n) read-only (rows of ``kernels.arrays``), ``params`` float64 (k + 1,)
           in the order of the space with the direction code last, ``out`` int8 (n,) to be filled with -1, 0 or 1
python     ``signal(bars, params) -> array``: ``bars`` a ``Bars``, ``params`` a dict; any integer array of one target per bar
"""

from __future__ import annotations

import hashlib
import inspect
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from stratopt.errors import StrategyError
from stratopt.kernels.arrays import (
    LONG_ONLY,
    LONG_SHORT,
    SHORT_ONLY,
    AnyArray,
    Float64Array1D,
    Float64Array2D,
    Int8Array1D,
)
from stratopt.kernels.signals import Line, Signal, compile_line, compile_signal, fill_targets
from stratopt.market.bars import Bars
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, Fixed, Params


class Category(StrEnum):
    """Families of the catalogue."""

    TREND = "trend"
    MEAN_REVERSION = "mean_reversion"
    MOMENTUM = "momentum"
    VOLUME = "volume"
    VOLATILITY = "volatility"
    PATTERN = "pattern"
    MULTI_TIMEFRAME = "multi_timeframe"
    CUSTOM = "custom"


class Direction(StrEnum):
    """Which sides a strategy may take."""

    LONG_ONLY = "long_only"
    SHORT_ONLY = "short_only"
    LONG_SHORT = "long_short"


DIRECTION_CODES = {Direction.LONG_ONLY: LONG_ONLY, Direction.SHORT_ONLY: SHORT_ONLY, Direction.LONG_SHORT: LONG_SHORT}


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """The rule "hold the side of the last cross of two lines", told so that a sweep computes each distinct line once.

    ``line(bars, key, out)`` writes one line, float64 (n,), NaN before it is complete; ``left`` and ``right`` are the positions in
    the parameter vector that make its key. Must give the same targets as the strategy's signal function.
    """

    line: Callable[..., Any] = field(repr=False)
    left: tuple[int, ...]
    right: tuple[int, ...]

    @cached_property
    def kernel(self) -> Line:
        """The compiled line function."""
        return compile_line(self.line)


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """One strategy of the catalogue or of the operator.

    ``warmup(params)`` is the number of leading bars whose target is always 0 because an indicator is not complete.
    ``needs_volume`` refuses series whose volume is constant. ``crossing`` is a second, faster form of some rules.
    """

    name: str
    category: Category
    doc: str
    source: str
    space: ParameterSpace
    signal: Callable[..., Any] = field(repr=False)
    warmup: Callable[[Mapping[str, Any]], int] = field(repr=False)
    compiled: bool = True
    needs_volume: bool = False
    crossing: Crossing | None = None

    @cached_property
    def kernel(self) -> Signal:
        """The compiled signal function (built on first use, then read from the disk cache)."""
        return compile_signal(self.signal)

    def encode(self, params: Mapping[str, Any], direction: Direction | str = Direction.LONG_ONLY) -> Float64Array1D:
        """``params`` as the vector a compiled signal function takes: options by index, inactive parameters as NaN, direction last."""
        vector = np.full(len(self.space.parameters) + 1, math.nan)
        for position, (name, parameter) in enumerate(self.space.parameters.items()):
            if name not in params:
                continue
            value = params[name]
            if isinstance(parameter, Choice):
                value = list(parameter.options).index(value)
            elif isinstance(parameter, Fixed) and not isinstance(value, int | float):
                raise StrategyError(
                    f"{self.name}: a compiled strategy cannot take the fixed text {name} = {value!r}", parameter=name
                )
            vector[position] = float(value)
        vector[-1] = DIRECTION_CODES[Direction(direction)]
        return vector

    def validate(self, params: Mapping[str, Any] | None) -> Params:
        """``params`` checked and completed with defaults."""
        return self.space.validate(params)

    @cached_property
    def source_hash(self) -> str:
        """sha256 of the signal function's source text, for manifests; StrategyError where there is no source to read."""
        try:
            text = inspect.getsource(self.signal)
        except (OSError, TypeError) as error:
            raise StrategyError(
                f"{self.name}: the source of its signal function cannot be read; define it in a file",
                strategy=self.name,
            ) from error
        return hashlib.sha256(text.encode()).hexdigest()

    def target(
        self, bars: Bars, params: Mapping[str, Any] | None = None, direction: Direction | str = Direction.LONG_ONLY
    ) -> Int8Array1D:
        """The target position of every bar, int8 (n,), checked; ``params`` are completed with defaults.

        A plain Python strategy does not know the direction: sides that it forbids are read as flat.

        Raises
        ------
        ParameterSpaceError
            If a parameter is unknown or out of its domain.
        StrategyError
            If the signal function raises (its error is the cause), calls ``sys.exit`` or returns anything but one of -1, 0 and 1 for each bar.
        """
        target = np.zeros((1, len(bars)), dtype=np.int8)
        self.fill(bars, [self.validate(params)], direction, target)
        return target[0]

    def fill(
        self, bars: Bars, points: Sequence[Mapping[str, Any]], direction: Direction | str, targets: AnyArray
    ) -> None:
        """Targets of many complete parameter sets, in one compiled call (plain Python: one call each).

        ``targets`` int8 (R, at least n), out: one row a point; what lies beyond the bars is 0. Raises as ``target`` does.
        """
        side = Direction(direction)
        if not self.compiled:
            for row, params in enumerate(points):
                targets[row] = 0
                targets[row, : len(bars)] = self._python_target(bars, params, side)
            return
        vectors = np.array([self.encode(params, side) for params in points])
        self.fill_encoded(bars, vectors, targets, example=points[0])

    def fill_encoded(
        self, bars: Bars, vectors: Float64Array2D, targets: AnyArray, *, example: Mapping[str, Any]
    ) -> None:
        """Like ``fill`` of a compiled strategy for vectors of ``encode``, float64 (R, k + 1).

        ``example`` is one of the points, for the message of an error.
        """
        try:
            fill_targets(self.kernel, bars.matrix, vectors, targets)
        except MemoryError:  # told as what it is, not as a fault of the strategy
            raise
        except Exception as error:
            raise self._raised(error, example) from error
        if targets.size and (targets.min() < -1 or targets.max() > 1):
            wrong = int(np.argmax((np.abs(targets.astype(np.int16)) > 1).any(axis=1)))
            check_target(self.name, targets[wrong, : len(bars)], len(bars))

    def _python_target(self, bars: Bars, params: Mapping[str, Any], side: Direction) -> Int8Array1D:
        try:
            returned = self.signal(bars, dict(params))
        except (StrategyError, MemoryError):
            raise
        except (Exception, SystemExit) as error:
            raise self._raised(error, dict(params)) from error
        target = check_target(self.name, returned, len(bars))
        low = 0 if side is Direction.LONG_ONLY else -1
        high = 0 if side is Direction.SHORT_ONLY else 1
        return np.clip(target, low, high).astype(np.int8)

    def _raised(self, error: Exception | SystemExit, params: Mapping[str, Any]) -> StrategyError:
        where = _place(error, self.signal)
        what = f"raised {type(error).__name__}: {str(error)[:500]}{where}"
        if isinstance(error, SystemExit):
            what = f"called sys.exit({str(error)[:500]}), which raised SystemExit{where}; return the targets instead"
        return StrategyError(
            f"{self.name} {what}",
            strategy=self.name,
            error=type(error).__name__,
            params=dict(params),
        )


def check_target(name: str, returned: Any, size: int) -> Int8Array1D:
    """``returned`` as int8 (size,), or StrategyError naming what is wrong with it."""
    try:
        values = np.asarray(returned)
        numbers = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise StrategyError(
            f"{name} must return one whole number a bar, not {type(returned).__name__} {str(returned)[:60]!r}",
            strategy=name,
        ) from error
    if values.shape != (size,):
        raise StrategyError(
            f"{name} must return one target a bar, shape ({size},), not {values.shape}", strategy=name, bars=size
        )
    wrong = (numbers != 0.0) & (np.abs(numbers) != 1.0)
    if wrong.any():
        bar = int(np.argmax(wrong))
        found = "NaN" if np.isnan(numbers[bar]) else f"{numbers[bar]:g}"
        raise StrategyError(
            f"{name} must return -1, 0 or 1 for each bar; bar {bar} is {found} ({int(wrong.sum())} such bars)",
            strategy=name,
            bar=bar,
            value=found,
        )
    return numbers.astype(np.int8)


def _place(error: Exception | SystemExit, signal: Callable[..., Any]) -> str:
    code = getattr(signal, "__code__", None)
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if code is not None and f.filename == code.co_filename
    ]
    return f" (line {frames[-1].lineno} of {Path(frames[-1].filename).name})" if frames else ""
