"""Volume: who trades with weight knows more. Refused on series whose volume is constant."""

from __future__ import annotations

import numpy as np

from stratopt.kernels.arrays import CLOSE, HIGH, LOW, OPEN_TIME, VOLUME, Float64Array1D, Float64Array2D, Int8Array1D
from stratopt.kernels.averages import sma
from stratopt.kernels.swings import SPACING_BARS, session_numbers
from stratopt.kernels.volume import (
    anchored_vwap,
    chaikin_money_flow,
    chaikin_oscillator,
    money_flow_index,
    obv_with_average,
    rolling_vwap,
)
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice
from stratopt.strategies.base import Category, Strategy
from stratopt.strategies.mean_reversion import oscillator_reversal
from stratopt.strategies.positions import cross_positions, level_crossings, next_position
from stratopt.strategies.ranges import bars, level, positive


def _obv(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    line, average = obv_with_average(matrix[CLOSE], matrix[VOLUME], int(params[0]))
    cross_positions(line, average, params[1], out)


OBV = Strategy(
    name="OBV",
    category=Category.VOLUME,
    doc=(
        "Believes that volume precedes price. Buys when on-balance volume crosses above its EMA, sells when it crosses below; short "
        "the other way round."
    ),
    source="Granville (1963)",
    space=ParameterSpace({"period": bars(5, 100, 20)}),
    signal=_obv,
    warmup=lambda p: p["period"],
    needs_volume=True,
)


def _cmf(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    values = chaikin_money_flow(matrix[HIGH], matrix[LOW], matrix[CLOSE], matrix[VOLUME], int(params[0]))
    bound = params[1]
    position = 0
    for i in range(out.size):
        buying = values[i] > bound
        selling = values[i] < -bound
        position = next_position(position, buying, selling, selling, buying, params[2])
        out[i] = position


CMF = Strategy(
    name="CMF",
    category=Category.VOLUME,
    doc=(
        "Believes that closes in the upper part of heavy bars show buyers. Buys while Chaikin money flow exceeds the threshold, sells "
        "when it is below minus the threshold; short mirrored."
    ),
    source="Chaikin; ChartSchool, Chaikin Money Flow",
    space=ParameterSpace({"period": bars(10, 50, 20), "threshold": positive(0.02, 0.25, 0.05, maximum=1.0)}),
    signal=_cmf,
    warmup=lambda p: p["period"] - 1,
    needs_volume=True,
)


def _ad(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    close = matrix[CLOSE]
    values = chaikin_oscillator(matrix[HIGH], matrix[LOW], close, matrix[VOLUME], int(params[0]), int(params[1]))
    trend = sma(close, int(params[2]), 0)
    cross = level_crossings(values, 0.0)
    position = 0
    for i in range(out.size):
        up = cross[i] == 1
        down = cross[i] == -1
        position = next_position(
            position, up and close[i] > trend[i], down, down and close[i] < trend[i], up, params[3]
        )
        out[i] = position


AD = Strategy(
    name="AD",
    category=Category.VOLUME,
    doc=(
        "Believes in accumulation that speeds up within a trend. Buys when the Chaikin oscillator of the accumulation/distribution "
        "line crosses above 0 with the close above its SMA, sells when it crosses below 0; short mirrored."
    ),
    source="Chaikin",
    space=ParameterSpace(
        {
            "fast_period": bars(2, 10, 3),
            "slow_period": bars(5, 30, 10, above="fast_period"),
            "trend_period": bars(20, 200, 50),
        }
    ),
    signal=_ad,
    warmup=lambda p: max(p["slow_period"], p["trend_period"] - 1),
    needs_volume=True,
)


def _mfi(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    values = money_flow_index(matrix[HIGH], matrix[LOW], matrix[CLOSE], matrix[VOLUME], int(params[0]))
    oscillator_reversal(values, params[1], params[2], params[2], params[1], params[3], out)


MFI = Strategy(
    name="MFI",
    category=Category.VOLUME,
    doc=(
        "Believes that selling with volume exhausts itself. Buys when the money flow index crosses back above the oversold level, "
        "sells when it reaches the overbought level; short from the fall below overbought until oversold."
    ),
    source="Quong, Soudack (1989)",
    space=ParameterSpace(
        {
            "period": bars(5, 30, 14),
            "oversold": level(5.0, 35.0, 20.0),
            "overbought": level(60.0, 95.0, 80.0, above="oversold"),
        }
    ),
    signal=_mfi,
    warmup=lambda p: p["period"] + 1,
    needs_volume=True,
)


def _vwap(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    high, low, close, volume = matrix[HIGH], matrix[LOW], matrix[CLOSE], matrix[VOLUME]
    if params[0] == 0.0:
        start = SPACING_BARS
        mean, deviation = anchored_vwap(high, low, close, volume, session_numbers(matrix[OPEN_TIME]))
    else:
        start = int(params[1]) - 1
        mean, deviation = rolling_vwap(high, low, close, volume, int(params[1]))
    bound = params[2]
    sign = 1.0 if params[3] == 0.0 else -1.0
    position = 0
    out[:start] = 0
    for i in range(start, out.size):
        z = sign * (close[i] - mean[i]) / deviation[i] if deviation[i] > 0.0 else np.nan
        position = next_position(position, z < -bound, z >= 0.0, z > bound, z <= 0.0, params[4])
        out[i] = position


VWAP = Strategy(
    name="VWAP",
    category=Category.VOLUME,
    doc=(
        "Believes that prices return to where the volume traded. Buys when the close is num_std weighted deviations below VWAP, sells "
        "at VWAP; mode breakout believes the opposite and buys above. The anchor is the session (UTC day for intraday bars, month for "
        "daily bars, year for longer ones) or a rolling window; short mirrored."
    ),
    source="ChartSchool, VWAP",
    space=ParameterSpace(
        {
            "anchor": Choice(("session", "rolling"), default="session"),
            "rolling_period": bars(10, 100, 20, when={"anchor": "rolling"}),
            "num_std": positive(0.5, 3.0, 1.5),
            "mode": Choice(("reversion", "breakout"), default="reversion"),
        }
    ),
    signal=_vwap,
    warmup=lambda p: SPACING_BARS if p["anchor"] == "session" else p["rolling_period"] - 1,
    needs_volume=True,
)

STRATEGIES = (VWAP, OBV, AD, CMF, MFI)
