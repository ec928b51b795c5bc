"""The list of batches in the terminal: wide ids stay whole in 80 columns, because what belongs to them stands below."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from stratopt.cli.output import table

ID_WIDTH = 36
SYMBOLS_WIDTH = 15
INDENT = "  "
COLUMNS = (
    ("batch_id", "Batch"),
    ("status", "Status"),
    ("best", "Best OOS"),
    ("sharpe", "Sharpe"),
)


def batches_table(batches: Sequence[Mapping[str, Any]]) -> Table:
    """A row a batch; under its id when it was submitted, its symbols and its label, under its status how many jobs succeeded."""
    return table(COLUMNS, [_row(batch) for batch in batches], whole=("batch_id", "status"))


def _row(batch: Mapping[str, Any]) -> dict[str, Any]:
    best, counts = batch.get("best"), batch["counts"]
    return {
        "batch_id": _identity(batch),
        "status": _with_below(batch["status"], [f"{counts['succeeded']}/{counts['total']} succeeded"]),
        "best": best and Text(f"{best['strategy_id']} {best['symbol']} {best['timeframe']}"),
        "sharpe": best and f"{best['sharpe_ratio']:.2f}",
    }


def _identity(batch: Mapping[str, Any]) -> Text:
    submitted = batch["created_at"][:16].replace("T", " ") + "Z"
    told = f"{submitted}  {shortened(batch.get('symbols') or [])}", batch["label"] or ""
    below = [
        line for text in told for line in textwrap.wrap(text, ID_WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)
    ]
    return _with_below(batch["batch_id"], below)


def _with_below(first: str, below: Sequence[str]) -> Text:
    return Text(first).append("".join(f"\n{line}" for line in below), style="dim")


def shortened(symbols: Sequence[str]) -> str:
    """The first symbols, as many as fit, and how many more there are."""
    for count in range(len(symbols), 1, -1):
        left = len(symbols) - count
        text = ", ".join(symbols[:count]) + (f" +{left}" if left else "")
        if len(text) <= SYMBOLS_WIDTH:
            return text
    return " ".join([*symbols[:1], *([f"+{len(symbols) - 1}"] if len(symbols) > 1 else [])])
