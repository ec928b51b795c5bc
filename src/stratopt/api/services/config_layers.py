"""What a request says about one strategy, layer over layer: merged into one configuration, and where each field of it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stratopt.wire.base import without_nulls
from stratopt.wire.optimization import StrategyConfig
from stratopt.wire.problems import json_pointer

ALTERNATIVES = (("asset", "symbols"), ("timeframe", "timeframes"))


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Fields that one part of a request says; ``place`` leads to that part in the body."""

    place: tuple[str | int, ...]
    said: Mapping[str, Any]

    @classmethod
    def of(cls, config: StrategyConfig | None, *place: str | int) -> Layer:
        """The fields of ``config`` that are not null: null means "not said"."""
        return cls(place=place, said={} if config is None else without_nulls(config.model_dump()))


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """Later layers win option by option, and parameter by parameter in a space."""
    result: dict[str, Any] = {}
    for layer in layers:
        _replace_alternatives(result, layer.said)
        for key, value in layer.said.items():
            under = result.get(key)
            result[key] = {**under, **value} if isinstance(under, dict) and isinstance(value, dict) else value
    return result


def said_at(layers: Sequence[Layer], *path: str | int) -> str:
    """JSON pointer of a field in the last layer that says it, or its section; in the first where none does."""
    for length in range(len(path), 0, -1):
        for layer in reversed(layers):
            if _says(layer.said, path[:length]):
                return json_pointer(*layer.place, *path)
    return json_pointer(*layers[0].place, *path)


def _says(said: Any, path: Sequence[str | int]) -> bool:
    for part in path:
        if isinstance(said, Mapping) and part not in said:
            return False
        said = said[part] if isinstance(said, Mapping) else said
    return True


def _replace_alternatives(result: dict[str, Any], said: Mapping[str, Any]) -> None:
    """A later ``asset`` replaces earlier ``symbols`` and the other way round; likewise for timeframes."""
    for one, many in ALTERNATIVES:
        if one in said or many in said:
            result.pop(one, None)
            result.pop(many, None)
