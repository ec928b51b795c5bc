"""Is the best point a plateau or a spike? Description, not proof: choosing plateaus did not raise results out of sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stratopt.kernels.arrays import Float64Array1D, Float64Array2D

FEWEST_NEIGHBOURS = 5
SPIKE = 0.5


@dataclass(frozen=True, kw_only=True)
class Plateau:
    """Scores around the best point: mean of its neighbours over its own, the share of them above 0, and whether it stands alone."""

    ratio: float | None
    positive_share: float
    neighbours: int
    is_spike: bool


def plateau(params: Sequence[Mapping[str, Any]], scores: Sequence[float | None]) -> Plateau | None:
    """Neighbourhood of the best-scored point among trials; None for fewer than six scored ones.

    The max(5, N/10) nearest trials are taken in the space of ranks: each numeric parameter is replaced by its rank in [0, 1], a choice
    differs by 1 or not at all, a parameter that is not active in both differs by 1. ``ratio`` is None where the best score is not positive.
    """
    known = [(p, s) for p, s in zip(params, scores, strict=True) if s is not None]
    if len(known) <= FEWEST_NEIGHBOURS:
        return None
    points = _distances([p for p, _ in known])
    values = np.array([s for _, s in known])
    best = int(np.argmax(values))
    count = max(FEWEST_NEIGHBOURS, len(known) // 10)
    order = np.argsort(points[best], kind="stable")
    near = values[order[order != best][:count]]
    peak = float(values[best])
    ratio = float(near.mean()) / peak if peak > 0 else None
    return Plateau(
        ratio=ratio,
        positive_share=float(np.mean(near > 0)),
        neighbours=near.size,
        is_spike=ratio is None or ratio < SPIKE,
    )


def _distances(points: Sequence[Mapping[str, Any]]) -> Float64Array2D:
    """Distance of every point to every other, summed over parameters."""
    total = np.zeros((len(points), len(points)))
    for name in sorted({name for point in points for name in point}):
        values = [point.get(name) for point in points]
        active = np.array([value is not None for value in values])
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values if v is not None):
            rank = np.zeros(len(points))
            rank[active] = _mean_ranks([v for v in values if v is not None]) / max(1, int(active.sum()))
            apart = np.abs(rank[:, None] - rank[None, :])
        else:
            texts = np.array([str(v) for v in values])
            apart = (texts[:, None] != texts[None, :]).astype(np.float64)
        both = active[:, None] & active[None, :]
        total += np.where(both, apart, np.where(active[:, None] == active[None, :], 0.0, 1.0)) ** 2
    return total


def _mean_ranks(values: Sequence[float]) -> Float64Array1D:
    """Ranks from 1, equal values sharing their mean rank. Written out because scipy.stats takes half a second to import."""
    _, position, counts = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2.0)[position]
