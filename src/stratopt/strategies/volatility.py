"""Volatility: quiet markets wake up, and an unusual move out of a range goes on."""

from __future__ import annotations

import numpy as np

from stratopt.kernels.arrays import CLOSE, HIGH, LOW, Float64Array1D, Float64Array2D, Int8Array1D
from stratopt.kernels.averages import linear_regression
from stratopt.kernels.bands import atr, historical_volatility, keltner
from stratopt.kernels.jit import jit
from stratopt.kernels.rolling import blank, rolling_max, rolling_mean_std, rolling_min
from stratopt.search.parameter_space import ParameterSpace
from stratopt.strategies.base import Category, Strategy
from stratopt.strategies.positions import crossings, next_position
from stratopt.strategies.ranges import bars, positive

CONTRACTION_ATR_PERIOD = 10
CONTRACTION_STOP_ATR = 2.0


def _atr(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    high, low, close = matrix[HIGH], matrix[LOW], matrix[CLOSE]
    width = atr(high, low, close, int(params[0]))
    highest = -np.inf
    lowest = np.inf
    position = 0
    out[:1] = 0
    for i in range(1, out.size):
        highest = max(highest, high[i])
        lowest = min(lowest, low[i])
        move = close[i] - close[i - 1]
        target = next_position(
            position,
            move > params[1] * width[i - 1],
            position == 1 and close[i] < highest - params[2] * width[i],
            move < -params[1] * width[i - 1],
            position == -1 and close[i] > lowest + params[2] * width[i],
            params[3],
        )
        if target != position:
            highest = high[i]
            lowest = low[i]
        position = target
        out[i] = position


ATR = Strategy(
    name="ATR",
    category=Category.VOLATILITY,
    doc=(
        "Believes that a bar much larger than usual starts a move. Buys when the close exceeds the previous close by multiplier ATR, "
        "sells when it falls trail_multiplier ATR below the highest high since the entry (chandelier); short mirrored."
    ),
    source="Wilder (1978), volatility system; Williams (1999)",
    space=ParameterSpace(
        {
            "period": bars(5, 30, 14, minimum=1),
            "multiplier": positive(0.5, 4.0, 1.5),
            "trail_multiplier": positive(1.5, 5.0, 3.0),
        }
    ),
    signal=_atr,
    warmup=lambda p: p["period"] + 1,
)


@jit
def squeeze_momentum(
    high: Float64Array1D, low: Float64Array1D, close: Float64Array1D, mean: Float64Array1D, period: int
) -> Float64Array1D:
    """End of the regression line through the close's distance from the middle of its range and mean; first at ``2 period - 2``."""
    highest = rolling_max(high, period)
    lowest = rolling_min(low, period)
    n = close.size
    distance = blank(n, period - 1)
    for i in range(period - 1, n):
        distance[i] = close[i] - ((highest[i] + lowest[i]) / 2.0 + mean[i]) / 2.0
    return linear_regression(distance, period, period - 1)[0]


def _bollinger_squeeze(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    high, low, close = matrix[HIGH], matrix[LOW], matrix[CLOSE]
    period = int(params[0])
    mean, deviation = rolling_mean_std(close, period, 0)
    width = atr(high, low, close, period)
    speed = squeeze_momentum(high, low, close, mean, period)
    squeezed = 0
    position = 0
    out[:2] = 0
    for i in range(2, out.size):
        inside = params[1] * deviation[i] < params[2] * width[i]
        released = squeezed >= int(params[3]) and not inside
        fading = speed[i] < speed[i - 1] and speed[i - 1] < speed[i - 2]
        growing = speed[i] > speed[i - 1] and speed[i - 1] > speed[i - 2]
        position = next_position(
            position, released and speed[i] > 0.0, fading, released and speed[i] < 0.0, growing, params[4]
        )
        squeezed = squeezed + 1 if inside else 0
        out[i] = position


BOLLINGER_SQUEEZE = Strategy(
    name="BollingerSqueeze",
    category=Category.VOLATILITY,
    doc=(
        "Believes that a quiet market breaks out in the direction of its momentum. The market is quiet while the Bollinger bands lie "
        "inside the Keltner channel around the same SMA; on the first bar outside after min_squeeze_bars quiet ones it buys if momentum "
        "is positive, and sells when momentum fell on two bars in a row; short mirrored."
    ),
    source="Carter (2005); ChartSchool, TTM Squeeze",
    space=ParameterSpace(
        {
            "period": bars(10, 40, 20),
            "bb_num_std": positive(1.5, 3.0, 2.0),
            "kc_multiplier": positive(1.0, 2.5, 1.5),
            "min_squeeze_bars": bars(1, 10, 3, minimum=1),
        }
    ),
    signal=_bollinger_squeeze,
    warmup=lambda p: max(2 * p["period"] - 2, p["period"] + p["min_squeeze_bars"]),
)


def _keltner_channel(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    close = matrix[CLOSE]
    upper, middle, lower = keltner(matrix[HIGH], matrix[LOW], close, int(params[0]), int(params[2]), params[1])
    upper_cross = crossings(close, upper)
    lower_cross = crossings(close, lower)
    position = 0
    for i in range(out.size):
        position = next_position(
            position,
            upper_cross[i] == 1,
            close[i] < middle[i],
            lower_cross[i] == -1,
            close[i] > middle[i],
            params[3],
        )
        out[i] = position


KELTNER_CHANNEL = Strategy(
    name="KeltnerChannel",
    category=Category.VOLATILITY,
    doc=(
        "Believes that a close outside its usual range starts a trend. Buys when the close crosses above the upper Keltner channel, "
        "sells when it closes below the middle; short mirrored."
    ),
    source="Keltner (1960); ChartSchool, Keltner Channels",
    space=ParameterSpace(
        {
            "period": bars(10, 50, 20),
            "multiplier": positive(1.0, 4.0, 2.0),
            "atr_period": bars(5, 30, 10, minimum=1),
        }
    ),
    signal=_keltner_channel,
    warmup=lambda p: max(p["period"] - 1, p["atr_period"]) + 1,
)


@jit
def _is_narrow(high: Float64Array1D, low: Float64Array1D, i: int) -> bool:
    """An inside bar, or the narrowest range of the last four bars (NR4). Needs i >= 3."""
    span = high[i] - low[i]
    narrowest = span < high[i - 1] - low[i - 1] and span < high[i - 2] - low[i - 2] and span < high[i - 3] - low[i - 3]
    return narrowest or (high[i] < high[i - 1] and low[i] > low[i - 1])


def _historical_volatility(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    high, low, close = matrix[HIGH], matrix[LOW], matrix[CLOSE]
    short = historical_volatility(close, int(params[0]))
    long = historical_volatility(close, int(params[1]))
    width = atr(high, low, close, CONTRACTION_ATR_PERIOD)
    patience = int(params[3])
    setup = -1
    entry = 0
    stop_long = -np.inf
    stop_short = np.inf
    position = 0
    out[:4] = 0
    for i in range(4, out.size):
        if short[i - 1] < params[2] * long[i - 1] and _is_narrow(high, low, i - 1):
            setup = i - 1
        ready = setup >= 0 and i - setup <= patience
        expired = i - entry >= patience
        target = next_position(
            position,
            ready and position != 1 and close[i] > high[max(setup, 0)],
            position == 1 and (expired or close[i] < stop_long),
            ready and position != -1 and close[i] < low[max(setup, 0)],
            position == -1 and (expired or close[i] > stop_short),
            params[4],
        )
        if target not in (position, 0):
            entry = i
            setup = -1
            stop_long = close[i] - CONTRACTION_STOP_ATR * width[i]
            stop_short = close[i] + CONTRACTION_STOP_ATR * width[i]
        position = target
        out[i] = position


HISTORICAL_VOLATILITY = Strategy(
    name="HistoricalVolatility",
    category=Category.VOLATILITY,
    doc=(
        "Believes that contracted volatility expands. A setup is an inside bar or the narrowest of four while the short historical "
        "volatility is below max_ratio of the long one; it buys when one of the next holding_bars closes above the setup's high, and "
        "sells after holding_bars or 2 ATR(10) below the entry's close; short mirrored."
    ),
    source="Connors, Raschke (1995)",
    space=ParameterSpace(
        {
            "short_period": bars(4, 12, 6),
            "long_period": bars(60, 150, 100, minimum=CONTRACTION_ATR_PERIOD, above="short_period"),
            "max_ratio": positive(0.3, 0.8, 0.5),
            "holding_bars": bars(1, 10, 5, minimum=1),
        }
    ),
    signal=_historical_volatility,
    warmup=lambda p: p["long_period"] + 1,
)

STRATEGIES = (ATR, BOLLINGER_SQUEEZE, KELTNER_CHANNEL, HISTORICAL_VOLATILITY)
