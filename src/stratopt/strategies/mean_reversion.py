"""Mean reversion: a price that went too far comes back."""

from __future__ import annotations

import numpy as np

from stratopt.kernels.arrays import CLOSE, HIGH, LOW, Float64Array1D, Float64Array2D, Int8Array1D
from stratopt.kernels.averages import sma
from stratopt.kernels.bands import bollinger
from stratopt.kernels.jit import jit
from stratopt.kernels.oscillators import cci, rsi, stochastic, williams_r
from stratopt.kernels.rolling import rolling_mean_std
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice, FloatRange
from stratopt.strategies.base import Category, Strategy
from stratopt.strategies.positions import crossings, level_crossings, next_position
from stratopt.strategies.ranges import bars, level, positive


@jit
def oscillator_reversal(
    values: Float64Array1D,
    enter_long_above: float,
    exit_long_at: float,
    enter_short_below: float,
    exit_short_at: float,
    direction: float,
    out: Int8Array1D,
) -> None:
    """Long from the oscillator's return above one level until it reaches another; short from its return below a third.

    Shared by every strategy that buys an oversold market's recovery.
    """
    long_level = level_crossings(values, enter_long_above)
    short_level = level_crossings(values, enter_short_below)
    position = 0
    for i in range(out.size):
        position = next_position(
            position,
            long_level[i] == 1,
            values[i] >= exit_long_at,
            short_level[i] == -1,
            values[i] <= exit_short_at,
            direction,
        )
        out[i] = position


