"""A report as CSV, one line a job, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import Any

import orjson

from stratopt.optimization.batch_report import BatchAnalysisReport, FailedItem, RankedResult
from stratopt.optimization.result_aggregator import SHOWN_METRICS
from stratopt.reporting.csv_cells import safe_cell

IDENTITY = ("rank", "strategy_id", "strategy", "symbol", "timeframe", "status", "category", "percentile")
EVIDENCE = ("step_down_p", "excess_sharpe", "sharpe_standard_error", "psr", "dsr", "pbo", "sharpe_needed")
COLUMNS = (
    *IDENTITY,
    *(f"oos_{name}" for name in SHOWN_METRICS),
    *(f"is_{name}" for name in SHOWN_METRICS),
    "best_params",
    "error_code",
    "error",
    "verdict",
    "verdict_reasons",
    *EVIDENCE,
)


def report_csv(report: BatchAnalysisReport) -> str:
    """Ranking and failures; text that a spreadsheet would run as a formula gets an apostrophe."""
    sink = io.StringIO()
    writer = csv.DictWriter(sink, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in [*map(_ranked, report.ranking), *map(_failed, report.failures)]:
        writer.writerow({name: safe_cell(value) for name, value in row.items()})
    return sink.getvalue()


def _ranked(r: RankedResult) -> dict[str, Any]:
    return {
        "rank": r.rank,
        "strategy_id": r.strategy_id,
        "strategy": r.strategy,
        "symbol": r.symbol,
        "timeframe": r.timeframe,
        "status": "succeeded",
        "category": r.category,
        "percentile": r.percentile,
        **{f"oos_{name}": r.out_of_sample[name] for name in SHOWN_METRICS},
        **{f"is_{name}": r.in_sample[name] for name in SHOWN_METRICS},
        "best_params": orjson.dumps(dict(r.best_params)).decode(),
        "verdict": r.verdict,
        "verdict_reasons": "; ".join(r.verdict_reasons),
        **{name: r.evidence[name] for name in EVIDENCE},
    }


def _failed(f: FailedItem) -> dict[str, Any]:
    return {
        "strategy_id": f.strategy_id,
        "strategy": f.strategy,
        "symbol": f.symbol,
        "timeframe": f.timeframe,
        "status": f.status,
        "error_code": f.code,
        "error": f.message,
    }
