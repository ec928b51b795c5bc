"""What holds for every strategy of the catalogue, whatever its rule."""

from __future__ import annotations

import zlib
from functools import cache
from typing import Any

import numpy as np
import pytest

from stratopt import load_bars
from stratopt.errors import ParameterSpaceError
from stratopt.kernels.arrays import CLOSE, OPEN, VOLUME
from stratopt.market.bars import Bars
from stratopt.search.parameters import Choice, Range
from stratopt.strategies.base import DIRECTION_CODES, Direction, Strategy
from stratopt.strategies.catalogue import BUILT_IN

every_strategy = pytest.mark.parametrize("strategy", BUILT_IN, ids=lambda s: s.name)
UNSET = np.int8(77)


@cache
def daily() -> Bars:
    """Ten years of a stock, daily."""
    return load_bars("GOOG", "1d")


@cache
def hourly() -> Bars:
    """Three months of Bitcoin, hourly, with volume."""
    return load_bars("BTCUSD", "1h")[:2200]


def sampled(strategy: Strategy, count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Random points of the space, drawn as an engine draws them, and the defaults."""
    rng = np.random.default_rng([seed, zlib.crc32(strategy.name.encode())])
    points = [strategy.space.defaults()]
    for _ in range(count):
        drawn: dict[str, float] = {}
        for name, latent in strategy.space.latents().items():
            if latent.kind == "categorical":
                drawn[name] = float(rng.integers(latent.count))
            else:
                drawn[name] = float(rng.uniform(latent.low, latent.high))
        points.append(strategy.space.resolve(drawn))
    return points


def signals(strategy: Strategy, matrix: Any, params: dict[str, Any], direction: Direction) -> Any:
    """The kernel's output into an array that it must fill wholly."""
    out = np.full(matrix.shape[1], UNSET, dtype=np.int8)
    strategy.kernel(matrix, strategy.encode(params, direction), out)
    assert np.isin(out, (-1, 0, 1)).all(), f"not filled: {np.flatnonzero(out == UNSET)[:5]}"
    return out


def readonly(matrix: Any) -> Any:
    """A contiguous copy that kernels cannot change."""
    copy = np.ascontiguousarray(matrix)
    copy.flags.writeable = False
    return copy


@every_strategy
def test_prefixes_give_the_same_signals(strategy: Strategy) -> None:
    """Bars after i never change the signal of bar i: no look-ahead, for any parameters and sides."""
    rng = np.random.default_rng(7)
    for bars in (daily(), hourly()):
        for params in sampled(strategy, 6, seed=1):
            whole = signals(strategy, bars.matrix, params, Direction.LONG_SHORT)
            for cut in (1, 37, 260, *rng.integers(300, len(bars), 5)):
                part = signals(strategy, readonly(bars.matrix[:, :cut]), params, Direction.LONG_SHORT)
                np.testing.assert_array_equal(part, whole[:cut])


@every_strategy
def test_changed_future_changes_nothing_before(strategy: Strategy) -> None:
    """Signals up to a bar stay when all later prices are others (a prefix alone would not see a read of the array's end)."""
    matrix = daily().matrix.copy()
    split = 1500
    matrix[OPEN : VOLUME + 1, split:] = matrix[OPEN : VOLUME + 1, split:][:, ::-1] * 3.0
    for params in sampled(strategy, 3, seed=2):
        whole = signals(strategy, daily().matrix, params, Direction.LONG_SHORT)
        other = signals(strategy, readonly(matrix), params, Direction.LONG_SHORT)
        np.testing.assert_array_equal(other[:split], whole[:split])


@every_strategy
@pytest.mark.parametrize("bars", [daily, hourly], ids=["GOOG 1d", "BTCUSD 1h"])
def test_trades_on_real_data_with_defaults(strategy: Strategy, bars: Any) -> None:
    """The defaults enter and leave at least once on a daily stock and on hourly crypto."""
    target = strategy.target(bars()).astype(int)
    steps = np.diff(target, prepend=0)
    assert (steps == 1).sum() >= 1
    assert (steps == -1).sum() >= 1


@every_strategy
def test_warm_up_bars_are_flat(strategy: Strategy) -> None:
    """No target before ``warmup(params)``, and the warm-up is not much longer than it must be."""
    earliest = 10**9
    for params in sampled(strategy, 12, seed=3):
        warmup = strategy.warmup(params)
        assert isinstance(warmup, int)
        for bars in (daily(), hourly()):
            target = signals(strategy, bars.matrix, params, Direction.LONG_SHORT)
            assert not target[:warmup].any()
            if target.any():
                earliest = min(earliest, int(np.argmax(target != 0)) - warmup)
    assert earliest <= 250


@every_strategy
def test_sampled_parameters_are_valid_and_never_raise(strategy: Strategy) -> None:
    """Every drawn point passes validation unchanged and runs on 0 to 50 bars, all sides."""
    for params in sampled(strategy, 15, seed=4):
        assert strategy.validate(params) == params
        for n in (0, 1, 2, 3, 5, 8, 13, 21, 34, 50):
            for direction in Direction:
                signals(strategy, readonly(hourly().matrix[:, :n]), params, direction)


@every_strategy
@pytest.mark.parametrize("end", ["minimum", "maximum"])
def test_smallest_and_largest_parameters_by_hand_run(strategy: Strategy, end: str) -> None:
    """What a caller may pass by hand, the smallest and the largest of each parameter, breaks no kernel."""
    params: dict[str, Any] = {}
    for name, parameter in strategy.space.parameters.items():
        if isinstance(parameter, Choice):
            params[name] = parameter.options[0 if end == "minimum" else -1]
        elif isinstance(parameter, Range) and strategy.space.is_active(name, params):
            params[name] = getattr(parameter, end)
    complete = strategy.validate(_spread_apart(strategy, params, end))
    for direction in Direction:
        signals(strategy, readonly(daily().matrix[:, :400]), complete, direction)


def _spread_apart(strategy: Strategy, params: dict[str, Any], end: str) -> dict[str, Any]:
    """Related parameters moved just so far that each exceeds the one it must exceed."""
    names = [n for n, p in strategy.space.parameters.items() if isinstance(p, Range) and n in params]
    for name in names if end == "minimum" else reversed(names):
        parameter = strategy.space.parameters[name]
        floor = parameter.above or parameter.ratio_of
        step = 1 if isinstance(params[name], int) else 0.01
        if floor and end == "minimum":
            params[name] = max(params[name], params[floor] + step)
        elif floor:
            params[floor] = min(params[floor], params[name] - step)
        if parameter.at_most:
            params[name] = min(params[name], params[parameter.at_most])
    return params


@every_strategy
def test_values_below_the_minimum_are_refused(strategy: Strategy) -> None:
    """A period of 0 or a level out of its scale is refused before it reaches a kernel."""
    defaults = strategy.space.defaults()
    for name, parameter in strategy.space.parameters.items():
        if isinstance(parameter, Range) and name in defaults:
            assert parameter.minimum is not None
            assert parameter.maximum is not None
            for bad in (parameter.minimum - 1, parameter.maximum + 1):
                with pytest.raises(ParameterSpaceError, match=name):
                    strategy.validate({**defaults, name: bad})


@every_strategy
def test_directions(strategy: Strategy) -> None:
    """Long only is never short, short only is never long, and both allowed uses both sides."""
    seen = set()
    for params in sampled(strategy, 4, seed=5):
        for bars in (daily(), hourly()):
            assert signals(strategy, bars.matrix, params, Direction.LONG_ONLY).min() >= 0
            assert signals(strategy, bars.matrix, params, Direction.SHORT_ONLY).max() <= 0
            seen |= set(signals(strategy, bars.matrix, params, Direction.LONG_SHORT).tolist())
    assert seen == {-1, 0, 1}


# Rules of sums and differences of prices are exact mirrors when prices are reflected. Those of price ratios (bands in per cent, ROC,
# TRIX, pivots, double bottoms) are not, nor are Supertrend and the parabolic stop, which by convention start upwards.
MIRRORED = [
    "MovingAverageCrossover",
    "MACD",
    "MovingAverageRibbon",
    "Donchian",
    "ADX",
    "Ichimoku",
    "Aroon",
    "RSI",
    "BollingerBands",
    "ZScore",
    "Stochastic",
    "RSI2",
    "CCI",
    "Momentum",
    "TSI",
    "CMF",
    "ATR",
    "BollingerSqueeze",
    "KeltnerChannel",
    "FibonacciRetracement",
    "SupportResistance",
    "MTFTrendAnalysis",
    "MTFMACD",
    "MTFRSI",
    "UltimateOscillator",
    "WilliamsR",
    "KAMA",
]


@pytest.mark.parametrize("name", MIRRORED)
def test_reflected_prices_swap_the_sides(name: str) -> None:
    """On prices reflected at a level (p becomes 2c - p) the long-and-short signals change sign: the short side is the mirror."""
    strategy = next(s for s in BUILT_IN if s.name == name)
    rng = np.random.default_rng(11)
    n = 1500
    close = 1000.0 + np.cumsum(rng.normal(0.0, 4.0, n))
    before = np.concatenate([close[:1], close[:-1]])
    high = np.maximum(before, close) + np.abs(rng.normal(0, 2.0, n))
    low = np.minimum(before, close) - np.abs(rng.normal(0, 2.0, n))
    rest = [rng.uniform(1.0, 9.0, n), np.arange(n) * 86_400_000.0]
    plain = readonly(np.vstack([before, high, low, close, *rest]))
    reflected = readonly(np.vstack([2000.0 - before, 2000.0 - low, 2000.0 - high, 2000.0 - close, *rest]))
    params = strategy.space.defaults()
    for straight, mirror in (
        (Direction.LONG_SHORT, Direction.LONG_SHORT),
        (Direction.LONG_ONLY, Direction.SHORT_ONLY),
    ):
        target = signals(strategy, plain, params, straight)
        np.testing.assert_array_equal(signals(strategy, reflected, params, mirror), -target)
        assert target.any()


@pytest.mark.parametrize("strategy", [s for s in BUILT_IN if s.name != "ParabolicSAR"], ids=lambda s: s.name)
def test_flat_prices_give_no_position(strategy: Strategy) -> None:
    """A market that does not move is not traded (but by the parabolic stop, which reverses whenever it is touched)."""
    matrix = daily().matrix.copy()
    matrix[OPEN : CLOSE + 1] = 100.1
    assert not signals(strategy, readonly(matrix), strategy.space.defaults(), Direction.LONG_SHORT).any()


@every_strategy
def test_described(strategy: Strategy) -> None:
    """Each strategy says what it believes, when it enters and leaves, and where it comes from."""
    assert strategy.doc.startswith("Believes ")
    assert "Buys" in strategy.doc or "buys" in strategy.doc or "holds" in strategy.doc or "Holds" in strategy.doc
    assert strategy.source
    assert len(strategy.source_hash) == 64
    assert set(DIRECTION_CODES) == set(Direction)
    for name in strategy.space.parameters:
        assert name == name.lower()
