"""ResultVisualizer: a report as text, Markdown, HTML, CSV or JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined

from stratopt.optimization.batch_report import BatchAnalysisReport, FailedItem, RankedResult
from stratopt.reporting.charts import bar_chart

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\0")
LEADERBOARD = (
    ("rank", "Rank"),
    ("strategy_id", "Strategy"),
    ("symbol", "Symbol"),
    ("timeframe", "Bars"),
    ("oos_sharpe", "Sharpe OOS"),
    ("is_sharpe", "Sharpe IS"),
    ("oos_return", "Return OOS"),
    ("is_return", "Return IS"),
    ("oos_drawdown", "Max drawdown OOS"),
    ("oos_trades", "Trades OOS"),
    ("category", "Category"),
)


class ResultVisualizer:
    """Renders a BatchAnalysisReport; every text of a client is escaped for its format."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("stratopt.reporting"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def json(self, report: BatchAnalysisReport) -> bytes:
        """The report as a JSON document."""
        return orjson.dumps(report.to_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)

    def csv(self, report: BatchAnalysisReport) -> str:
        """Ranking and failures, one line a job; text that a spreadsheet would run as a formula gets an apostrophe."""
        sink = io.StringIO()
        writer = csv.writer(sink, lineterminator="\n")
        names = list(report.ranking[0].out_of_sample) if report.ranking else []
        head = [
            "rank",
            "strategy_id",
            "strategy",
            "symbol",
            "timeframe",
            "status",
            "category",
            "percentile",
            *(f"oos_{n}" for n in names),
            *(f"is_{n}" for n in names),
            "best_params",
            "error_code",
            "error",
        ]
        writer.writerow(head)
        for r in report.ranking:
            inside, outside = [r.in_sample[n] for n in names], [r.out_of_sample[n] for n in names]
            params = orjson.dumps(dict(r.best_params)).decode()
            writer.writerow(
                map(
                    _safe_cell,
                    [
                        r.rank,
                        r.strategy_id,
                        r.strategy,
                        r.symbol,
                        r.timeframe,
                        "succeeded",
                        r.category,
                        r.percentile,
                        *outside,
                        *inside,
                        params,
                        "",
                        "",
                    ],
                )
            )
        for f in report.failures:
            blank = [""] * (2 + 2 * len(names) + 1)
            writer.writerow(
                map(
                    _safe_cell,
                    ["", f.strategy_id, f.strategy, f.symbol, f.timeframe, f.status, *blank, f.code, f.message],
                )
            )
        return sink.getvalue()

    def markdown(self, report: BatchAnalysisReport) -> str:
        """Executive summary, leaderboard and errors as Markdown."""
        rows = [leaderboard_row(r) for r in report.ranking]
        lines = [
            f"# Batch {_md(report.label or report.batch_id)}",
            "",
            *(f"- {_md(s)}" for s in report.executive_summary),
            "",
            "## Leaderboard",
            "",
        ]
        if rows:
            lines += ["| " + " | ".join(title for _, title in LEADERBOARD) + " |", "|" + " --- |" * len(LEADERBOARD)]
            lines += ["| " + " | ".join(_md(row[key]) for key, _ in LEADERBOARD) + " |" for row in rows]
        else:
            lines.append("No optimisation succeeded.")
        lines += ["", "## Errors", ""]
        lines += [
            f"- **{_md(f.strategy_id)}** on {_md(f.symbol)} {_md(f.timeframe)}: `{f.code}` {_md(f.message)}"
            for f in report.failures
        ] or ["None."]
        return "\n".join(lines) + "\n"

    def text(self, report: BatchAnalysisReport) -> str:
        """The same for a terminal without colours."""
        rows = [[str(leaderboard_row(r)[key]) for key, _ in LEADERBOARD] for r in report.ranking]
        titles = [title for _, title in LEADERBOARD]
        widths = [max(len(row[i]) for row in [titles, *rows]) for i in range(len(titles))]
        table = [
            "  ".join(
                cell.rjust(w) if i > 3 else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in [titles, *rows]
        ]
        errors = [f"FAILED {f.strategy_id} {f.symbol} {f.timeframe}: {f.code}: {f.message}" for f in report.failures]
        return "\n".join([*report.executive_summary, "", *table, "", *errors]).rstrip() + "\n"

    def html(self, report: BatchAnalysisReport) -> str:
        """One self-contained page: no script, no external request."""
        chart = bar_chart(
            [f"{r.strategy_id} {r.symbol} {r.timeframe}" for r in report.ranking],
            {
                "out of sample": [r.out_of_sample["sharpe_ratio"] for r in report.ranking],
                "in sample": [r.in_sample["sharpe_ratio"] for r in report.ranking],
            },
            unit="Sharpe ratio, yearly",
        )
        return self._templates.get_template("report.html").render(
            report=report,
            titles=LEADERBOARD,
            rows=[leaderboard_row(r) for r in report.ranking],
            chart=chart,
            created=_moment(report.created_at),
            statistics=_statistic_rows(report.statistics),
        )


def leaderboard_row(r: RankedResult) -> dict[str, Any]:
    """The cells of one ranked result, formatted."""
    inside, outside = r.in_sample, r.out_of_sample
    return {
        "rank": r.rank,
        "strategy_id": r.strategy_id,
        "symbol": r.symbol,
        "timeframe": r.timeframe,
        "oos_sharpe": ratio(outside["sharpe_ratio"]),
        "is_sharpe": ratio(inside["sharpe_ratio"]),
        "oos_return": percent(outside["total_return"]),
        "is_return": percent(inside["total_return"]),
        "oos_drawdown": percent(outside["max_drawdown"]),
        "oos_trades": "n/a" if outside["trade_count"] is None else f"{outside['trade_count']:.0f}",
        "category": r.category,
    }


def ratio(value: float | None) -> str:
    """A ratio with two digits, or n/a."""
    return "n/a" if value is None else f"{value:.2f}"


def percent(value: float | None) -> str:
    """A fraction as per cent, or n/a."""
    return "n/a" if value is None else f"{value:+.1%}"


def failure_line(f: FailedItem) -> str:
    """One failure in one line."""
    return f"{f.strategy_id} on {f.symbol} {f.timeframe}: {f.code}: {f.message}"


def _statistic_rows(statistics: Mapping[str, Mapping[str, float | None]]) -> Sequence[tuple[str, Sequence[str]]]:
    shown = ("mean", "median", "lower_quartile", "upper_quartile", "standard_deviation", "minimum", "maximum")
    return [
        (name.replace("_", " "), ["n/a" if spread[s] is None else f"{spread[s]:.3f}" for s in shown])
        for name, spread in statistics.items()
    ]


def _safe_cell(value: Any) -> Any:
    return (
        f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else "" if value is None else value
    )


def _md(value: Any) -> str:
    text = str(value).replace("\\", "\\\\").replace("\n", " ").replace("\r", " ")
    for mark in "|`*_[]<>#":
        text = text.replace(mark, "\\" + mark)
    return text


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
