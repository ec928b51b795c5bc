"""What a list tells of a batch: its scope, planned from the specs of its jobs."""

from __future__ import annotations

from typing import Any

import pytest

from stratopt.optimization.batch_summary import BatchScope
from stratopt.optimization.job_spec import JobSpec
from stratopt.wire.base import rfc3339


def spec(strategy_id: str = "s", symbol: str = "BTC", timeframe: str = "1d", **more: Any) -> JobSpec:
    return JobSpec(strategy_id=strategy_id, strategy="RSI", symbol=symbol, timeframe=timeframe, **more)


def test_names_stand_once_in_the_order_of_submission() -> None:
    """A strategy that was submitted twice counts twice."""
    specs = [
        spec(name, symbol, bars) for name in ("fast", "slow") for symbol in ("ETH", "BTC") for bars in ("1w", "1d")
    ]
    scope = BatchScope.of(specs)
    assert (scope.strategies, scope.symbols, scope.timeframes) == (2, ("ETH", "BTC"), ("1w", "1d"))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            [("2016-01-01T00:00:00+00:00", "2020-01-01T00:00:00+00:00"), ("2015-06-01T12:00:00+00:00", "2018-01-01")],
            ("2015-06-01T12:00:00.000Z", "2020-01-01T00:00:00.000Z"),
        ),
        (
            [("2015-06-01", "2016-01-01"), ("2015-06-01T01:00:00+02:00", "2016-01-01")],
            ("2015-05-31T23:00:00.000Z", "2016-01-01T00:00:00.000Z"),
        ),
        ([("1885-02-16", "9999-12-31")], ("1885-02-16T00:00:00.000Z", "9999-12-31T00:00:00.000Z")),
        ([("2016-01-01", "2020-01-01"), (None, "2019-01-01")], (None, "2020-01-01T00:00:00.000Z")),
        ([("2016-01-01", None), ("2015-01-01", "2019-01-01")], ("2015-01-01T00:00:00.000Z", None)),
        ([(None, None)], (None, None)),
    ],
)
def test_the_range_is_the_outermost_and_open_where_one_job_is_open(
    asked: list[tuple[str | None, str | None]], told: tuple[str | None, str | None]
) -> None:
    scope = BatchScope.of([spec(start_date=start, end_date=end) for start, end in asked])
    assert (rfc3339(scope.start_date), rfc3339(scope.end_date)) == told
