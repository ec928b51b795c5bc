"""Eight families of rules, as an operator would write them: plain numpy on closes, every family warm after 252 bars."""

from __future__ import annotations

import numpy as np

from stratopt.search.parameters import Choice, FloatRange, IntRange
from stratopt.strategies.own import strategy

WARMUP = 252


def moving_mean(values, count):
    """Mean of the last ``count`` values, NaN before there are so many."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    found = np.full(values.size, np.nan)
    found[count - 1 :] = (total[count:] - total[:-count]) / count
    return found


def moving_deviation(values, count):
    """Deviation (ddof 0) of the last ``count`` values."""
    centred = values - values[0]
    return np.sqrt(np.maximum(moving_mean(centred**2, count) - moving_mean(centred, count) ** 2, 0.0))


def held(events, ends):
    """The last event, kept until the flag of an end; an event wins over an end in the same bar."""
    marks = np.where(events != 0, events, np.where(ends, 2, 0))
    last = np.maximum.accumulate(np.where(marks != 0, np.arange(marks.size), 0))
    kept = marks[last]
    return np.where(kept == 2, 0, kept)


def warm(target):
    """Whole numbers, flat before the warm-up is over."""
    clean = np.nan_to_num(target).astype(np.int8)
    clean[: WARMUP - 1] = 0
    return clean


@strategy(space={"fast": IntRange(2, 40), "slow": IntRange(20, 200)}, warmup=WARMUP - 1)
def AverageCross(bars, params):
    """The side of a fast moving average against a slow one."""
    return warm(np.sign(moving_mean(bars.close, params["fast"]) - moving_mean(bars.close, params["slow"])))


@strategy(space={"bars": IntRange(5, 200)}, warmup=WARMUP - 1)
def PriceMomentum(bars, params):
    """The sign of the move over some bars."""
    target = np.zeros(len(bars))
    target[params["bars"] :] = np.sign(bars.close[params["bars"] :] - bars.close[: -params["bars"]])
    return warm(target)


@strategy(space={"window": IntRange(2, 40), "entry": FloatRange(0.0, 2.0)}, warmup=WARMUP - 1)
def Reversion(bars, params):
    """Against the distance from the mean when it is large."""
    z = np.log(bars.close) - moving_mean(np.log(bars.close), params["window"])
    z /= np.maximum(moving_deviation(np.log(bars.close), params["window"]), 1e-12)
    return warm(np.where(np.abs(z) > params["entry"], -np.sign(z), 0.0))


@strategy(space={"channel": IntRange(5, 120)}, warmup=WARMUP - 1)
def ChannelBreak(bars, params):
    """With the last new high or low of a channel of closes."""
    windows = np.lib.stride_tricks.sliding_window_view(bars.close, params["channel"])
    high, low = np.full(len(bars), np.inf), np.full(len(bars), -np.inf)
    high[params["channel"] - 1 :], low[params["channel"] - 1 :] = windows.max(axis=1), windows.min(axis=1)
    events = np.where(bars.close >= high, 1, np.where(bars.close <= low, -1, 0))
    return warm(held(events, np.zeros(len(bars), dtype=bool)))


@strategy(space={"period": IntRange(2, 30), "low": FloatRange(10.0, 40.0)}, warmup=WARMUP - 1)
def Oscillator(bars, params):
    """Against a relative strength that is far from its middle."""
    moves = np.diff(bars.close, prepend=bars.close[0])
    ups, downs = (moving_mean(np.maximum(m, 0.0), params["period"]) for m in (moves, -moves))
    strength = 100.0 * ups / np.maximum(ups + downs, 1e-12)
    return warm(np.where(strength < params["low"], 1, np.where(strength > 100.0 - params["low"], -1, 0)))


@strategy(space={"bars": IntRange(10, 150), "limit": FloatRange(0.7, 1.5)}, warmup=WARMUP - 1)
def CalmTrend(bars, params):
    """Momentum while the volatility is not above a multiple of its yearly mean."""
    moves = np.diff(np.log(bars.close), prepend=np.log(bars.close[0]))
    calm = moving_deviation(moves, 21) < params["limit"] * moving_deviation(moves, 252)
    target = np.zeros(len(bars))
    target[params["bars"] :] = np.sign(bars.close[params["bars"] :] - bars.close[: -params["bars"]])
    return warm(np.where(calm, target, 0.0))


@strategy(
    space={"first": IntRange(0, 20), "days": IntRange(1, 10), "side": Choice(["long", "short"])}, warmup=WARMUP - 1
)
def Calendar(bars, params):
    """In the market on some days of every 21, known from the day's number alone."""
    number = (bars.open_time // 86_400_000 + 3) // 7 * 5 + np.minimum((bars.open_time // 86_400_000 + 3) % 7, 4)
    tomorrow = (number + 1 - params["first"]) % 21 < params["days"]
    return warm(np.where(tomorrow, 1 if params["side"] == "long" else -1, 0))


@strategy(space={"window": IntRange(10, 100), "width": FloatRange(0.5, 2.5)}, warmup=WARMUP - 1)
def BandBreak(bars, params):
    """With a close outside its band until it is back at the mean."""
    mean = moving_mean(bars.close, params["window"])
    z = (bars.close - mean) / np.maximum(moving_deviation(bars.close, params["window"]), 1e-12)
    z = np.nan_to_num(z)
    events = np.where(z > params["width"], 1, np.where(z < -params["width"], -1, 0))
    crossed = np.concatenate([[False], z[1:] * z[:-1] <= 0])
    return warm(held(events, crossed))
