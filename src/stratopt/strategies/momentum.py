"""Momentum: what moved goes on moving."""

from __future__ import annotations

from stratopt.kernels.arrays import CLOSE, HIGH, LOW, Float64Array1D, Float64Array2D, Int8Array1D
from stratopt.kernels.averages import ema, trix
from stratopt.kernels.oscillators import rate_of_change, true_strength_index, ultimate_oscillator
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, FloatRange
from stratopt.strategies.base import Category, Strategy
from stratopt.strategies.positions import cross_positions, crossings, level_crossings, next_position
from stratopt.strategies.ranges import bars, level


def _momentum(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    close = matrix[CLOSE]
    period = int(params[0])
    every = int(params[1])
    position = 0
    out[:period] = 0
    for i in range(period, out.size):
        if (i - period) % every == 0:
            rose = close[i] > close[i - period]
            fell = close[i] < close[i - period]
            position = next_position(position, rose, fell, fell, rose, params[2])
        out[i] = position


MOMENTUM = Strategy(
    name="Momentum",
    category=Category.MOMENTUM,
    doc=(
        "Believes that a market which rose over a year goes on rising. Every check_every bars (counted from the first complete period) "
        "it holds if the return over the period is positive and leaves if it is negative; short mirrored."
    ),
    source="Moskowitz, Ooi, Pedersen (2012)",
    space=ParameterSpace({"period": bars(20, 300, 252, minimum=1), "check_every": bars(1, 21, 21, minimum=1)}),
    signal=_momentum,
    warmup=lambda p: p["period"],
)


def _roc(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    values = rate_of_change(matrix[CLOSE], int(params[0]))
    enter = params[1]
    leave = params[2]
    rise = level_crossings(values, enter)
    rise_end = level_crossings(values, leave)
    fall = level_crossings(values, -enter)
    fall_end = level_crossings(values, -leave)
    position = 0
    for i in range(out.size):
        position = next_position(
            position,
            rise[i] == 1,
            rise_end[i] == -1,
            fall[i] == -1,
            fall_end[i] == 1,
            params[3],
        )
        out[i] = position


ROC = Strategy(
    name="ROC",
    category=Category.MOMENTUM,
    doc=(
        "Believes that a fast rise goes on. Buys when the rate of change in per cent crosses above the entry threshold, sells when it "
        "crosses below the exit threshold; short mirrored."
    ),
    source="ChartSchool, Rate of Change",
    space=ParameterSpace(
        {
            "period": bars(3, 60, 12, minimum=1),
            "entry_threshold": FloatRange(0.0, 10.0, default=2.0, minimum=-100.0, maximum=1000.0),
            "exit_threshold": FloatRange(
                -5.0, 10.0, default=0.0, minimum=-100.0, maximum=1000.0, at_most="entry_threshold"
            ),
        }
    ),
    signal=_roc,
    warmup=lambda p: p["period"] + 1,
)


def _ultimate_oscillator(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    values = ultimate_oscillator(
        matrix[HIGH], matrix[LOW], matrix[CLOSE], int(params[0]), int(params[1]), int(params[2])
    )
    low = params[3]
    high = params[4]
    low_cross = level_crossings(values, low)
    high_cross = level_crossings(values, high)
    fade = level_crossings(values, 45.0)
    recovery = level_crossings(values, 55.0)
    armed = False
    position = 0
    for i in range(out.size):
        faded = armed and fade[i] == -1
        recovered = armed and recovery[i] == 1
        target = next_position(
            position,
            low_cross[i] == 1,
            position == 1 and (values[i] > high or faded),
            high_cross[i] == -1,
            position == -1 and (values[i] < low or recovered),
            params[5],
        )
        if target != position:
            armed = False
        armed = armed or (target == 1 and values[i] > 50.0) or (target == -1 and values[i] < 50.0)
        position = target
        out[i] = position


ULTIMATE_OSCILLATOR = Strategy(
    name="UltimateOscillator",
    category=Category.MOMENTUM,
    doc=(
        "Believes in buying pressure that returns on three horizons at once. Buys when the oscillator crosses back above the oversold "
        "level, sells above the overbought level or when it crosses below 45 after having been above 50; short mirrored (55, 50)."
    ),
    source="Williams (1985)",
    space=ParameterSpace(
        {
            "short_period": bars(4, 12, 7, minimum=1),
            "medium_period": bars(8, 30, 14, above="short_period"),
            "long_period": bars(16, 60, 28, above="medium_period"),
            "oversold": level(20.0, 40.0, 30.0),
            "overbought": level(60.0, 80.0, 70.0, above="oversold"),
        }
    ),
    signal=_ultimate_oscillator,
    warmup=lambda p: p["long_period"] + 1,
)


def _trix(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    period = int(params[0])
    line = trix(matrix[CLOSE], period)
    cross_positions(line, ema(line, int(params[1]), 3 * (period - 1) + 1), params[2], out)


TRIX = Strategy(
    name="TRIX",
    category=Category.MOMENTUM,
    doc=(
        "Believes in the turn of a momentum that three averages freed from noise. Buys when TRIX crosses above its signal (an EMA of "
        "it), sells when it crosses below; short the other way round."
    ),
    source="Hutson (1983); ChartSchool, TRIX",
    space=ParameterSpace({"period": bars(5, 30, 15), "signal_period": bars(3, 20, 9)}),
    signal=_trix,
    warmup=lambda p: 3 * (p["period"] - 1) + 1 + p["signal_period"],
)


def _tsi(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    short = int(params[0])
    long = int(params[1])
    line = true_strength_index(matrix[CLOSE], long, short)
    signal = ema(line, int(params[2]), long + short - 1)
    below_zero_only = params[3] == 1.0
    cross = crossings(line, signal)
    position = 0
    for i in range(out.size):
        up = cross[i] == 1
        down = cross[i] == -1
        enter_long = up and (not below_zero_only or line[i] < 0.0)
        enter_short = down and (not below_zero_only or line[i] > 0.0)
        position = next_position(position, enter_long, down, enter_short, up, params[4])
        out[i] = position


TSI = Strategy(
    name="TSI",
    category=Category.MOMENTUM,
    doc=(
        "Believes in the turn of a doubly smoothed momentum. Buys when the true strength index crosses above its signal (with "
        "require_counter_side only below 0), sells when it crosses below; short mirrored."
    ),
    source="Blau (1991)",
    space=ParameterSpace(
        {
            "short_period": bars(5, 20, 13),
            "long_period": bars(10, 40, 25, above="short_period"),
            "signal_period": bars(3, 15, 7),
            "require_counter_side": Choice((False, True), default=False),
        }
    ),
    signal=_tsi,
    warmup=lambda p: p["long_period"] + p["short_period"] - 1 + p["signal_period"],
)

STRATEGIES = (MOMENTUM, ROC, ULTIMATE_OSCILLATOR, TRIX, TSI)
