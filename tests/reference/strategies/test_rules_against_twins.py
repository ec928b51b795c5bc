"""Rules of the catalogue equal a plain twin: TA-Lib or pandas for the indicator, one bar at a time for the rule."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import talib

from stratopt import load_bars
from stratopt.market.bars import Bars
from stratopt.strategies.catalogue import get_strategy

Rule = tuple[Any, Any, Any, Any]  # enter long, exit long, enter short, exit short; boolean series


@cache
def daily() -> Bars:
    return load_bars("MSFT", "1d")[-3000:]


@cache
def hourly() -> Bars:
    return load_bars("BTCUSD", "1h")[:3000]


def above(left: Any, right: Any) -> Any:
    """Crosses above."""
    left, right = pd.Series(left), pd.Series(np.broadcast_to(right, len(left)))
    return (left.shift() <= right.shift()) & (left > right)


def below(left: Any, right: Any) -> Any:
    """Crosses below."""
    left, right = pd.Series(left), pd.Series(np.broadcast_to(right, len(left)))
    return (left.shift() >= right.shift()) & (left < right)


def play(rule: Rule, direction: str) -> list[int]:
    """The target of each bar for conditions that depend on bars only."""
    enter_long, exit_long, enter_short, exit_short = (np.asarray(c, dtype=bool) for c in rule)
    may_long, may_short = direction != "short_only", direction != "long_only"
    position, out = 0, []
    for i in range(len(enter_long)):
        buy = may_long and enter_long[i] and not exit_long[i]
        sell = may_short and enter_short[i] and not exit_short[i]
        if buy and not sell:
            position = 1
        elif sell and not buy:
            position = -1
        elif not buy and ((position == 1 and exit_long[i]) or (position == -1 and exit_short[i])):
            position = 0
        out.append(position)
    return out


def moving_average_crossover(bars: Bars, p: dict[str, Any]) -> Rule:
    average = {"sma": talib.SMA, "ema": talib.EMA, "wma": talib.WMA, "hma": talib.HMA}[p["ma_type"]]
    fast, slow = average(bars.close, p["fast_period"]), average(bars.close, p["slow_period"])
    return above(fast, slow), below(fast, slow), below(fast, slow), above(fast, slow)


def macd(bars: Bars, p: dict[str, Any]) -> Rule:
    line, signal, _ = talib.MACD(bars.close, p["fast_period"], p["slow_period"], p["signal_period"])
    up, down = above(line, signal), below(line, signal)
    if p["require_line_side"]:
        return up & (line > 0), down, down & (line < 0), up
    return up, down, down, up


def rsi(bars: Bars, p: dict[str, Any]) -> Rule:
    value = pd.Series(talib.RSI(bars.close, p["period"]))
    low, leave = p["oversold"], p["exit_level"]
    return above(value, low), value >= leave, below(value, 100 - low), value <= 100 - leave


def rsi2(bars: Bars, p: dict[str, Any]) -> Rule:
    close = pd.Series(bars.close)
    value = talib.RSI(bars.close, p["rsi_period"])
    trend, target = close.rolling(p["trend_period"]).mean(), close.rolling(p["exit_period"]).mean()
    return (
        (close > trend) & (value < p["oversold"]),
        close > target,
        (close < trend) & (value > 100 - p["oversold"]),
        close < target,
    )


def bollinger_bands(bars: Bars, p: dict[str, Any]) -> Rule:
    upper, middle, lower = talib.BBANDS(bars.close, p["period"], p["num_std"], p["num_std"])
    middle_exit = p["exit_at"] == "middle"
    return (
        above(bars.close, lower),
        bars.close >= (middle if middle_exit else upper),
        below(bars.close, upper),
        bars.close <= (middle if middle_exit else lower),
    )


def zscore(bars: Bars, p: dict[str, Any]) -> Rule:
    close = pd.Series(bars.close)
    window = close.rolling(p["period"])
    z = (close - window.mean()) / window.std(ddof=0)
    return z < -p["entry_z"], z > -p["exit_z"], z > p["entry_z"], z < p["exit_z"]


def stochastic(bars: Bars, p: dict[str, Any]) -> Rule:
    k, d = talib.STOCH(bars.high, bars.low, bars.close, p["k_period"], p["smooth_period"], 0, p["d_period"], 0)
    buy, sell = above(k, d) & (k < p["oversold"]), below(k, d) & (k > p["overbought"])
    return buy, sell, sell, buy


def williams_r(bars: Bars, p: dict[str, Any]) -> Rule:
    value = pd.Series(talib.WILLR(bars.high, bars.low, bars.close, p["period"]))
    return (
        above(value, p["oversold"]),
        value >= p["overbought"],
        below(value, p["overbought"]),
        value <= p["oversold"],
    )


def cci(bars: Bars, p: dict[str, Any]) -> Rule:
    value = pd.Series(talib.CCI(bars.high, bars.low, bars.close, p["period"]))
    t, leave = p["threshold"], p["exit_level"]
    return above(value, -t), value >= leave, below(value, t), value <= -leave


def adx(bars: Bars, p: dict[str, Any]) -> Rule:
    hlc = bars.high, bars.low, bars.close
    plus, minus = talib.PLUS_DI(*hlc, p["period"]), talib.MINUS_DI(*hlc, p["period"])
    strong = talib.ADX(*hlc, p["period"]) > p["threshold"]
    up, down = above(plus, minus), below(plus, minus)
    return up & strong, down, down & strong, up


def supertrend(bars: Bars, p: dict[str, Any]) -> Rule:
    side = pd.Series(talib.SUPERTREND(bars.high, bars.low, bars.close, p["period"], p["multiplier"])[1])
    up, down = (side == 1) & (side.shift() == -1), (side == -1) & (side.shift() == 1)
    return up, down, down, up


def parabolic_sar(bars: Bars, p: dict[str, Any]) -> Rule:
    stop = pd.Series(talib.SAR(bars.high, bars.low, p["step"], p["maximum"]))
    # On the bar of a flip the stop stands beyond the whole bar, on the other side of it.
    side = pd.Series(np.where(stop <= bars.low, 1, np.where(stop >= bars.high, -1, 0))).where(stop.notna(), 0)
    up, down = (side == 1) & (side.shift() == -1), (side == -1) & (side.shift() == 1)
    return up, down, down, up


def ichimoku(bars: Bars, p: dict[str, Any]) -> Rule:
    high, low, close = pd.Series(bars.high), pd.Series(bars.low), pd.Series(bars.close)

    def middle(period: int) -> Any:
        return (high.rolling(period).max() + low.rolling(period).min()) / 2

    tenkan, kijun = middle(p["tenkan_period"]), middle(p["kijun_period"])
    span_a, span_b = ((tenkan + kijun) / 2).shift(26), middle(p["senkou_period"]).shift(26)
    up, down = above(tenkan, kijun), below(tenkan, kijun)
    return up & (close > span_a) & (close > span_b), down, down & (close < span_a) & (close < span_b), up


def aroon(bars: Bars, p: dict[str, Any]) -> Rule:
    falling, rising = talib.AROON(bars.high, bars.low, p["period"])
    up, down = above(rising, falling), below(rising, falling)
    return up & (rising > p["threshold"]), down, down & (falling > p["threshold"]), up


def roc(bars: Bars, p: dict[str, Any]) -> Rule:
    value = pd.Series(talib.ROC(bars.close, p["period"]))
    enter, leave = p["entry_threshold"], p["exit_threshold"]
    return above(value, enter), below(value, leave), below(value, -enter), above(value, -leave)


def momentum(bars: Bars, p: dict[str, Any]) -> Rule:
    change = pd.Series(bars.close).diff(p["period"])
    checked = (np.arange(len(bars)) - p["period"]) % p["check_every"] == 0
    rose, fell = (change > 0) & checked, (change < 0) & checked
    return rose, fell, fell, rose


def trix(bars: Bars, p: dict[str, Any]) -> Rule:
    line = talib.TRIX(bars.close, p["period"])
    signal = talib.EMA(line, p["signal_period"])
    return above(line, signal), below(line, signal), below(line, signal), above(line, signal)


def obv(bars: Bars, p: dict[str, Any]) -> Rule:
    line = talib.OBV(bars.close, bars.volume)
    average = talib.EMA(line, p["period"])
    return above(line, average), below(line, average), below(line, average), above(line, average)


def cmf(bars: Bars, p: dict[str, Any]) -> Rule:
    value = talib.CMF(bars.high, bars.low, bars.close, bars.volume, p["period"])
    buying, selling = value > p["threshold"], value < -p["threshold"]
    return buying, selling, selling, buying


def ad(bars: Bars, p: dict[str, Any]) -> Rule:
    value = talib.ADOSC(bars.high, bars.low, bars.close, bars.volume, p["fast_period"], p["slow_period"])
    trend = pd.Series(bars.close).rolling(p["trend_period"]).mean()
    up, down = above(value, 0.0), below(value, 0.0)
    return up & (bars.close > trend), down, down & (bars.close < trend), up


def mfi(bars: Bars, p: dict[str, Any]) -> Rule:
    value = pd.Series(talib.MFI(bars.high, bars.low, bars.close, bars.volume, p["period"]))
    return (
        above(value, p["oversold"]),
        value >= p["overbought"],
        below(value, p["overbought"]),
        value <= p["oversold"],
    )


def keltner_channel(bars: Bars, p: dict[str, Any]) -> Rule:
    upper, middle, lower = talib.KC(bars.high, bars.low, bars.close, p["period"], p["atr_period"], p["multiplier"])
    close = bars.close
    return above(close, upper), close < middle, below(close, lower), close > middle


def mtf_rsi(bars: Bars, p: dict[str, Any]) -> Rule:
    factor = p["factor"]
    higher = completed(talib.RSI(bars.close[factor - 1 :: factor], p["period"]), factor, len(bars))
    value = pd.Series(talib.RSI(bars.close, p["period"]))
    return (
        (higher > 50) & above(value, p["oversold"]),
        value > p["overbought"],
        (higher < 50) & below(value, p["overbought"]),
        value < p["oversold"],
    )


def moving_average_ribbon(bars: Bars, p: dict[str, Any]) -> Rule:
    fast, middle, slow = (talib.EMA(bars.close, p[f"{n}_period"]) for n in ("fast", "middle", "slow"))
    return (fast > middle) & (middle > slow), fast < middle, (fast < middle) & (middle < slow), fast > middle


def moving_average_timing(bars: Bars, p: dict[str, Any]) -> Rule:
    average = talib.SMA(bars.close, p["period"])
    up, down = bars.close > average * (1 + p["band"]), bars.close < average * (1 - p["band"])
    return up, down, down, up


def kama(bars: Bars, p: dict[str, Any]) -> Rule:
    average, close = pd.Series(talib.KAMA(bars.close, p["period"])), pd.Series(bars.close)
    upper, lower = average * (1 + p["band"]), average * (1 - p["band"])
    up, down = above(close, upper) & (average.diff() > 0), below(close, lower) & (average.diff() < 0)
    return up, close < lower, down, close > upper


def tsi(bars: Bars, p: dict[str, Any]) -> Rule:
    line = talib.TSI(bars.close, p["long_period"], p["short_period"])
    signal = talib.EMA(line, p["signal_period"])
    up, down = above(line, signal), below(line, signal)
    if p["require_counter_side"]:
        return up & (line < 0), down, down & (line > 0), up
    return up, down, down, up


def rolling_vwap(bars: Bars, p: dict[str, Any]) -> Rule:
    typical, volume = pd.Series((bars.high + bars.low + bars.close) / 3), pd.Series(bars.volume)
    n = p["rolling_period"]
    weight = volume.rolling(n).sum()
    mean = (typical * volume).rolling(n).sum() / weight
    deviation = ((typical**2 * volume).rolling(n).sum() / weight - mean**2).clip(lower=0) ** 0.5
    z = (bars.close - mean) / deviation * (1 if p["mode"] == "reversion" else -1)
    return z < -p["num_std"], z >= 0, z > p["num_std"], z <= 0


def bollinger_squeeze(bars: Bars, p: dict[str, Any]) -> Rule:
    n, close = p["period"], pd.Series(bars.close)
    deviation, width = talib.STDDEV(bars.close, n), talib.ATR(bars.high, bars.low, bars.close, n)
    inside = pd.Series(p["bb_num_std"] * deviation < p["kc_multiplier"] * width)
    quiet = inside.rolling(p["min_squeeze_bars"]).sum().shift() == p["min_squeeze_bars"]
    middle = (pd.Series(bars.high).rolling(n).max() + pd.Series(bars.low).rolling(n).min()) / 2
    speed = pd.Series(talib.LINEARREG((close - (middle + close.rolling(n).mean()) / 2).to_numpy(), n))
    out, step = quiet & ~inside, speed.diff()
    fading, growing = (step < 0) & (step.shift() < 0), (step > 0) & (step.shift() > 0)
    return out & (speed > 0), fading, out & (speed < 0), growing


def completed(values: Any, factor: int, size: int) -> Any:
    """Values of higher bars, seen from the base bar that completes each one on."""
    seen = pd.Series(np.nan, index=range(size))
    seen.iloc[factor - 1 :: factor] = values
    return seen.ffill()


def mtf_trend_analysis(bars: Bars, p: dict[str, Any]) -> Rule:
    def spread(factor: int) -> Any:
        close = bars.close[factor - 1 :: factor]
        difference = talib.EMA(close, p["fast_period"]) - talib.EMA(close, p["slow_period"])
        return completed(difference, factor, len(bars))

    base, middle, high = spread(1), spread(p["middle_factor"]), spread(p["high_factor"])
    up, down = (base > 0) & (middle > 0) & (high > 0), (base < 0) & (middle < 0) & (high < 0)
    return up, base < 0, down, base > 0


def mtf_macd(bars: Bars, p: dict[str, Any]) -> Rule:
    periods = p["fast_period"], p["slow_period"], p["signal_period"]
    line, signal, _ = talib.MACD(bars.close, *periods)
    _, _, histogram = talib.MACD(bars.close[p["factor"] - 1 :: p["factor"]], *periods)
    slope = completed(pd.Series(histogram).diff().to_numpy(), p["factor"], len(bars))
    up, down = above(line, signal), below(line, signal)
    return up & (slope > 0), down, down & (slope < 0), up


TWINS: dict[str, tuple[Callable[[Bars, dict[str, Any]], Rule], list[dict[str, Any]]]] = {
    "MovingAverageCrossover": (
        moving_average_crossover,
        [
            {},
            {"fast_period": 5, "slow_period": 21, "ma_type": "hma"},
            {"fast_period": 8, "slow_period": 13, "ma_type": "wma"},
        ],
    ),
    "MACD": (macd, [{}, {"fast_period": 5, "slow_period": 20, "signal_period": 4, "require_line_side": True}]),
    "RSI": (rsi, [{}, {"period": 5, "oversold": 25, "exit_level": 80}]),
    "RSI2": (rsi2, [{}, {"rsi_period": 3, "oversold": 15, "trend_period": 120, "exit_period": 9}]),
    "BollingerBands": (bollinger_bands, [{}, {"period": 10, "num_std": 1.5, "exit_at": "opposite"}]),
    "ZScore": (zscore, [{}, {"period": 35, "entry_z": 1.2, "exit_z": 0.5}]),
    "Stochastic": (stochastic, [{}, {"k_period": 8, "smooth_period": 1, "oversold": 30, "overbought": 70}]),
    "WilliamsR": (williams_r, [{}, {"period": 7, "oversold": -90, "overbought": -40}]),
    "CCI": (cci, [{}, {"period": 11, "threshold": 150, "exit_level": 50}]),
    "ADX": (adx, [{}, {"period": 7, "threshold": 15}]),
    "Supertrend": (supertrend, [{}, {"period": 7, "multiplier": 1.5}]),
    "ParabolicSAR": (parabolic_sar, [{}, {"step": 0.01, "maximum": 0.1}]),
    "Ichimoku": (ichimoku, [{}, {"tenkan_period": 5, "kijun_period": 17, "senkou_period": 40}]),
    "Aroon": (aroon, [{}, {"period": 10, "threshold": 90}]),
    "ROC": (roc, [{}, {"period": 20, "entry_threshold": 5, "exit_threshold": -2}]),
    "Momentum": (momentum, [{}, {"period": 50, "check_every": 4}]),
    "TRIX": (trix, [{}, {"period": 6, "signal_period": 4}]),
    "OBV": (obv, [{}, {"period": 50}]),
    "CMF": (cmf, [{}, {"period": 11, "threshold": 0.15}]),
    "AD": (ad, [{}, {"fast_period": 5, "slow_period": 21, "trend_period": 150}]),
    "MFI": (mfi, [{}, {"period": 7, "oversold": 30, "overbought": 65}]),
    "KeltnerChannel": (keltner_channel, [{}, {"period": 12, "multiplier": 1.2, "atr_period": 25}]),
    "MovingAverageRibbon": (moving_average_ribbon, [{}, {"fast_period": 4, "middle_period": 9, "slow_period": 21}]),
    "MovingAverageTiming": (moving_average_timing, [{}, {"period": 60, "band": 0.02}]),
    "KAMA": (kama, [{}, {"period": 21, "band": 0.01}]),
    "TSI": (tsi, [{}, {"short_period": 6, "long_period": 12, "signal_period": 4, "require_counter_side": True}]),
    "VWAP": (
        rolling_vwap,
        [{"anchor": "rolling"}, {"anchor": "rolling", "rolling_period": 40, "num_std": 1.0, "mode": "breakout"}],
    ),
    "BollingerSqueeze": (bollinger_squeeze, [{}, {"period": 11, "bb_num_std": 1.7, "min_squeeze_bars": 1}]),
    "MTFTrendAnalysis": (mtf_trend_analysis, [{"fast_period": 5, "slow_period": 20}]),
    "MTFMACD": (mtf_macd, [{}, {"fast_period": 5, "slow_period": 13, "signal_period": 5, "factor": 3}]),
    "MTFRSI": (mtf_rsi, [{}, {"period": 6, "oversold": 40, "overbought": 60, "factor": 4}]),
}


@pytest.mark.parametrize("direction", ["long_only", "short_only", "long_short"])
@pytest.mark.parametrize("name", TWINS)
def test_equals_its_twin(name: str, direction: str) -> None:
    """Targets are the twin's on daily and hourly bars, with the defaults and with other parameters."""
    rule, variants = TWINS[name]
    strategy = get_strategy(name)
    for bars in (daily(), hourly()):
        for given in variants:
            params = strategy.validate(given)
            expected = play(rule(bars, params), direction)
            assert any(expected)
            np.testing.assert_array_equal(strategy.target(bars, params, direction), expected)


