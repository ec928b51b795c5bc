"""A strategy for people and programs: what it believes, its search space, its defaults."""

from __future__ import annotations

from typing import Any

from stratopt.search.serializer import ParameterSpaceSerializer
from stratopt.strategies.base import Strategy


def describe(strategy: Strategy) -> dict[str, Any]:
    """JSON-safe description."""
    defaults = strategy.space.defaults()
    return {
        "name": strategy.name,
        "category": strategy.category.value,
        "doc": strategy.doc,
        "source": strategy.source,
        "needs_volume": strategy.needs_volume,
        "compiled": strategy.compiled,
        "defaults": defaults,
        "default_warmup_bars": strategy.warmup(defaults),
        "parameter_space": ParameterSpaceSerializer().to_json(strategy.space),
    }
