"""The risk overlay: branches of the space and the execution fields they become."""

from __future__ import annotations

import numpy as np
import pytest

from stratopt.backtest.execution import Execution
from stratopt.strategies.risk_overlay import RISK_OVERLAY, execution_fields

OFF = {
    "stop_loss_pct": None,
    "stop_loss_atr": None,
    "take_profit_pct": None,
    "take_profit_atr": None,
    "trailing_stop_pct": None,
    "trailing_stop_atr": None,
    "max_holding_bars": None,
    "direction": "long_only",
}


def test_everything_is_off_by_default() -> None:
    """Without choices there is no stop, no target and no holding limit."""
    assert execution_fields({}) == OFF


@pytest.mark.parametrize("distance", ["stop_loss", "take_profit", "trailing_stop"])
@pytest.mark.parametrize("kind", ["pct", "atr"])
def test_each_distance_has_one_unit(distance: str, kind: str) -> None:
    """A distance in one unit leaves the other unit off."""
    name = f"{distance}_{kind}"
    value = 0.04 if kind == "pct" else 2.5
    fields = execution_fields({distance: kind, name: value})
    assert fields == {**OFF, name: value}


def test_holding_limit_and_direction() -> None:
    """The holding time counts only when it is switched on."""
    fields = execution_fields({"limit_holding": True, "max_holding_bars": 7, "direction": "long_short"})
    assert fields == {**OFF, "max_holding_bars": 7, "direction": "long_short"}


def test_every_drawn_point_is_an_execution() -> None:
    """All branches give fields that the engine's Execution accepts."""
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(200):
        drawn = {
            name: float(rng.integers(latent.count))
            if latent.kind == "categorical"
            else float(rng.uniform(latent.low, latent.high))
            for name, latent in RISK_OVERLAY.latents().items()
        }
        fields = execution_fields(RISK_OVERLAY.resolve(drawn))
        Execution(**fields)
        seen |= {name for name, value in fields.items() if value is not None}
    assert seen == set(OFF)
