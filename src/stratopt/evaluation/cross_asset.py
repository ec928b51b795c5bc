"""Parameters found on one asset, tried unchanged on others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def independent_assets(count: int, mean_correlation: float) -> float:
    """Number of independent assets that ``count`` correlated ones are worth: n / (1 + (n - 1) c).

    >>> round(independent_assets(10, 0.7), 1)
    1.4
    """
    return count / (1.0 + (count - 1) * max(0.0, mean_correlation)) if count else 0.0


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """What the frozen parameters did elsewhere: assets with a ratio, share above 0, mean ratio and its error."""

    assets: int
    positive_share: float | None
    mean_sharpe: float | None
    standard_error: float | None
    independent_assets: float


def transfer(sharpes: Sequence[float | None], years: Sequence[float], mean_correlation: float) -> Transfer:
    """Summary over assets; the error of the mean counts only independent evidence."""
    known = [(s, y) for s, y in zip(sharpes, years, strict=True) if s is not None]
    if not known:
        return Transfer(assets=0, positive_share=None, mean_sharpe=None, standard_error=None, independent_assets=0.0)
    worth = independent_assets(len(known), mean_correlation)
    return Transfer(
        assets=len(known),
        positive_share=float(np.mean([s > 0 for s, _ in known])),
        mean_sharpe=float(np.mean([s for s, _ in known])),
        standard_error=1.0 / math.sqrt(worth * float(np.mean([y for _, y in known]))),
        independent_assets=worth,
    )
