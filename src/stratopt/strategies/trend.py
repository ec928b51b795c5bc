"""Trend following with averages: the trend goes on until an average says that it ended."""

from __future__ import annotations

from stratopt.kernels.arrays import CLOSE, Float64Array1D, Float64Array2D, Int8Array1D
from stratopt.kernels.averages import ema, kama, moving_average, moving_average_first, sma
from stratopt.kernels.jit import jit
from stratopt.kernels.oscillators import macd
from stratopt.search.parameter_space import ParameterSpace
from stratopt.search.parameters import Choice
from stratopt.strategies.base import Category, Crossing, Strategy
from stratopt.strategies.positions import cross_positions, crossings, next_position
from stratopt.strategies.ranges import bars, positive

MA_TYPES = ("sma", "ema", "wma", "hma")


def _moving_average_crossover(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    close = matrix[CLOSE]
    kind = int(params[2])
    fast = moving_average(close, int(params[0]), kind)
    slow = moving_average(close, int(params[1]), kind)
    cross_positions(fast, slow, params[3], out)


def _moving_average_line(matrix: Float64Array2D, key: Float64Array1D, out: Float64Array1D) -> None:
    out[:] = moving_average(matrix[CLOSE], int(key[0]), int(key[1]))


MOVING_AVERAGE_CROSSOVER = Strategy(
    name="MovingAverageCrossover",
    category=Category.TREND,
    doc=(
        "Believes that a trend which shows in averages goes on. Buys when the fast moving average crosses above the slow one, "
        "sells when it crosses below; short the other way round."
    ),
    source="Brock, Lakonishok, LeBaron (1992); Murphy (1999)",
    space=ParameterSpace(
        {
            "fast_period": bars(2, 100, 20, log=True),
            "slow_period": bars(1.5, 8, 50, minimum=3, ratio_of="fast_period"),
            "ma_type": Choice(MA_TYPES, default="sma"),
        }
    ),
    signal=_moving_average_crossover,
    crossing=Crossing(line=_moving_average_line, left=(0, 2), right=(1, 2)),
    warmup=lambda p: moving_average_first(p["slow_period"], MA_TYPES.index(p["ma_type"])) + 1,
)


@jit
def _ribbon(
    fast: Float64Array1D, middle: Float64Array1D, slow: Float64Array1D, direction: float, out: Int8Array1D
) -> None:
    position = 0
    for i in range(out.size):
        position = next_position(
            position,
            fast[i] > middle[i] and middle[i] > slow[i],
            fast[i] < middle[i],
            fast[i] < middle[i] and middle[i] < slow[i],
            fast[i] > middle[i],
            direction,
        )
        out[i] = position


def _moving_average_ribbon(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    close = matrix[CLOSE]
    fast = ema(close, int(params[0]), 0)
    middle = ema(close, int(params[1]), 0)
    slow = ema(close, int(params[2]), 0)
    _ribbon(fast, middle, slow, params[3], out)


MOVING_AVERAGE_RIBBON = Strategy(
    name="MovingAverageRibbon",
    category=Category.TREND,
    doc=(
        "Believes in a trend on which three horizons agree. Buys when the fast EMA is above the middle one and that above the slow "
        "one, sells when the fast falls below the middle one; short mirrored."
    ),
    source="ChartSchool, Moving Average Ribbon",
    space=ParameterSpace(
        {
            "fast_period": bars(3, 30, 8),
            "middle_period": bars(8, 80, 21, above="fast_period"),
            "slow_period": bars(20, 200, 55, above="middle_period"),
        }
    ),
    signal=_moving_average_ribbon,
    warmup=lambda p: p["slow_period"] - 1,
)


def _macd_cross(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    line, signal, _ = macd(matrix[CLOSE], int(params[0]), int(params[1]), int(params[2]))
    confirm = params[3] == 1.0
    cross = crossings(line, signal)
    position = 0
    for i in range(out.size):
        up = cross[i] == 1
        down = cross[i] == -1
        enter_long = up and (not confirm or line[i] > 0.0)
        enter_short = down and (not confirm or line[i] < 0.0)
        position = next_position(position, enter_long, down, enter_short, up, params[4])
        out[i] = position


MACD = Strategy(
    name="MACD",
    category=Category.TREND,
    doc=(
        "Believes that a trend which gains speed goes on. Buys when the MACD line crosses above its signal (with "
        "require_line_side only while the line is above 0), sells when it crosses below; short mirrored."
    ),
    source="Appel (2005); ChartSchool, MACD",
    space=ParameterSpace(
        {
            "fast_period": bars(3, 30, 12),
            "slow_period": bars(10, 80, 26, above="fast_period"),
            "signal_period": bars(2, 30, 9, minimum=1),
            "require_line_side": Choice((False, True), default=False),
        }
    ),
    signal=_macd_cross,
    warmup=lambda p: p["slow_period"] + p["signal_period"] - 1,
)


def _moving_average_timing(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    close = matrix[CLOSE]
    average = sma(close, int(params[0]), 0)
    band = params[1]
    position = 0
    for i in range(out.size):
        above = close[i] > average[i] * (1.0 + band)
        below = close[i] < average[i] * (1.0 - band)
        position = next_position(position, above, below, below, above, params[2])
        out[i] = position


MOVING_AVERAGE_TIMING = Strategy(
    name="MovingAverageTiming",
    category=Category.TREND,
    doc=(
        "Believes that markets above their long average fare better. Holds while the close is above the SMA by the band, leaves when "
        "it is below the SMA by the band; short mirrored."
    ),
    source="Faber (2007)",
    space=ParameterSpace({"period": bars(50, 300, 200), "band": positive(0.0, 0.03, 0.0, maximum=0.99)}),
    signal=_moving_average_timing,
    warmup=lambda p: p["period"] - 1,
)


def _kama_trend(matrix: Float64Array2D, params: Float64Array1D, out: Int8Array1D) -> None:
    close = matrix[CLOSE]
    average = kama(close, int(params[0]))
    upper = 1.0 + params[1]
    lower = 1.0 - params[1]
    position = 0
    out[:1] = 0
    for i in range(1, out.size):
        up = close[i - 1] <= average[i - 1] * upper and close[i] > average[i] * upper
        down = close[i - 1] >= average[i - 1] * lower and close[i] < average[i] * lower
        leave_long = close[i] < average[i] * lower
        leave_short = close[i] > average[i] * upper
        rising = average[i] > average[i - 1]
        falling = average[i] < average[i - 1]
        position = next_position(position, up and rising, leave_long, down and falling, leave_short, params[2])
        out[i] = position


KAMA = Strategy(
    name="KAMA",
    category=Category.TREND,
    doc=(
        "Believes in trends that an average which adapts to noise confirms. Buys when the close crosses above a rising KAMA by the "
        "band, sells when it closes below KAMA by the band; short mirrored."
    ),
    source="Kaufman (1995)",
    space=ParameterSpace({"period": bars(5, 40, 10), "band": positive(0.0, 0.03, 0.0, maximum=0.99)}),
    signal=_kama_trend,
    warmup=lambda p: p["period"] + 1,
)

STRATEGIES = (MOVING_AVERAGE_CROSSOVER, MACD, MOVING_AVERAGE_RIBBON, MOVING_AVERAGE_TIMING, KAMA)
