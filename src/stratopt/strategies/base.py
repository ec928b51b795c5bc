"""What a strategy is: a name, a search space, a warm-up rule and a signal function.

A *signal function* turns bars and parameters into the target position of every bar, known at that bar's close.

compiled   ``signal(bars, params, out)``: ``bars`` float64 (6, n) read-only (rows of ``kernels.arrays``), ``params`` float64 (k + 1,)
           in the order of the space with the direction code last, ``out`` int8 (n,) to be filled with -1, 0 or 1
python     ``signal(bars, params) -> array``: ``bars`` a ``Bars``, ``params`` a dict; any integer array of one target per bar
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np

from stratopt.errors import StrategyError
from stratopt.kernels.arrays import LONG_ONLY, LONG_SHORT, SHORT_ONLY, Float64Array1D, Float64Array2D, Int8Array1D
from stratopt.kernels.jit import jit
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
class Strategy:
    """One strategy of the catalogue or of the operator.

    ``warmup(params)`` is the number of leading bars whose target is always 0 because an indicator is not complete.
    ``needs_volume`` refuses series whose volume is constant.
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

    @cached_property
    def kernel(self) -> Callable[[Float64Array2D, Float64Array1D, Int8Array1D], None]:
        """The compiled signal function (built on first use, then read from the disk cache)."""
        return jit(self.signal)

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
