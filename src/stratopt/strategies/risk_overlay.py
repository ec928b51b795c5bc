"""The risk overlay that can be searched together with any strategy: stops, targets, holding time, sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, FloatRange, IntRange

_KINDS = ("none", "pct", "atr")
_DISTANCES = ("stop_loss", "take_profit", "trailing_stop")

RISK_OVERLAY = ParameterSpace(
    {
        "stop_loss": Choice(_KINDS, default="none"),
        "stop_loss_pct": FloatRange(0.005, 0.15, default=0.05, when={"stop_loss": "pct"}, minimum=1e-6, maximum=0.99),
        "stop_loss_atr": FloatRange(1.0, 5.0, default=2.0, when={"stop_loss": "atr"}, minimum=1e-6, maximum=100.0),
        "take_profit": Choice(_KINDS, default="none"),
        "take_profit_pct": FloatRange(0.005, 0.3, default=0.1, when={"take_profit": "pct"}, minimum=1e-6, maximum=0.99),
        "take_profit_atr": FloatRange(1.0, 10.0, default=4.0, when={"take_profit": "atr"}, minimum=1e-6, maximum=100.0),
        "trailing_stop": Choice(_KINDS, default="none"),
        "trailing_stop_pct": FloatRange(
            0.005, 0.15, default=0.05, when={"trailing_stop": "pct"}, minimum=1e-6, maximum=0.99
        ),
        "trailing_stop_atr": FloatRange(
            1.0, 5.0, default=3.0, when={"trailing_stop": "atr"}, minimum=1e-6, maximum=100.0
        ),
        "limit_holding": Choice((False, True), default=False),
        "max_holding_bars": IntRange(1, 100, log=True, default=20, when={"limit_holding": True}, maximum=1_000_000),
        "direction": Choice(("long_only", "short_only", "long_short"), default="long_only"),
    }
)
"""Stop loss, take profit and trailing stop (none, a fraction of price, or a multiple of ATR), holding time and sides."""


def execution_fields(params: Mapping[str, Any]) -> dict[str, Any]:
    """The overlay's parameters as fields of an execution: fractions, multiples of ATR, bars; None is off.

    >>> execution_fields({"stop_loss": "pct", "stop_loss_pct": 0.05, "direction": "long_only"})["stop_loss_pct"]
    0.05
    """
    complete = RISK_OVERLAY.validate(params)
    fields: dict[str, Any] = {
        f"{name}_{kind}": complete.get(f"{name}_{kind}") for name in _DISTANCES for kind in _KINDS[1:]
    }
    fields["max_holding_bars"] = complete.get("max_holding_bars")
    fields["direction"] = complete["direction"]
    return fields
