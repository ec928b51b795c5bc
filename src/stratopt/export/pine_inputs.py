"""Parameters of a strategy as inputs of a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stratopt.errors import ExportError
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, IntRange, Range
from stratopt.strategies.base import Strategy

MOST_BARS_BACK = 5000
"""Bars that a script may look back, by TradingView's rules."""
SPARE_BARS = 100
FEWEST_BARS_BACK = 500
"""So that an input can be raised by hand."""


def literal(value: Any) -> str:
    """A value as Pine writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)


def input_lines(space: ParameterSpace, params: Mapping[str, Any]) -> Sequence[str]:
    """One input a parameter, then the conditions between them; a parameter that is not active keeps its default."""
    lines = [_input(name, parameter, params) for name, parameter in space.parameters.items()]
    for name, parameter in space.parameters.items():
        for parent, sign, words in _bounds(parameter):
            lines += [
                f"if not ({name} {sign} {parent})",
                f'    runtime.error("{name} must be {words} {parent}")',
            ]
    return lines


def lookback_bars(strategy: Strategy, params: Mapping[str, Any]) -> int:
    """Bars that the script may have to look back; ExportError if a script cannot look back so far."""
    periods = {name: value for name, value in params.items() if isinstance(strategy.space.parameters[name], IntRange)}
    longest = max(periods, key=lambda name: periods[name], default=None)
    if longest is not None and periods[longest] > MOST_BARS_BACK - SPARE_BARS:
        raise ExportError(
            f"{strategy.name} cannot be exported with {longest} = {periods[longest]}: a Pine script looks back at most {MOST_BARS_BACK} bars; "
            "take a shorter period",
            strategy=strategy.name,
            parameter=longest,
        )
    return min(max(2 * int(sum(periods.values())) + SPARE_BARS, FEWEST_BARS_BACK), MOST_BARS_BACK)


def _input(name: str, parameter: Any, params: Mapping[str, Any]) -> str:
    value = params.get(name, getattr(parameter, "default", None))
    if isinstance(parameter, Choice):
        if isinstance(value, bool):
            return f'{name} = input.bool({literal(value)}, "{name}")'
        kind = "string" if isinstance(value, str) else "float"
        options = ", ".join(literal(option) for option in parameter.options)
        return f'{name} = input.{kind}({literal(value)}, "{name}", options = [{options}])'
    kind = "int" if isinstance(parameter, IntRange) else "float"
    number = int(value) if kind == "int" else float(value)
    limits = "".join(
        f", {word} = {literal(limit)}"
        for word, limit in (("minval", parameter.minimum), ("maxval", _largest(parameter)))
        if limit is not None
    )
    return f'{name} = input.{kind}({literal(number)}, "{name}"{limits})'


def _largest(parameter: Range) -> float | None:
    if isinstance(parameter, IntRange) and parameter.maximum is not None:
        return min(parameter.maximum, MOST_BARS_BACK - SPARE_BARS)
    return parameter.maximum


def _bounds(parameter: Any) -> list[tuple[str, str, str]]:
    """Parent, sign and words of what a parameter promises about another one."""
    if not isinstance(parameter, Range):
        return []
    above = parameter.above or parameter.ratio_of
    found = [(above, ">", "above")] if above else []
    return [*found, (parameter.at_most, "<=", "at most")] if parameter.at_most else found
