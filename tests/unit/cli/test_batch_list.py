"""The table of batches at the width of a small terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from stratopt.cli.batch_list import batches_table, shortened

BEST = {"strategy_id": "MovingAverageCrossover", "symbol": "BTC", "timeframe": "1d", "sharpe_ratio": 1.2345}
MANY = ["BTC", "ETH", "AAPL", "MSFT", "SPX", "EURUSD"]


def batch(number: int, status: str, **told: Any) -> dict[str, Any]:
    return {
        "batch_id": f"bat_{number:032x}",
        "status": status,
        "counts": {"succeeded": number, "total": 20},
        "created_at": "2026-11-22T23:39:55.287Z",
        "symbols": ["BTC"],
        "best": None,
        "label": None,
        **told,
    }


def lines(*batches: dict[str, Any], width: int = 100) -> list[str]:
    written = io.StringIO()
    Console(file=written, width=width, soft_wrap=True, highlight=False).print(batches_table(batches))
    return [line.rstrip() for line in written.getvalue().splitlines()]


def test_a_hundred_columns_hold_the_table_and_no_id_is_broken() -> None:
    found = lines(
        batch(20, "completed", best=BEST, symbols=MANY, label="nightly"),
        batch(3, "running", best={**BEST, "strategy_id": "RSI", "sharpe_ratio": -0.405}),
        batch(0, "cancelling", label="a longer [red]label[/red] with words and more words in it"),
    )
    assert found[3:-1] == [
        " bat_00000000000000000000000000000014   completed         MovingAverageCrossover BTC 1d     1.23",
        "   2026-11-22 23:39Z  BTC, ETH +4       20/20 succeeded",
        "   nightly",
        " bat_00000000000000000000000000000003   running           RSI BTC 1d                       -0.41",
        "   2026-11-22 23:39Z  BTC               3/20 succeeded",
        " bat_00000000000000000000000000000000   cancelling",
        "   2026-11-22 23:39Z  BTC               0/20 succeeded",
        "   a longer [red]label[/red] with",
        "   words and more words in it",
    ]
    assert max(map(len, found)) <= 100


def test_an_id_stays_whole_whatever_stands_beside_it() -> None:
    wordy = batch(1, "completed", best={**BEST, "strategy_id": "x" * 64}, symbols=["S" * 32, "B"], label="y" * 200)
    for width in (80, 100, 160):
        found = lines(wordy, width=width)
        assert found[3].startswith(f" {wordy['batch_id']}   completed  ")
        assert max(map(len, found)) <= width


def test_batches_of_an_earlier_release_tell_what_they_have() -> None:
    told = batch(1, "completed", symbols=None)
    del told["best"]
    below = "   2026-11-22 23:39Z                    1/20 succeeded"
    assert lines(told)[3:5] == [f" {told['batch_id']}   completed", below]


@pytest.mark.parametrize(
    ("symbols", "text"),
    [
        ([], ""),
        (["BTC"], "BTC"),
        (["BTC", "ETH", "LTC"], "BTC, ETH, LTC"),
        (["BTC", "ETH", "LTC", "SPX"], "BTC, ETH +2"),
        (["BTC", "A" * 32], "BTC +1"),
        (["A" * 32, "BTC"], f"{'A' * 32} +1"),
    ],
)
def test_many_symbols_are_shortened(symbols: list[str], text: str) -> None:
    assert shortened(symbols) == text
