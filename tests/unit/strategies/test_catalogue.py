"""The catalogue: names, defaults, look-up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stratopt.errors import ParameterSpaceError, StrategyError
from stratopt.strategies.base import Category, Direction, Strategy
from stratopt.strategies.catalogue import BUILT_IN, StrategyCatalogue, get_strategy, is_built_in, list_strategies

CANONICAL = """MovingAverageCrossover RSI MACD BollingerBands Momentum ROC Stochastic WilliamsR UltimateOscillator VWAP OBV AD CMF
ATR BollingerSqueeze KeltnerChannel HistoricalVolatility SupportResistance PivotPoints FibonacciRetracement DoubleTopBottom
MTFTrendAnalysis MTFRSI MTFMACD"""
FURTHER = """MovingAverageRibbon MovingAverageTiming KAMA Donchian ADX ParabolicSAR Supertrend Ichimoku Aroon RSI2 ZScore CCI TRIX TSI MFI"""

DEFAULTS = {
    "MovingAverageCrossover": {"fast_period": 20, "slow_period": 50, "ma_type": "sma"},
    "MovingAverageRibbon": {"fast_period": 8, "middle_period": 21, "slow_period": 55},
    "MACD": {"fast_period": 12, "slow_period": 26, "signal_period": 9, "require_line_side": False},
    "MovingAverageTiming": {"period": 200, "band": 0.0},
    "Donchian": {"entry_period": 20, "exit_period": 10, "stop_atr": 2.0},
    "ADX": {"period": 14, "threshold": 25.0},
    "ParabolicSAR": {"step": 0.02, "maximum": 0.2},
    "Supertrend": {"period": 10, "multiplier": 3.0},
    "Ichimoku": {"tenkan_period": 9, "kijun_period": 26, "senkou_period": 52},
    "Aroon": {"period": 25, "threshold": 70.0},
    "KAMA": {"period": 10, "band": 0.0},
    "RSI": {"period": 14, "oversold": 30.0, "exit_level": 60.0},
    "RSI2": {"rsi_period": 2, "oversold": 10.0, "trend_period": 200, "exit_period": 5},
    "BollingerBands": {"period": 20, "num_std": 2.0, "exit_at": "middle"},
    "ZScore": {"period": 20, "entry_z": 2.0, "exit_z": 0.0},
    "Stochastic": {"k_period": 14, "smooth_period": 3, "d_period": 3, "oversold": 20.0, "overbought": 80.0},
    "WilliamsR": {"period": 14, "oversold": -80.0, "overbought": -20.0},
    "CCI": {"period": 20, "threshold": 100.0, "exit_level": 0.0},
    "Momentum": {"period": 252, "check_every": 21},
    "ROC": {"period": 12, "entry_threshold": 2.0, "exit_threshold": 0.0},
    "UltimateOscillator": {
        "short_period": 7,
        "medium_period": 14,
        "long_period": 28,
        "oversold": 30.0,
        "overbought": 70.0,
    },
    "TRIX": {"period": 15, "signal_period": 9},
    "TSI": {"short_period": 13, "long_period": 25, "signal_period": 7, "require_counter_side": False},
    "OBV": {"period": 20},
    "CMF": {"period": 20, "threshold": 0.05},
    "AD": {"fast_period": 3, "slow_period": 10, "trend_period": 50},
    "MFI": {"period": 14, "oversold": 20.0, "overbought": 80.0},
    "VWAP": {"anchor": "session", "num_std": 1.5, "mode": "reversion"},
    "ATR": {"period": 14, "multiplier": 1.5, "trail_multiplier": 3.0},
    "BollingerSqueeze": {"period": 20, "bb_num_std": 2.0, "kc_multiplier": 1.5, "min_squeeze_bars": 3},
    "KeltnerChannel": {"period": 20, "multiplier": 2.0, "atr_period": 10},
    "HistoricalVolatility": {"short_period": 6, "long_period": 100, "max_ratio": 0.5, "holding_bars": 5},
    "PivotPoints": {"kind": "classic", "mode": "breakout", "tolerance": 0.0},
    "FibonacciRetracement": {"swing_bars": 5, "retracement": 0.5, "min_swing_atr": 3.0},
    "DoubleTopBottom": {"swing_bars": 5, "tolerance": 0.02, "min_width": 20, "max_width": 80},
    "SupportResistance": {"swing_bars": 5, "min_touches": 2, "tolerance_atr": 0.5},
    "MTFTrendAnalysis": {"fast_period": 20, "slow_period": 50, "middle_factor": 4, "high_factor": 16},
    "MTFRSI": {"period": 14, "oversold": 35.0, "overbought": 65.0, "factor": 6},
    "MTFMACD": {"fast_period": 12, "slow_period": 26, "signal_period": 9, "factor": 6},
}


def test_the_catalogue_has_its_39_names() -> None:
    """The names that clients send, and the further ones, exactly."""
    assert sorted(s.name for s in BUILT_IN) == sorted((CANONICAL + " " + FURTHER).split())
    assert len(list_strategies()) == 39
    assert {s.category for s in BUILT_IN} == set(Category) - {Category.CUSTOM}


@pytest.mark.parametrize("strategy", BUILT_IN, ids=lambda s: s.name)
def test_parameters_and_defaults(strategy: Strategy) -> None:
    """Parameter names and defaults are a contract with clients."""
    assert strategy.space.defaults() == DEFAULTS[strategy.name]
    assert strategy.validate(None) == DEFAULTS[strategy.name]


def test_volume_strategies_say_so() -> None:
    """Exactly those that read volume need it."""
    assert {s.name for s in BUILT_IN if s.needs_volume} == {"OBV", "CMF", "AD", "MFI", "VWAP"}


def test_moving_averages_can_be_passed_by_hand() -> None:
    """Any fast below slow is accepted, whatever the search's ratio; the reverse is refused."""
    strategy = get_strategy("MovingAverageCrossover")
    assert strategy.validate({"fast_period": 10, "slow_period": 11})["slow_period"] == 11
    with pytest.raises(ParameterSpaceError, match="greater than fast_period"):
        strategy.validate({"fast_period": 30, "slow_period": 30})


