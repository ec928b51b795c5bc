"""Trend following with channels, stops and directional systems: a break or a flip starts the trade."""

from __future__ import annotations

import numpy as np

from stratopt.kernels.arrays import CLOSE, HIGH, LOW, Float64Array1D, Float64Array2D, Int8Array1D
from stratopt.kernels.bands import atr, donchian, supertrend
from stratopt.kernels.directional import directional_system, parabolic_sar
from stratopt.kernels.jit import jit
from stratopt.kernels.oscillators import aroon
from stratopt.kernels.rolling import rolling_max, rolling_min
from stratopt.search.parameter_space import ParameterSpace
from stratopt.strategies.base import Category, Strategy
from stratopt.strategies.positions import crossings, next_position
from stratopt.strategies.ranges import bars, level, positive

TURTLE_ATR_PERIOD = 20
CLOUD_SHIFT_BARS = 26


def _donchian(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    close = matrix[CLOSE]
    entry_high = rolling_max(matrix[HIGH], int(params[0]))
    entry_low = rolling_min(matrix[LOW], int(params[0]))
    exit_high = rolling_max(matrix[HIGH], int(params[1]))
    exit_low = rolling_min(matrix[LOW], int(params[1]))
    width = atr(matrix[HIGH], matrix[LOW], close, TURTLE_ATR_PERIOD)
    stop_long = -np.inf
    stop_short = np.inf
    position = 0
    out[:1] = 0
    for i in range(1, out.size):
        ready = width[i] > 0.0
        target = next_position(
            position,
            ready and close[i] > entry_high[i - 1],
            close[i] < exit_low[i - 1] or (position == 1 and close[i] < stop_long),
            ready and close[i] < entry_low[i - 1],
            close[i] > exit_high[i - 1] or (position == -1 and close[i] > stop_short),
            params[3],
        )
        if target != position:
            stop_long = close[i] - params[2] * width[i]
            stop_short = close[i] + params[2] * width[i]
        position = target
        out[i] = position


DONCHIAN = Strategy(
    name="Donchian",
    category=Category.TREND,
    doc=(
        "Believes that a break out of a range starts a trend. Buys when the close exceeds the highest high of the previous "
        "entry_period bars, sells below the lowest low of the previous exit_period bars or stop_atr ATR(20) below the entry's close; "
        "short mirrored."
    ),
    source="Original Turtle Rules (Faith 2003, 2007)",
    space=ParameterSpace(
        {
            "entry_period": bars(10, 120, 20, minimum=1),
            "exit_period": bars(5, 60, 10, minimum=1, at_most="entry_period"),
            "stop_atr": positive(1.0, 4.0, 2.0),
        }
    ),
    signal=_donchian,
    warmup=lambda p: max(p["entry_period"], TURTLE_ATR_PERIOD),
)


def _adx(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    plus, minus, _, strength = directional_system(matrix[HIGH], matrix[LOW], matrix[CLOSE], int(params[0]))
    cross = crossings(plus, minus)
    position = 0
    for i in range(out.size):
        up = cross[i] == 1
        down = cross[i] == -1
        strong = strength[i] > params[1]
        position = next_position(position, up and strong, down, down and strong, up, params[2])
        out[i] = position


ADX = Strategy(
    name="ADX",
    category=Category.TREND,
    doc=(
        "Believes in a new direction when the market trends at all. Buys when +DI crosses above -DI while ADX exceeds the threshold, "
        "sells when it crosses below; short mirrored."
    ),
    source="Wilder (1978)",
    space=ParameterSpace({"period": bars(5, 40, 14), "threshold": level(10.0, 40.0, 25.0)}),
    signal=_adx,
    warmup=lambda p: 2 * p["period"] - 1,
)


@jit
def _flips(side: Int8Array1D, direction: float, out: Int8Array1D) -> None:
    position = 0
    out[:1] = 0
    for i in range(1, out.size):
        up = side[i - 1] == -1 and side[i] == 1
        down = side[i - 1] == 1 and side[i] == -1
        position = next_position(position, up, down, down, up, direction)
        out[i] = position


def _parabolic_sar(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    _, side = parabolic_sar(matrix[HIGH], matrix[LOW], params[0], params[1])
    _flips(side, params[2], out)


PARABOLIC_SAR = Strategy(
    name="ParabolicSAR",
    category=Category.TREND,
    doc=(
        "Believes that a trend accelerates until its trailing stop is touched. Buys on the bar where the parabolic stop flips below "
        "price, sells on the bar where it flips above; short the other way round."
    ),
    source="Wilder (1978)",
    space=ParameterSpace(
        {
            "step": positive(0.005, 0.05, 0.02, maximum=1.0),
            "maximum": positive(0.1, 0.5, 0.2, maximum=1.0, above="step"),
        }
    ),
    signal=_parabolic_sar,
    warmup=lambda _: 2,
)


def _supertrend(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    _, side = supertrend(matrix[HIGH], matrix[LOW], matrix[CLOSE], int(params[0]), params[1])
    _flips(side, params[2], out)


SUPERTREND = Strategy(
    name="Supertrend",
    category=Category.TREND,
    doc=(
        "Believes that a close beyond a volatility band around the median price starts a trend. Buys when Supertrend turns up, sells "
        "when it turns down; short the other way round."
    ),
    source="TradingView help, Supertrend (Seban)",
    space=ParameterSpace({"period": bars(5, 30, 10), "multiplier": positive(1.0, 6.0, 3.0)}),
    signal=_supertrend,
    warmup=lambda p: p["period"] + 1,
)


def _ichimoku(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    close = matrix[CLOSE]
    _, tenkan, _ = donchian(matrix[HIGH], matrix[LOW], int(params[0]))
    _, kijun, _ = donchian(matrix[HIGH], matrix[LOW], int(params[1]))
    _, span_b, _ = donchian(matrix[HIGH], matrix[LOW], int(params[2]))
    cross = crossings(tenkan, kijun)
    position = 0
    out[:CLOUD_SHIFT_BARS] = 0
    for i in range(CLOUD_SHIFT_BARS, out.size):
        drawn = i - CLOUD_SHIFT_BARS
        span_a = (tenkan[drawn] + kijun[drawn]) / 2.0
        up = cross[i] == 1
        down = cross[i] == -1
        above = close[i] > span_a and close[i] > span_b[drawn]
        below = close[i] < span_a and close[i] < span_b[drawn]
        position = next_position(position, up and above, down, down and below, up, params[3])
        out[i] = position


ICHIMOKU = Strategy(
    name="Ichimoku",
    category=Category.TREND,
    doc=(
        "Believes in a turn of the short balance line that happens on the right side of the cloud. Buys when tenkan crosses above "
        "kijun with the close above the cloud drawn 26 bars back, sells when it crosses below; short mirrored."
    ),
    source="ChartSchool, Ichimoku (Hosoda 1969)",
    space=ParameterSpace(
        {
            "tenkan_period": bars(5, 20, 9, minimum=1),
            "kijun_period": bars(15, 60, 26, above="tenkan_period"),
            "senkou_period": bars(30, 120, 52, above="kijun_period"),
        }
    ),
    signal=_ichimoku,
    warmup=lambda p: p["senkou_period"] - 1 + CLOUD_SHIFT_BARS,
)


def _aroon(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    falling, rising = aroon(matrix[HIGH], matrix[LOW], int(params[0]))
    cross = crossings(rising, falling)
    position = 0
    for i in range(out.size):
        up = cross[i] == 1
        down = cross[i] == -1
        position = next_position(
            position, up and rising[i] > params[1], down, down and falling[i] > params[1], up, params[2]
        )
        out[i] = position


AROON = Strategy(
    name="Aroon",
    category=Category.TREND,
    doc=(
        "Believes that a fresh high after an older low starts a trend. Buys when Aroon up crosses above Aroon down and exceeds the "
        "threshold, sells when it crosses below; short mirrored."
    ),
    source="Chande (1995)",
    space=ParameterSpace({"period": bars(5, 60, 25), "threshold": level(50.0, 100.0, 70.0)}),
    signal=_aroon,
    warmup=lambda p: p["period"] + 1,
)

STRATEGIES = (DONCHIAN, ADX, PARABOLIC_SAR, SUPERTREND, ICHIMOKU, AROON)
