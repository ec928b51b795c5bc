"""The state machine that turns conditions into positions."""

from __future__ import annotations

import numpy as np
import pytest

from stratopt.kernels.arrays import LONG_ONLY, LONG_SHORT, SHORT_ONLY
from stratopt.strategies.positions import crossings, level_crossings, merge_sides, next_position


@pytest.mark.parametrize(
    ("before", "conditions", "direction", "after"),
    [
        (0, "L", LONG_ONLY, 1),
        (0, "L", LONG_SHORT, 1),
        (0, "L", SHORT_ONLY, 0),
        (0, "S", LONG_ONLY, 0),
        (0, "S", SHORT_ONLY, -1),
        (1, "l", LONG_ONLY, 0),
        (-1, "s", SHORT_ONLY, 0),
        (1, "S", LONG_ONLY, 1),
        (-1, "L", SHORT_ONLY, -1),
        (1, "S", LONG_SHORT, -1),
        (-1, "L", LONG_SHORT, 1),
        (1, "s", LONG_SHORT, 1),
        (-1, "l", LONG_SHORT, -1),
        (0, "Ll", LONG_ONLY, 0),
        (1, "Ll", LONG_ONLY, 0),
        (0, "LS", LONG_SHORT, 0),
        (1, "LS", LONG_SHORT, 1),
        (1, "lS", LONG_ONLY, 0),
        (1, "", LONG_SHORT, 1),
        (0, "", LONG_SHORT, 0),
    ],
)
def test_next_position(before: int, conditions: str, direction: float, after: int) -> None:
    """L and S enter, l and s leave; a forbidden side neither opens nor closes anything."""
    flags = [letter in conditions for letter in "LlSs"]
    assert next_position(before, *flags, direction) == after


def test_next_position_is_symmetric() -> None:
    """Swapping the sides of every condition negates the result."""
    for before in (-1, 0, 1):
        for bits in range(16):
            enter_long, exit_long, enter_short, exit_short = (bool(bits >> k & 1) for k in range(4))
            straight = next_position(before, enter_long, exit_long, enter_short, exit_short, LONG_SHORT)
            mirror = next_position(-before, enter_short, exit_short, enter_long, exit_long, LONG_SHORT)
            assert straight == -mirror


def test_crossings() -> None:
    """A cross needs a bar on the other side or on the line before it; NaN never crosses."""
    line = np.array([np.nan, 1.0, 3.0, 3.0, 2.0, 1.0, 2.0, 3.0])
    other = np.array([0.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, np.nan])
    assert crossings(line, other).tolist() == [0, 0, 1, 0, 0, -1, 0, 0]
    assert level_crossings(line, 2.0).tolist() == [0, 0, 1, 0, 0, -1, 0, 1]


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        (LONG_ONLY, [0, 1, 1, 1, 0, 0, 1]),
        (SHORT_ONLY, [0, 0, 0, -1, -1, 0, -1]),
        (LONG_SHORT, [0, 1, 1, -1, -1, 0, 0]),
    ],
)
def test_merge_sides(direction: float, expected: list[int]) -> None:
    """The later entry wins, a trade ends with its own rule, two entries at once cancel out."""
    long_side = np.array([0, 1, 1, 1, 0, 0, 1], dtype=np.int8)
    short_side = np.array([0, 0, 0, 1, 1, 0, 1], dtype=np.int8)
    out = np.empty(7, dtype=np.int8)
    merge_sides(long_side, short_side, direction, out)
    assert out.tolist() == expected
