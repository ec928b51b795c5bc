"""ONC: the number of clusters that correlated trials fall into (Lopez de Prado & Lewis 2019, base step). For display, never for a verdict."""

from __future__ import annotations

import numpy as np

from stratopt.evaluation.bootstrap import Seed
from stratopt.kernels.arrays import AnyArray, Float64Array1D, Float64Array2D

MOST_CLUSTERS = 20
STARTS = 3
FEWEST_COLUMNS = 3
NEGLIGIBLE = 1e-12


def optimal_number_of_clusters(returns: AnyArray, seed: Seed = 0) -> int | None:
    """Clusters, 2 to 20, whose silhouettes have the largest mean over deviation.

    ``returns`` float (T, N): columns that do not vary are left out. Each trial is a point whose coordinates are its distances
    sqrt((1 - correlation) / 2) to all trials; k-means runs from three starts for each number. None for fewer than three varying columns.
    Costs N^2 a start and number: pass a hundred columns, not thousands.
    """
    from scipy.cluster.vq import (
        ClusterError,
        kmeans2,
    )  # costs a fifth of a second, which no start of a server should wait for
    from scipy.spatial.distance import cdist

    points = _distances(np.asarray(returns, dtype=np.float64))
    count = points.shape[0]
    if count < FEWEST_COLUMNS:
        return None
    between = cdist(points, points)
    rng = np.random.default_rng(seed)
    best, found = -np.inf, None
    for clusters in range(2, min(MOST_CLUSTERS, count - 1) + 1):
        for _ in range(STARTS):
            try:
                with np.errstate(invalid="ignore"):  # points that coincide leave no distance to draw the next start by
                    labels = kmeans2(points, clusters, minit="++", missing="raise", rng=rng)[1]
            except ClusterError:  # a start that left a cluster empty
                continue
            values = silhouettes(between, labels)
            deviation = float(values.std())
            quality = float(values.mean()) / deviation if deviation > NEGLIGIBLE else np.inf
            if quality > best:
                best, found = quality, clusters
    return found


def silhouettes(between: Float64Array2D, labels: AnyArray) -> Float64Array1D:
    """(b - a) / max(a, b) of each point, float64 (N,): a is its mean distance to its own cluster, b to the nearest other one; 0 when alone."""
    members = np.eye(int(labels.max()) + 1)[labels]
    sizes = members.sum(axis=0)
    sums = between @ members
    own = sizes[labels]
    inside = sums[np.arange(labels.size), labels] / np.maximum(own - 1, 1)
    means = sums / np.maximum(sizes, 1)
    means[:, sizes == 0] = np.inf
    means[np.arange(labels.size), labels] = np.inf
    outside = means.min(axis=1)
    values = (outside - inside) / np.maximum(np.maximum(inside, outside), NEGLIGIBLE)
    return np.where(own > 1, values, 0.0)


def _distances(returns: Float64Array2D) -> Float64Array2D:
    centred = returns - returns.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    unit = centred[:, norms > NEGLIGIBLE] / norms[norms > NEGLIGIBLE]
    return np.sqrt(np.maximum(1.0 - unit.T @ unit, 0.0) / 2.0)
