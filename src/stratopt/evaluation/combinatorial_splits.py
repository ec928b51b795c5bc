"""Combinatorial purged cross-validation (Lopez de Prado 2018, ch. 7 and 12): many paths through the same data.

It trains on the future of its test blocks: a distribution of ratios, not a simulation of trading. Its paths share data and are not
independent.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stratopt.errors import StratoptError
from stratopt.kernels.arrays import Int64Array1D, Int64Array2D


@dataclass(frozen=True, eq=False)
class CombinatorialSplit:
    """Positions to train on, int64 (m,), and the test blocks [start, stop) with their group numbers."""

    train: Int64Array1D
    tests: Sequence[tuple[int, int, int]]


@dataclass(frozen=True, kw_only=True)
class CombinatorialPurgedSplits:
    """``groups`` nearly equal blocks of ``length`` bars, ``test_groups`` of them tested in every combination.

    ``purge`` bars on both sides of each test block and ``embargo`` more after it are not trained on.

    >>> splits = CombinatorialPurgedSplits(length=1000, groups=10, test_groups=2)
    >>> splits.split_count, splits.path_count
    (45, 9)
    """

    length: int
    groups: int = 10
    test_groups: int = 2
    purge: int = 0
    embargo: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.test_groups < self.groups <= self.length:
            raise StratoptError(
                f"combinatorial splits need 0 < test_groups < groups <= length, not {self.test_groups}, {self.groups} and {self.length}",
                code="invalid_splits",
            )

    @property
    def split_count(self) -> int:
        """C(groups, test_groups)."""
        return math.comb(self.groups, self.test_groups)

    @property
    def path_count(self) -> int:
        """Complete paths that the tested blocks can be joined to: C(groups, test_groups) * test_groups / groups."""
        return self.split_count * self.test_groups // self.groups

    @property
    def edges(self) -> Sequence[int]:
        """Where the groups begin, and the length: the first groups are one longer where the length does not divide."""
        size, longer = divmod(self.length, self.groups)
        return [group * size + min(group, longer) for group in range(self.groups + 1)]

    def __iter__(self) -> Iterator[CombinatorialSplit]:
        edges = self.edges
        for chosen in itertools.combinations(range(self.groups), self.test_groups):
            free = np.ones(self.length, dtype=bool)
            tests = [(group, edges[group], edges[group + 1]) for group in chosen]
            for _, start, stop in tests:
                free[max(0, start - self.purge) : stop + self.purge + self.embargo] = False
            yield CombinatorialSplit(np.flatnonzero(free), tests)

    def paths(self) -> Int64Array2D:
        """int64 (path_count, groups): the number of the split whose test of a group belongs to the path."""
        found = np.empty((self.path_count, self.groups), dtype=np.int64)
        used = [0] * self.groups
        for number, chosen in enumerate(itertools.combinations(range(self.groups), self.test_groups)):
            for group in chosen:
                found[used[group], group] = number
                used[group] += 1
        return found
