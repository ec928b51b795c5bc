"""The canary: a strategy whose past decisions change when later bars are added knows the future, and no statistic would notice."""

from __future__ import annotations

import itertools

import numpy as np

from stratopt.errors import StrategyError
from stratopt.kernels.arrays import Int8Array1D
from stratopt.market.bars import Bars
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Params
from stratopt.strategies.base import Direction, Strategy

PARAMETER_SETS = 3
CUTS = 12
BARS_AFTER_WARMUP = 1500
POINTS = 2000
QUICK_CUTS = 4


def refuse_look_ahead(
    strategy: Strategy, space: ParameterSpace, bars: Bars, *, direction: Direction | str, warmup: int, seed: int
) -> None:
    """Compare the targets of prefixes with those of the whole for a few parameter sets.

    Prefixes end where the target changes, for there a decision was made, and at random bars, always in the second half of what is shown.
    A prefix that the strategy cannot be computed on proves nothing and is passed over; the search tells what is wrong with it.

    Raises
    ------
    StrategyError
        ``look_ahead``: the target of a bar differs once later bars are known.
    """
    shown = bars[: min(len(bars), warmup + BARS_AFTER_WARMUP)]
    rng = np.random.default_rng(seed)
    for params in _parameter_sets(space, rng):
        _compare(strategy, shown, params, direction, rng, CUTS)


def check_look_ahead(
    strategy: Strategy, bars: Bars, params: Params | None = None, *, direction: Direction | str = Direction.LONG_SHORT
) -> None:
    """Raise StrategyError ``look_ahead`` if ``strategy`` decides a bar otherwise once later bars are known.

    A quick form for one parameter set: four or five prefixes of at most 1,500 bars after the warm-up. It finds what shows there; ``optimize``
    looks closer, at more parameter sets and prefixes.

    Examples
    --------
    >>> import stratopt
    >>> from stratopt.strategies.catalogue import get_strategy
    >>> stratopt.check_look_ahead(get_strategy("RSI"), stratopt.load_bars("BTC"))
    """
    complete = strategy.validate(params)
    shown = bars[: min(len(bars), strategy.warmup(complete) + BARS_AFTER_WARMUP)]
    _compare(strategy, shown, complete, direction, np.random.default_rng(0), QUICK_CUTS)


def _compare(
    strategy: Strategy, shown: Bars, params: Params, direction: Direction | str, rng: np.random.Generator, count: int
) -> None:
    whole = _target(strategy, shown, params, direction)
    for cut in () if whole is None else _cuts(whole, rng, count):
        part = _target(strategy, shown[:cut], params, direction)
        if whole is not None and part is not None and not np.array_equal(part, whole[:cut]):
            _refuse(strategy, shown, params, part, whole)


def _target(strategy: Strategy, bars: Bars, params: Params, direction: Direction | str) -> Int8Array1D | None:
    try:
        return strategy.target(bars, params, direction)
    except StrategyError:
        return None


def _parameter_sets(space: ParameterSpace, rng: np.random.Generator) -> list[Params]:
    sets = [space.validate(None)]
    points = list(itertools.islice(space.grid(points_per_range=3), POINTS))
    sets += [points[int(at)] for at in rng.permutation(len(points))[: PARAMETER_SETS - 1]]
    return sets


def _cuts(whole: Int8Array1D, rng: np.random.Generator, count: int) -> list[int]:
    """Lengths of prefixes, shortest first."""
    half = whole.size // 2
    changes = np.flatnonzero(np.diff(whole)) + 2
    changes = changes[changes > half]
    if changes.size > count:
        changes = changes[np.linspace(0, changes.size - 1, count).astype(int)]
    random = rng.integers(half, max(half + 1, whole.size), size=max(1, count // 3))
    return [int(cut) for cut in sorted({*changes.tolist(), *random.tolist()}) if 0 < cut < whole.size]


def _refuse(strategy: Strategy, bars: Bars, params: Params, part: Int8Array1D, whole: Int8Array1D) -> None:
    bar = int(np.argmax(part != whole[: part.size]))
    stamp = np.datetime_as_string(bars.stamps[bar], unit="s")
    raise StrategyError(
        f"{strategy.name} looks ahead: its target for the bar opened at {stamp}Z is {part[bar]} when the series ends {part.size - 1 - bar} "
        f"bars later and {whole[bar]} when more bars follow; compute each target from bars up to its own close only",
        code="look_ahead",
        strategy=strategy.name,
        bar=f"{stamp}Z",
        params=dict(params),
    )
