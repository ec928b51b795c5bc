"""Watching a batch in the terminal: live progress on stderr, the ranking on stdout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from stratopt.cli.output import EXIT_SOME_FAILED, say, stderr, stdout, table
from stratopt.client.client import BatchHandle

LEADERBOARD = (
    ("rank", "#"),
    ("strategy_id", "Strategy"),
    ("series", "Series"),
    ("verdict", "Verdict"),
    ("oos_sharpe", "Sharpe OOS"),
    ("is_sharpe", "Sharpe IS"),
    ("oos_return", "Return OOS"),
    ("is_return", "Return IS"),
    ("oos_drawdown", "Max DD OOS"),
    ("oos_trades", "Trades OOS"),
    ("category", "Category"),
)


def watch(batch: BatchHandle) -> BatchHandle:
    """Show progress until the batch has ended."""
    with Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=stderr,
    ) as bar:
        task = bar.add_task("optimising", total=1.0, note="")
        batch.wait(on_event=lambda event: _show(bar, task, event))
        _show_counts(bar, task, batch.refresh().status["counts"], 1.0)
    return batch


def _show_counts(bar: Progress, task: Any, counts: Mapping[str, int], fraction: float) -> None:
    ended = counts["total"] - counts["queued"] - counts["running"]
    running = f", {counts['running']} running" if counts["running"] else ""
    bar.update(task, completed=fraction, note=f"{ended}/{counts['total']} done{running}")


def _show(bar: Progress, task: Any, event: Mapping[str, Any]) -> None:
    data = event["data"]
    if event["event"] in {"snapshot", "progress"}:
        _show_counts(bar, task, data["counts"], data["progress"]["fraction"])
    elif event["event"] == "strategy.completed":
        sharpe = data["summary"]["out_of_sample"]["sharpe_ratio"]
        bar.console.print(
            Text(
                f"  done    {data['strategy_id']} {data['symbol']} {data['timeframe']}: Sharpe out of sample {_ratio(sharpe)}",
                style="green",
            )
        )
    elif event["event"] == "strategy.failed":
        bar.console.print(
            Text(
                f"  {data['status']:<7} {data['strategy_id']} {data['symbol']} {data['timeframe']}: {data['error']['code']}",
                style="red",
            )
        )


def show_ranking(batch: BatchHandle, *, as_json: bool = False) -> dict[str, Any]:
    """Print the report of a batch; returns it."""
    report: dict[str, Any] = json.loads(batch.report("json", allow_partial=True))
    if as_json:
        stdout.out(json.dumps(report, indent=2), highlight=False)
        return report
    for sentence in report["executive_summary"]:
        stdout.print(Text(f"• {sentence}"))
    if report["ranking"]:
        stdout.print()
        stdout.print(leaderboard(report))
    for failure in report["failures"]:
        stdout.print(
            Text(
                f"\n✗ {failure['strategy_id']} on {failure['symbol']} {failure['timeframe']} {failure['status']} ({failure['code']})",
                style="bold red",
            )
        )
        stdout.print(Text(f"  {failure['message']}"))
    return report


def leaderboard(report: Mapping[str, Any]) -> Table:
    """The ranking as a table, out-of-sample columns beside in-sample ones."""
    return table(LEADERBOARD, [_row(item) for item in report["ranking"]])


def _row(item: Mapping[str, Any]) -> dict[str, Any]:
    inside, outside = item["in_sample"], item["out_of_sample"]
    return {
        "rank": item["rank"],
        "strategy_id": item["strategy_id"],
        "series": f"{item['symbol']} {item['timeframe']}",
        "verdict": item["verdict"].replace("_", " "),
        "oos_sharpe": _ratio(outside["sharpe_ratio"]),
        "is_sharpe": _ratio(inside["sharpe_ratio"]),
        "oos_return": _percent(outside["total_return"]),
        "is_return": _percent(inside["total_return"]),
        "oos_drawdown": _percent(outside["max_drawdown"]),
        "oos_trades": f"{outside['trade_count']:.0f}",
        "category": item["category"],
    }


def exit_code(report: Mapping[str, Any], fail_on: str) -> int:
    """0, or 7 when strategies failed and ``fail_on`` (any, all, never) says that this counts."""
    failed, total = len(report["failures"]), report["counts"]["total"]
    counts = {"any": failed > 0, "all": failed == total, "never": False}[fail_on]
    if counts:
        say(f"{failed} of {total} strategies did not succeed", "yellow")
    return EXIT_SOME_FAILED if counts else 0


def _ratio(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{value:+.1%}"