def _rsi(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    values = rsi(matrix[CLOSE], int(params[0]))
    oscillator_reversal(values, params[1], params[2], 100.0 - params[1], 100.0 - params[2], params[3], out)


RSI = Strategy(
    name="RSI",
    category=Category.MEAN_REVERSION,
    doc=(
        "Believes that an oversold market recovers. Buys when RSI crosses back above the oversold level, sells when it reaches the "
        "exit level; short mirrored at 100 minus the levels."
    ),
    source="Wilder (1978)",
    space=ParameterSpace(
        {
            "period": bars(2, 30, 14),
            "oversold": level(10.0, 40.0, 30.0),
            "exit_level": level(45.0, 90.0, 60.0, above="oversold"),
        }
    ),
    signal=_rsi,
    warmup=lambda p: p["period"] + 1,
)


def _rsi2(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    close = matrix[CLOSE]
    values = rsi(close, int(params[0]))
    trend = sma(close, int(params[2]), 0)
    target = sma(close, int(params[3]), 0)
    position = 0
    for i in range(out.size):
        position = next_position(
            position,
            close[i] > trend[i] and values[i] < params[1],
            close[i] > target[i],
            close[i] < trend[i] and values[i] > 100.0 - params[1],
            close[i] < target[i],
            params[4],
        )
        out[i] = position


RSI2 = Strategy(
    name="RSI2",
    category=Category.MEAN_REVERSION,
    doc=(
        "Believes that a short, sharp dip within a long uptrend is bought back. Buys while the close is above its long SMA and a very "
        "short RSI is below the oversold level, sells when the close exceeds its short SMA; short mirrored."
    ),
    source="Connors, Alvarez (2008); ChartSchool, RSI(2)",
    space=ParameterSpace(
        {
            "rsi_period": bars(2, 5, 2),
            "oversold": level(2.0, 20.0, 10.0),
            "trend_period": bars(100, 250, 200),
            "exit_period": bars(3, 10, 5),
        }
    ),
    signal=_rsi2,
    warmup=lambda p: max(p["trend_period"] - 1, p["rsi_period"]),
)


def _bollinger_bands(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    close = matrix[CLOSE]
    upper, middle, lower = bollinger(close, int(params[0]), params[1])
    at_middle = params[2] == 0.0
    lower_cross = crossings(close, lower)
    upper_cross = crossings(close, upper)
    position = 0
    for i in range(out.size):
        position = next_position(
            position,
            lower_cross[i] == 1,
            close[i] >= (middle[i] if at_middle else upper[i]),
            upper_cross[i] == -1,
            close[i] <= (middle[i] if at_middle else lower[i]),
            params[3],
        )
        out[i] = position


BOLLINGER_BANDS = Strategy(
    name="BollingerBands",
    category=Category.MEAN_REVERSION,
    doc=(
        "Believes that a close outside its band returns to the middle. Buys when the close crosses back above the lower band, sells at "
        "the middle (or the upper) band; short mirrored."
    ),
    source="Bollinger (2001)",
    space=ParameterSpace(
        {
            "period": bars(5, 60, 20),
            "num_std": positive(1.0, 3.5, 2.0),
            "exit_at": Choice(("middle", "opposite"), default="middle"),
        }
    ),
    signal=_bollinger_bands,
    warmup=lambda p: p["period"],
)


def _zscore(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    close = matrix[CLOSE]
    mean, deviation = rolling_mean_std(close, int(params[0]), 0)
    position = 0
    for i in range(out.size):
        z = (close[i] - mean[i]) / deviation[i] if deviation[i] > 0.0 else np.nan
        position = next_position(position, z < -params[1], z > -params[2], z > params[1], z < params[2], params[3])
        out[i] = position


ZSCORE = Strategy(
    name="ZScore",
    category=Category.MEAN_REVERSION,
    doc=(
        "Believes that a price far from its mean in deviations comes back. Buys when the z-score of the close is below -entry_z, sells "
        "when it is above -exit_z; short mirrored."
    ),
    source="Chan (2013)",
    space=ParameterSpace(
        {
            "period": bars(10, 120, 20),
            "entry_z": positive(0.8, 3.5, 2.0),
            "exit_z": positive(0.0, 1.0, 0.0, at_most="entry_z"),
        }
    ),
    signal=_zscore,
    warmup=lambda p: p["period"] - 1,
)


def _stochastic(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    k, d = stochastic(matrix[HIGH], matrix[LOW], matrix[CLOSE], int(params[0]), int(params[1]), int(params[2]))
    cross = crossings(k, d)
    position = 0
    for i in range(out.size):
        buy = cross[i] == 1 and k[i] < params[3]
        sell = cross[i] == -1 and k[i] > params[4]
        position = next_position(position, buy, sell, sell, buy, params[5])
        out[i] = position


STOCHASTIC = Strategy(
    name="Stochastic",
    category=Category.MEAN_REVERSION,
    doc=(
        "Believes that closes near the bottom of their range recover. Buys when %K crosses above %D below the oversold level, sells "
        "when it crosses below %D above the overbought level; short the other way round."
    ),
    source="Lane (1984); ChartSchool, Stochastic Oscillator",
    space=ParameterSpace(
        {
            "k_period": bars(5, 30, 14),
            "smooth_period": bars(1, 5, 3, minimum=1),
            "d_period": bars(2, 7, 3),
            "oversold": level(5.0, 35.0, 20.0),
            "overbought": level(65.0, 95.0, 80.0, above="oversold"),
        }
    ),
    signal=_stochastic,
    warmup=lambda p: p["k_period"] + p["smooth_period"] + p["d_period"] - 2,
)


def _williams_r(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    values = williams_r(matrix[HIGH], matrix[LOW], matrix[CLOSE], int(params[0]))
    oscillator_reversal(values, params[1], params[2], params[2], params[1], params[3], out)


WILLIAMS_R = Strategy(
    name="WilliamsR",
    category=Category.MEAN_REVERSION,
    doc=(
        "Believes that closes near the bottom of their range recover. Buys when %R crosses back above the oversold level, sells when "
        "it reaches the overbought level; short from the fall below overbought until oversold."
    ),
    source="Williams (1973)",
    space=ParameterSpace(
        {
            "period": bars(5, 40, 14),
            "oversold": level(-95.0, -65.0, -80.0, minimum=-100.0, maximum=0.0),
            "overbought": level(-50.0, -5.0, -20.0, minimum=-100.0, maximum=0.0, above="oversold"),
        }
    ),
    signal=_williams_r,
    warmup=lambda p: p["period"],
)


def _cci(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    values = cci(matrix[HIGH], matrix[LOW], matrix[CLOSE], int(params[0]))
    oscillator_reversal(values, -params[1], params[2], params[1], -params[2], params[3], out)


CCI = Strategy(
    name="CCI",
    category=Category.MEAN_REVERSION,
    doc=(
        "Believes that an unusual distance from the mean price shrinks. Buys when CCI crosses back above minus the threshold, sells "
        "when it reaches the exit level; short mirrored."
    ),
    source="Lambert (1980)",
    space=ParameterSpace(
        {
            "period": bars(5, 60, 20),
            "threshold": positive(80.0, 250.0, 100.0, maximum=1000.0),
            "exit_level": FloatRange(-50.0, 100.0, default=0.0, minimum=-1000.0, maximum=1000.0),
        }
    ),
    signal=_cci,
    warmup=lambda p: p["period"],
)

STRATEGIES = (RSI, BOLLINGER_BANDS, STOCHASTIC, WILLIAMS_R, RSI2, ZSCORE, CCI)
