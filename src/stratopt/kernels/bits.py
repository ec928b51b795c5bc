"""Instructions that the compiler does not find by itself, each with a twin in plain Python for ``STRATOPT_DISABLE_JIT``.

Bits of comparisons come as uint64, bit b for ``bar + b``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from stratopt.kernels.arrays import AnyArray
from stratopt.kernels.jit import COMPILED

WORD_BITS = 64
LANES = 8
LANES_OF_SINGLES = 64
ONE = np.uint64(1)
NO_BITS = np.uint64(0)

_WORD = ir.IntType(WORD_BITS)
_UNDEFINED_FOR_ZERO = ir.Constant(ir.IntType(1), 1)


def _lanes(singles: bool) -> int:
    return LANES_OF_SINGLES if singles else LANES


def _python_lanes(holds: Callable[[float, float], bool]) -> Callable[[AnyArray, AnyArray, int], np.uint64]:
    def compare(left: AnyArray, right: AnyArray, bar: int) -> np.uint64:
        count = _lanes(left.dtype == np.float32)
        return np.uint64(sum(1 << b for b in range(count) if holds(left[bar + b], right[bar + b])))

    return compare


def _compiled_lanes(compare: str) -> Any:
    """A register of doubles or singles at once; ``compare`` is the name of the builder's method that compares, with its operator."""
    ordered, operator = compare.split()

    @intrinsic
    def lanes(_context: Any, left: Any, right: Any, _bar: Any) -> Any:
        singles = left.dtype == types.float32
        count = _lanes(singles)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            vector = ir.VectorType(ir.FloatType() if singles else ir.DoubleType(), count)
            loaded = []
            for argument, kind in zip(arguments[:2], signature.args[:2], strict=True):
                array = context.make_array(kind)(context, builder, argument)
                start = builder.bitcast(builder.gep(array.data, [arguments[2]]), vector.as_pointer())
                loaded.append(builder.load(start, align=4 if singles else 8, typ=vector))
            found = getattr(builder, ordered)(operator, *loaded)
            bits = builder.bitcast(found, ir.IntType(count))
            return bits if count == WORD_BITS else builder.zext(bits, _WORD)

        return types.uint64(left, right, types.int64), generate

    return lanes


def _python_trailing_zeros(word: np.uint64) -> int:
    return (int(word) & -int(word)).bit_length() - 1


@intrinsic
def _compiled_trailing_zeros(_context: Any, word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], _UNDEFINED_FOR_ZERO)

    return types.int64(types.uint64), generate


def _python_highest_bit(number: int) -> int:
    return int(number).bit_length() - 1


def _python_set_bits(word: np.uint64) -> int:
    return int(word).bit_count()


@intrinsic
def _compiled_set_bits(_context: Any, word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@intrinsic
def _compiled_highest_bit(_context: Any, number: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.sub(ir.Constant(_WORD, WORD_BITS - 1), builder.ctlz(arguments[0], _UNDEFINED_FOR_ZERO))

    return types.int64(types.int64), generate


lanes_above: Any = _compiled_lanes("fcmp_ordered >") if COMPILED else _python_lanes(lambda a, b: a > b)
"""``(left, right, bar)``: where ``left`` is above ``right``, for LANES bars of two float64 (n,) or LANES_OF_SINGLES of two float32.

Both C-contiguous.
"""

lanes_without_order: Any = (
    _compiled_lanes("fcmp_unordered ==") if COMPILED else _python_lanes(lambda a, b: not (a > b or a < b))
)
"""``(left, right, bar)``: where the two are equal or one is NaN, for as many bars."""

trailing_zeros: Any = _compiled_trailing_zeros if COMPILED else _python_trailing_zeros
"""Number of the lowest bit of a uint64 that is set; undefined for 0."""

set_bits: Any = _compiled_set_bits if COMPILED else _python_set_bits
"""How many bits of a uint64 are set."""

highest_bit: Any = _compiled_highest_bit if COMPILED else _python_highest_bit
"""Number of the highest bit of an int64 that is set, which is its whole logarithm of base 2; undefined for 0."""
