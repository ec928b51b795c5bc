"""A backtest as HTML for notebooks: the picture and the main numbers."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratopt.backtest.result import BacktestResult

_ROWS = (
    ("total_return", "Total return", "{:+.2%}"),
    ("cagr", "CAGR", "{:+.2%}"),
    ("volatility", "Volatility a year", "{:.2%}"),
    ("sharpe_ratio", "Sharpe ratio", "{:.3f}"),
    ("sortino_ratio", "Sortino ratio", "{:.3f}"),
    ("calmar_ratio", "Calmar ratio", "{:.3f}"),
    ("max_drawdown", "Max drawdown", "{:.2%}"),
    ("trade_count", "Closed trades", "{:.0f}"),
    ("win_rate", "Win rate", "{:.1%}"),
    ("profit_factor", "Profit factor", "{:.3f}"),
    ("exposure", "Exposure", "{:.1%}"),
    ("turnover", "Turnover a year", "{:.2f}"),
    ("fees_paid", "Fees paid", "{:,.2f}"),
    ("final_equity", "Final equity", "{:,.2f}"),
)


def result_html(result: BacktestResult) -> str:
    """The picture above a table of main numbers; an undefined number says why."""
    cells = []
    for name, label, pattern in _ROWS:
        value = result.metrics[name]
        text = pattern.format(value) if value is not None else f"undefined: {result.metric_reasons[name]}"
        cells.append(f"<tr><th style='text-align:left'>{escape(label)}</th><td>{escape(text)}</td></tr>")
    return f"<div>{result.plot().svg}<table>{''.join(cells)}</table></div>"
