"""Multi-timeframe: trade the base bars only with the trend of bars ``factor`` times as long.

Higher bars are counted from bar 0; their values are those of the last bar that has closed.
"""

from __future__ import annotations

from stratopt.kernels.arrays import CLOSE, Float64Array1D, Float64Array2D, Int8Array1D
from stratopt.kernels.averages import difference, ema
from stratopt.kernels.jit import jit
from stratopt.kernels.oscillators import macd, momentum, rsi
from stratopt.kernels.swings import higher_timeframe_closes, last_completed
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import IntRange
from stratopt.strategies.base import Category, Strategy
from stratopt.strategies.positions import crossings, level_crossings, next_position
from stratopt.strategies.ranges import bars, level


@jit
def _ema_spread(close: Float64Array1D, fast: int, slow: int, factor: int) -> Float64Array1D:
    higher = higher_timeframe_closes(close, factor)
    return last_completed(difference(ema(higher, fast, 0), ema(higher, slow, 0)), factor, close.size)


def _mtf_trend_analysis(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    close = matrix[CLOSE]
    fast = int(params[0])
    slow = int(params[1])
    base = difference(ema(close, fast, 0), ema(close, slow, 0))
    middle = _ema_spread(close, fast, slow, int(params[2]))
    high = _ema_spread(close, fast, slow, int(params[3]))
    position = 0
    for i in range(out.size):
        position = next_position(
            position,
            base[i] > 0.0 and middle[i] > 0.0 and high[i] > 0.0,
            base[i] < 0.0,
            base[i] < 0.0 and middle[i] < 0.0 and high[i] < 0.0,
            base[i] > 0.0,
            params[4],
        )
        out[i] = position


MTF_TREND_ANALYSIS = Strategy(
    name="MTFTrendAnalysis",
    category=Category.MULTI_TIMEFRAME,
    doc=(
        "Believes in a trend that shows on three time scales. Buys while the fast EMA is above the slow one on the base bars, on bars "
        "middle_factor and on bars high_factor times as long, sells when the base bars turn; short mirrored."
    ),
    source="Elder (1993)",
    space=ParameterSpace(
        {
            "fast_period": bars(5, 30, 20),
            "slow_period": bars(20, 100, 50, above="fast_period"),
            "middle_factor": IntRange(3, 6, default=4, minimum=2, maximum=1000),
            "high_factor": IntRange(4, 6, ratio_of="middle_factor", default=16, minimum=3, maximum=10_000),
        }
    ),
    signal=_mtf_trend_analysis,
    warmup=lambda p: p["slow_period"] * p["high_factor"] - 1,
)


def _mtf_rsi(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    close = matrix[CLOSE]
    period = int(params[0])
    factor = int(params[3])
    values = rsi(close, period)
    higher = last_completed(rsi(higher_timeframe_closes(close, factor), period), factor, close.size)
    low_cross = level_crossings(values, params[1])
    high_cross = level_crossings(values, params[2])
    position = 0
    for i in range(out.size):
        position = next_position(
            position,
            higher[i] > 50.0 and low_cross[i] == 1,
            values[i] > params[2],
            higher[i] < 50.0 and high_cross[i] == -1,
            values[i] < params[1],
            params[4],
        )
        out[i] = position


MTF_RSI = Strategy(
    name="MTFRSI",
    category=Category.MULTI_TIMEFRAME,
    doc=(
        "Believes in buying dips of a higher trend. Buys when the base RSI crosses back above oversold while the RSI of bars factor "
        "times as long is above 50, sells when the base RSI exceeds overbought; short from the fall below overbought while the higher "
        "RSI is below 50 until oversold."
    ),
    source="Elder (1993)",
    space=ParameterSpace(
        {
            "period": bars(5, 25, 14),
            "oversold": level(15.0, 45.0, 35.0),
            "overbought": level(55.0, 85.0, 65.0, above="oversold"),
            "factor": IntRange(3, 24, default=6, minimum=2, maximum=1000),
        }
    ),
    signal=_mtf_rsi,
    warmup=lambda p: (p["period"] + 1) * p["factor"] - 1,
)


def _mtf_macd(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    close = matrix[CLOSE]
    fast = int(params[0])
    slow = int(params[1])
    smooth = int(params[2])
    factor = int(params[3])
    line, signal, _ = macd(close, fast, slow, smooth)
    histogram = macd(higher_timeframe_closes(close, factor), fast, slow, smooth)[2]
    slope = last_completed(momentum(histogram, 1), factor, close.size)
    cross = crossings(line, signal)
    position = 0
    for i in range(out.size):
        up = cross[i] == 1
        down = cross[i] == -1
        position = next_position(position, up and slope[i] > 0.0, down, down and slope[i] < 0.0, up, params[4])
        out[i] = position


MTF_MACD = Strategy(
    name="MTFMACD",
    category=Category.MULTI_TIMEFRAME,
    doc=(
        "Believes in the tide of a longer time scale. Buys when the base MACD crosses above its signal while the MACD histogram of "
        "bars factor times as long rises, sells when the base line crosses below; short mirrored."
    ),
    source="Elder, triple screen (1986)",
    space=ParameterSpace(
        {
            "fast_period": bars(3, 30, 12),
            "slow_period": bars(10, 80, 26, above="fast_period"),
            "signal_period": bars(2, 30, 9, minimum=1),
            "factor": IntRange(3, 24, default=6, minimum=2, maximum=1000),
        }
    ),
    signal=_mtf_macd,
    warmup=lambda p: (p["slow_period"] + p["signal_period"]) * p["factor"] - 1,
)

STRATEGIES = (MTF_TREND_ANALYSIS, MTF_RSI, MTF_MACD)