def test_donchian_with_its_stop() -> None:
    """Donchian leaves at the opposite channel or at the ATR stop below the entry's close, whichever comes first."""
    bars = daily()
    params = {"entry_period": 20, "exit_period": 10, "stop_atr": 1.0}
    high, low, close = pd.Series(bars.high), pd.Series(bars.low), bars.close
    top, bottom = high.rolling(20).max().shift(), low.rolling(10).min().shift()
    width = talib.ATR(bars.high, bars.low, close, 20)
    position, stop, expected, stopped = 0, 0.0, [], 0
    for i in range(len(bars)):
        if position and (close[i] < bottom[i] or close[i] < stop):
            stopped += close[i] >= bottom[i]
            position = 0
        elif not position and width[i] > 0 and close[i] > top[i]:
            position, stop = 1, close[i] - width[i]
        expected.append(position)
    assert stopped > 0
    np.testing.assert_array_equal(get_strategy("Donchian").target(bars, params), expected)


def test_atr_breakout_with_its_chandelier() -> None:
    """ATR enters on an unusual rise and leaves a multiple of ATR below the highest high since the entry's bar."""
    bars = daily()
    close, width = bars.close, talib.ATR(bars.high, bars.low, bars.close, 14)
    position, top, expected = 0, 0.0, [0]
    for i in range(1, len(bars)):
        top = max(top, bars.high[i])
        if position and close[i] < top - 3.0 * width[i]:
            position = 0
        elif not position and close[i] - close[i - 1] > 1.5 * width[i - 1]:
            position, top = 1, bars.high[i]
        expected.append(position)
    assert any(expected)
    np.testing.assert_array_equal(get_strategy("ATR").target(bars), expected)


def test_pivot_breakout_of_daily_bars_uses_the_previous_month() -> None:
    """PivotPoints on daily bars: the levels of the month before."""
    bars = daily()
    frame = bars.to_frame().tz_localize(None)
    month = frame.index.to_period("M")
    monthly = frame.groupby(month).agg({"high": "max", "low": "min", "close": "last"}).shift()
    high, low, close = (monthly[c].reindex(month).to_numpy() for c in ("high", "low", "close"))
    pivot = (high + low + close) / 3
    r1, r2 = 2 * pivot - low, pivot + (high - low)
    price, position, expected = bars.close, 0, [0]
    for i in range(1, len(bars)):
        leave = price[i] < pivot[i] or price[i] >= r2[i]
        if price[i - 1] <= r1[i] < price[i] and not leave:
            position = 1
        elif position and leave:
            position = 0
        expected.append(position)
    assert any(expected)
    np.testing.assert_array_equal(get_strategy("PivotPoints").target(bars), expected)
