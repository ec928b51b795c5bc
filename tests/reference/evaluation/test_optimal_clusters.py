"""ONC: planted clusters are found, silhouettes equal scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import silhouette_samples

from stratopt.evaluation.optimal_clusters import optimal_number_of_clusters, silhouettes


def planted(clusters: int, each: int, noise: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    factors = rng.standard_normal((600, clusters))
    return np.repeat(factors, each, axis=1) + noise * rng.standard_normal((600, clusters * each))


@pytest.mark.parametrize("clusters", [2, 4, 7, 12])
@pytest.mark.parametrize("seed", [0, 1])
def test_planted_clusters_are_counted(clusters: int, seed: int) -> None:
    """Trials that share a factor are one cluster, whatever the number of them."""
    assert optimal_number_of_clusters(planted(clusters, 8, 0.4, seed), seed) == clusters


def test_silhouettes_equal_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    points = rng.standard_normal((60, 5))
    labels = rng.integers(0, 4, 60)
    labels[0] = 4  # a point that is alone
    expected = silhouette_samples(points, labels)
    np.testing.assert_allclose(silhouettes(cdist(points, points), labels), expected, atol=1e-12)


def test_too_few_columns_give_none() -> None:
    """Columns that do not vary are no trials."""
    values = planted(2, 1, 0.1, 0)
    assert optimal_number_of_clusters(np.column_stack([values, np.zeros(600)])) is None


def test_the_number_is_a_function_of_columns_and_seed() -> None:
    values = planted(5, 6, 1.5, 2)
    assert optimal_number_of_clusters(values, 1) == optimal_number_of_clusters(values, 1)
