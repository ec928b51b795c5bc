"""Seeded markets of which it is known what can be earned in them: nothing, or the planted edge of one family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from stratopt.market.bars import Bars

DAILY = 0.01
YEAR = 252
SESSIONS = 2016


def fat_tailed(rng: np.random.Generator, count: int, freedom: float) -> np.ndarray:
    """Student t with variance 1."""
    return rng.standard_t(freedom, count) * np.sqrt((freedom - 2.0) / freedom)


def independent(rng: np.random.Generator, count: int) -> np.ndarray:
    """Nothing but t(5) noise."""
    return DAILY * fat_tailed(rng, count, 5.0)


def clustered(rng: np.random.Generator, count: int) -> np.ndarray:
    """GARCH(1,1) 0.07/0.90 with t(6): volatility comes in clusters, the sign of the next move is unknown."""
    shocks = fat_tailed(rng, count + 200, 6.0)
    variance, found = 1.0, np.empty(shocks.size)
    for t, shock in enumerate(shocks):
        found[t] = np.sqrt(variance) * shock
        variance = 0.03 + 0.07 * found[t] ** 2 + 0.90 * variance
    return DAILY * found[200:]


def drifting(rng: np.random.Generator, count: int) -> np.ndarray:
    """The same with a drift that gives the asset a yearly Sharpe ratio of 1."""
    return clustered(rng, count) + DAILY / np.sqrt(YEAR)


def reverting(phi: float) -> Callable[[np.random.Generator, int], np.ndarray]:
    """AR(1) with a negative coefficient."""

    def make(rng: np.random.Generator, count: int) -> np.ndarray:
        found = fat_tailed(rng, count, 5.0) * np.sqrt(1.0 - phi**2)
        for t in range(1, count):
            found[t] += phi * found[t - 1]
        return DAILY * found

    return make


def trending(sharpe: float) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Drift of that yearly ratio whose sign switches every 60 days on average."""

    def make(rng: np.random.Generator, count: int) -> np.ndarray:
        sign = np.cumprod(np.where(rng.random(count) < 1.0 / 60.0, -1.0, 1.0))
        return DAILY * (fat_tailed(rng, count, 5.0) + sign * sharpe / np.sqrt(YEAR))

    return make


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A market, the sides that may be taken, families with an edge in it and one without."""

    name: str
    returns: Callable[[np.random.Generator, int], np.ndarray]
    direction: str = "long_short"
    edge: tuple[str, ...] = ()

    @property
    def is_null(self) -> bool:
        """Whether nothing can be earned."""
        return not self.edge


REVERTERS, FOLLOWERS = (
    ("Reversion", "Oscillator"),
    ("AverageCross", "PriceMomentum", "ChannelBreak", "CalmTrend", "BandBreak"),
)
SCENARIOS: Mapping[str, Scenario] = {
    s.name: s
    for s in (
        Scenario(name="null-iid", returns=independent),
        Scenario(name="null-garch", returns=clustered),
        Scenario(name="null-drift", returns=drifting, direction="long_only"),
        Scenario(name="mr-0.18", returns=reverting(-0.18), edge=REVERTERS),
        Scenario(name="trend-3.5", returns=trending(3.5), edge=FOLLOWERS),
        Scenario(name="mr-0.11", returns=reverting(-0.11), edge=REVERTERS),
        Scenario(name="trend-2.5", returns=trending(2.5), edge=FOLLOWERS),
        Scenario(name="mr-0.14", returns=reverting(-0.14), edge=REVERTERS),
        Scenario(name="mr-0.08", returns=reverting(-0.08), edge=REVERTERS),
    )
}
CURVE = ("mr-0.08", "mr-0.11", "trend-2.5", "mr-0.14")
"""Markets of which it is only reported how often a small edge is noticed."""
WITHOUT_EDGE = "Calendar"


def market(scenario: Scenario, seed: int, *, symbol: str, sessions: int = SESSIONS) -> Bars:
    """Daily bars on weekdays; the same seed gives the same bars."""
    number = list(SCENARIOS).index(scenario.name)
    returns = scenario.returns(np.random.default_rng([number, seed]), sessions)
    close = 100.0 * np.cumprod(1.0 + np.clip(returns, -0.5, 1.0))
    opens = np.concatenate([[100.0], close[:-1]])
    weekdays = np.arange(sessions) // 5 * 7 + np.arange(sessions) % 5 + 4  # 1970-01-05 is a Monday
    days = (weekdays + 12_000 // 7 * 7) * 86_400_000
    return Bars.from_arrays(
        symbol=symbol,
        timeframe="1d",
        open_time=days,
        open=opens,
        high=np.maximum(opens, close),
        low=np.minimum(opens, close),
        close=close,
        volume=np.ones(sessions),
        calendar="XNYS",
        origin=f"{scenario.name}, seed {seed}",
    )
