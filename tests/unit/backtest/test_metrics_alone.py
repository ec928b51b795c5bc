"""The one metric that can be had without the others."""

from __future__ import annotations

import pytest

from stratopt import backtest, load_bars


@pytest.mark.parametrize("timeframe", ["1h", "1d"])
def test_the_sharpe_ratio_alone_is_that_of_all_metrics(timeframe: str) -> None:
    result = backtest(load_bars("BTC", timeframe), "RSI")
    assert result.metrics["sharpe_ratio"] is not None
    assert result.sharpe_ratio == result.metrics["sharpe_ratio"]


def test_it_is_undefined_where_nothing_was_held() -> None:
    result = backtest(load_bars("GOOG")[:60], "MovingAverageCrossover", {"fast_period": 50, "slow_period": 59})
    assert result.sharpe_ratio is None
    assert result.metrics["sharpe_ratio"] is None
