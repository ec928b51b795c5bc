"""Which bars are searched and which are left untouched."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from stratopt.errors import StratoptError

MINIMUM_BLOCK_BARS = 20


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One search window [train_start, train_stop) and the untouched bars after it [test_start, test_stop), as positions."""

    train_start: int
    train_stop: int
    test_start: int
    test_stop: int


def hold_out(first: int, stop: int, out_of_sample_ratio: float) -> Sequence[Fold]:
    """The last share of the bars [first, stop) is left untouched."""
    return walk_forward(first, stop, out_of_sample_ratio=out_of_sample_ratio, folds=1)


def walk_forward(
    first: int, stop: int, *, out_of_sample_ratio: float = 0.6, folds: int = 6, anchored: bool = True
) -> Sequence[Fold]:
    """Consecutive test blocks, each after the window that is searched for it.

    The last ``out_of_sample_ratio`` of the bars [first, stop) is cut into ``folds`` blocks of nearly equal length; every bar of
    it is tested exactly once. ``anchored`` windows start at ``first`` and grow, rolling ones keep the length of the first.

    Positions are decided on the bar before they are taken, so no gap is needed between the windows (Pardo 2008, ch. 11).

    >>> walk_forward(0, 100, out_of_sample_ratio=0.6, folds=2)
    [Fold(train_start=0, train_stop=40, test_start=40, test_stop=70), Fold(train_start=0, train_stop=70, test_start=70, test_stop=100)]
    """
    length = stop - first
    out_of_sample = round(length * out_of_sample_ratio)
    start = stop - out_of_sample
    if out_of_sample // folds < MINIMUM_BLOCK_BARS or start - first < MINIMUM_BLOCK_BARS:
        raise StratoptError(
            f"{length} scored bars are too few for {folds} out-of-sample block(s) over {out_of_sample_ratio:.0%} of them: each part needs at least "
            f"{MINIMUM_BLOCK_BARS} bars; widen the date range, take a finer timeframe or fewer folds",
            code="insufficient_data",
            bars=length,
            folds=folds,
            minimum_block_bars=MINIMUM_BLOCK_BARS,
        )
    edges = [start + round(out_of_sample * k / folds) for k in range(folds + 1)]
    return [
        Fold(
            train_start=first if anchored else first + edge - start,
            train_stop=edge,
            test_start=edge,
            test_stop=following,
        )
        for edge, following in itertools.pairwise(edges)
    ]
