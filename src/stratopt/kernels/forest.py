"""Extremely randomised regression trees, small: what a search learned about its parameters is read off them.

Reference: Geurts, Ernst, Wehenkel (2006), *Extremely randomized trees*.
"""

from __future__ import annotations

import numpy as np

from stratopt.kernels.arrays import AnyArray, Float64Array1D, Float64Array2D, Int64Array1D
from stratopt.kernels.jit import jit

FEATURE, LEFT, RIGHT = range(3)


@jit
def grow_tree(
    generator: np.random.Generator,
    points: Float64Array2D,
    targets: Float64Array1D,
    fewest: int,
    links: AnyArray,
    numbers: Float64Array2D,
) -> int:
    """Grow one tree on ``points`` (n, d) and ``targets`` (n,); a leaf has at least ``fewest`` points.

    ``links`` int64 (3, 2n) gets the feature (-1 at a leaf) and the children of each node, ``numbers`` float64 (2, 2n) its threshold
    and its mean. The number of nodes is returned.
    """
    count, features = points.shape
    members = np.arange(count)
    spare = np.empty(count, dtype=np.int64)
    ends = np.empty((2 * count, 2), dtype=np.int64)
    ends[0, 0], ends[0, 1] = 0, count
    nodes, node = 1, 0
    while node < nodes:
        first, last = ends[node, 0], ends[node, 1]
        total = 0.0
        for i in range(first, last):
            total += targets[members[i]]
        numbers[1, node] = total / (last - first)
        feature, threshold = _best_split(generator, points, targets, members, first, last, total, fewest, features)
        links[FEATURE, node] = feature
        if feature >= 0:
            low, high = first, last
            for i in range(first, last):
                if points[members[i], feature] < threshold:
                    spare[low] = members[i]
                    low += 1
                else:
                    high -= 1
                    spare[high] = members[i]
            members[first:last] = spare[first:last]
            numbers[0, node] = threshold
            links[LEFT, node], links[RIGHT, node] = nodes, nodes + 1
            ends[nodes, 0], ends[nodes, 1] = first, low
            ends[nodes + 1, 0], ends[nodes + 1, 1] = low, last
            nodes += 2
        node += 1
    return nodes


@jit
def _best_split(
    generator: np.random.Generator,
    points: Float64Array2D,
    targets: Float64Array1D,
    members: Int64Array1D,
    first: int,
    last: int,
    total: float,
    fewest: int,
    features: int,
) -> tuple[int, float]:
    """The feature and threshold, one random threshold a feature, that separate the means most; -1 where none is possible."""
    size = last - first
    feature, best, at = -1, 1e-12, 0.0
    if size < 2 * fewest:
        return feature, at
    for f in range(features):
        low, high = np.inf, -np.inf
        for i in range(first, last):
            low, high = min(low, points[members[i], f]), max(high, points[members[i], f])
        threshold = low + generator.random() * (high - low)
        if not low < threshold:
            continue
        left, part = 0, 0.0
        for i in range(first, last):
            if points[members[i], f] < threshold:
                left += 1
                part += targets[members[i]]
        if left < fewest or size - left < fewest:
            continue
        rest = total - part
        gain = part * part / left + rest * rest / (size - left) - total * total / size
        if gain > best:
            feature, best, at = f, gain, threshold
    return feature, at


@jit
def add_predictions(points: Float64Array2D, links: AnyArray, numbers: Float64Array2D, out: Float64Array1D) -> None:
    """Add the tree's prediction for each of ``points`` (n, d) to ``out`` (n,)."""
    for i in range(points.shape[0]):
        node = 0
        while links[FEATURE, node] >= 0:
            right = points[i, links[FEATURE, node]] >= numbers[0, node]
            node = links[RIGHT, node] if right else links[LEFT, node]
        out[i] += numbers[1, node]


@jit
def permutation_changes(
    generator: np.random.Generator, points: Float64Array2D, targets: Float64Array1D, trees: int, fewest: int
) -> Float64Array1D:
    """Mean squared change of a forest's prediction when one feature is shuffled among the points, float64 (d,)."""
    count, features = points.shape
    plain = np.zeros(count)
    shuffled = np.zeros((features, count))
    links, numbers = np.empty((3, 2 * count), dtype=np.int64), np.empty((2, 2 * count))
    mixed = points.copy()
    for _ in range(trees):
        grow_tree(generator, points, targets, fewest, links, numbers)
        add_predictions(points, links, numbers, plain)
        for f in range(features):
            order = generator.permutation(count)
            for i in range(count):
                mixed[i, f] = points[order[i], f]
            add_predictions(mixed, links, numbers, shuffled[f])
            mixed[:, f] = points[:, f]
    changes = np.empty(features)
    for f in range(features):
        changes[f] = ((shuffled[f] - plain) ** 2).mean() / trees**2
    return changes
