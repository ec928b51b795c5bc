"""What a job would score is known before it runs, and so is that it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from stratopt.errors import StratoptError
from stratopt.market.bars import Bars
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.windows import windows_of
from stratopt.strategies.catalogue import get_strategy


def days(count: int, volume: float) -> Bars:
    close = 100.0 + np.sin(np.arange(count) / 9)
    stamps = 86_400_000 * (17_000 + np.arange(count))
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    rising = volume * np.arange(1.0, count + 1.0) if volume else np.zeros(count)
    return Bars.from_arrays(symbol="ZZ", timeframe="1d", open_time=stamps, volume=rising, **prices)


def spec(strategy: str, **dates: str) -> JobSpec:
    return JobSpec(strategy_id="one", strategy=strategy, symbol="ZZ", timeframe="1d", **dates)


def test_folds_follow_each_other_from_the_first_scored_bar_to_the_end_date() -> None:
    strategy = get_strategy("OBV")
    found = windows_of(spec("OBV", end_date="2018-07-19"), strategy, strategy.space, days(900, 1.0))
    assert len(found.bars) == 731
    assert found.folds[0].train_start == found.first
    assert found.folds[-1].test_stop == len(found.bars)


def test_a_volume_that_never_changes_is_refused_where_it_is_read() -> None:
    reads, reads_not = get_strategy("OBV"), get_strategy("RSI")
    with pytest.raises(StratoptError, match="OBV reads the volume, but the volume of ZZ 1d is 0 on every bar"):
        windows_of(spec("OBV"), reads, reads.space, days(900, 0.0))
    assert windows_of(spec("RSI"), reads_not, reads_not.space, days(900, 0.0)).folds


def test_too_few_bars_after_the_start_date_are_refused() -> None:
    strategy = get_strategy("RSI")
    with pytest.raises(StratoptError, match="scored bars are too few") as caught:
        windows_of(spec("RSI", start_date="2019-01-01"), strategy, strategy.space, days(900, 1.0))
    assert caught.value.code == "insufficient_data"