@pytest.mark.parametrize(
    ("asked", "suggested"),
    [("MovingAverageCrosover", "MovingAverageCrossover"), ("macd", "MACD"), ("bollingerbands", "BollingerBands")],
)
def test_unknown_names_get_a_suggestion(asked: str, suggested: str) -> None:
    """A misspelt name is refused with the nearest one."""
    with pytest.raises(StrategyError, match=f"did you mean {suggested}") as caught:
        get_strategy(asked)
    assert caught.value.code == "unknown_strategy"
    assert caught.value.context["suggestions"][0] == suggested


def test_names_without_a_neighbour_point_to_the_list() -> None:
    """A name like no other says where the names are."""
    with pytest.raises(StrategyError, match="stratopt strategies"):
        get_strategy("qqqqqqqq")


def test_names_are_unique() -> None:
    """The same name twice is refused."""
    catalogue = StrategyCatalogue()
    assert len(catalogue) == 39
    assert "RSI" in catalogue
    assert catalogue.names[0] == "MovingAverageCrossover"
    with pytest.raises(StrategyError, match="taken") as caught:
        catalogue.add(get_strategy("RSI"))
    assert caught.value.code == "duplicate_strategy"


def test_directions_are_encoded_last() -> None:
    """The parameter vector follows the space's order: options by index, inactive parameters as NaN, the direction last."""
    strategy = get_strategy("VWAP")
    vector = strategy.encode(strategy.validate({"mode": "breakout"}), Direction.LONG_SHORT)
    assert vector[[0, 2, 3, 4]].tolist() == [0.0, 1.5, 1.0, 2.0]
    assert vector[1] != vector[1]


def test_a_copy_of_a_built_in_strategy_is_none() -> None:
    """Nobody looked for look-ahead in it."""
    strategy = get_strategy("RSI")
    assert is_built_in(strategy)
    assert not is_built_in(replace(strategy))
