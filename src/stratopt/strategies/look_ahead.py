"""The canary: a strategy whose past decisions change when later bars are added knows the future, and no statistic would notice."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

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
LATER_CUTS = 4
POINTS = 2000
QUICK_CUTS = 4


def refuse_look_ahead(
    strategy: Strategy, space: ParameterSpace, bars: Bars, *, direction: Direction | str, warmup: int, seed: int
) -> None:
    """Compare the targets of prefixes with those of the whole for the defaults and two other parameter sets.

    Prefixes end where the target changes, for there a decision was made, and at random bars: many of them in the first 1,500 bars after the
    warm-up, and some spread over all later bars. A prefix that the strategy cannot be computed on proves nothing and is passed over; the
    search tells what is wrong with it.

    Raises
    ------
    StrategyError
        ``look_ahead``: the target of a bar differs once later bars are known.
    """
    rng = np.random.default_rng(seed)
    for params in _parameter_sets(space, rng):
        _compare_everywhere(strategy, bars, params, direction, warmup, rng)


def refuse_chosen_look_ahead(
    strategy: Strategy,
    points: Sequence[Params],
    bars: Bars,
    *,
    direction: Direction | str,
    warmup: int,
    seed: int,
) -> None:
    """As ``refuse_look_ahead`` for the complete parameter sets that a search chose: what looks ahead only there wins there."""
    rng = np.random.default_rng(seed)
    for params in points:
        _compare_everywhere(strategy, bars, params, direction, warmup, rng)


def check_look_ahead(
    strategy: Strategy, bars: Bars, params: Params | None = None, *, direction: Direction | str = Direction.LONG_SHORT
) -> None:
    """Raise StrategyError ``look_ahead`` if ``strategy`` decides a bar otherwise once later bars are known.

    Looks at one parameter set, as closely as ``optimize`` does at those it starts from and those it chooses: about twenty prefixes, five of
    them spread over the bars after the first 1,500. It finds what shows there.

    Examples
    --------
    >>> import stratopt
    >>> from stratopt.strategies.catalogue import get_strategy
    >>> stratopt.check_look_ahead(get_strategy("RSI"), stratopt.load_bars("BTC"))
    """
    complete = strategy.validate(params)
    warmup = strategy.warmup(complete)
    _compare_everywhere(strategy, bars, complete, direction, warmup, np.random.default_rng(0))


def glance_for_look_ahead(strategy: Strategy, bars: Bars, params: Params | None, *, direction: Direction | str) -> None:
    """A quick form of ``check_look_ahead``: four or five prefixes of at most 1,500 bars after the warm-up."""
    complete = strategy.validate(params)
    shown = bars[: strategy.warmup(complete) + BARS_AFTER_WARMUP]
    _compare(strategy, shown, complete, direction, np.random.default_rng(0), len(shown) // 2, QUICK_CUTS)


def _compare_everywhere(
    strategy: Strategy, bars: Bars, params: Params, direction: Direction | str, warmup: int, rng: np.random.Generator
) -> None:
    """Many short prefixes of the first bars; a few long ones, as each costs as much as an evaluation, of the bars after them."""
    shown = bars[: warmup + BARS_AFTER_WARMUP]
    _compare(strategy, shown, params, direction, rng, len(shown) // 2, CUTS)
    if len(bars) > len(shown):
        _compare(strategy, bars, params, direction, rng, len(shown), LATER_CUTS)


def _compare(
    strategy: Strategy,
    shown: Bars,
    params: Params,
    direction: Direction | str,
    rng: np.random.Generator,
    first: int,
    count: int,
) -> None:
    """Prefixes of more than ``first`` bars: some at random, and ``count`` that end evenly among the changes of the target."""
    whole = _target(strategy, shown, params, direction)
    for cut in () if whole is None else _cuts(whole, rng, first, count):
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


def _cuts(whole: Int8Array1D, rng: np.random.Generator, first: int, count: int) -> list[int]:
    """Lengths of prefixes, shortest first."""
    changes = np.flatnonzero(np.diff(whole)) + 2
    changes = changes[changes > first]
    if changes.size > count:
        changes = changes[np.linspace(0, changes.size - 1, count).astype(int)]
    random = rng.integers(first, max(first + 1, whole.size), size=max(1, count // 3))
    return [int(cut) for cut in sorted({*changes.tolist(), *random.tolist()}) if 0 < cut < whole.size]


def _refuse(strategy: Strategy, bars: Bars, params: Params, part: Int8Array1D, whole: Int8Array1D) -> None:
    bar = int(np.argmax(part != whole[: part.size]))
    stamp = np.datetime_as_string(bars.stamps[bar], unit="s")
    with_params = f" with {', '.join(f'{name}={value!r}' for name, value in params.items())}" if params else ""
    raise StrategyError(
        f"{strategy.name}{with_params} looks ahead: its target for the bar opened at {stamp}Z is {part[bar]} when the series ends {part.size - 1 - bar} "
        f"bars later and {whole[bar]} when more bars follow; compute each target from bars up to its own close only",
        code="look_ahead",
        strategy=strategy.name,
        bar=f"{stamp}Z",
        params=dict(params),
    )
