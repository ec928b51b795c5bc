"""A backtest as one self-contained SVG picture: equity with trade markers above, drawdown below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stratopt.backtest.axis import date_ticks, round_ticks, short_number
from stratopt.kernels.arrays import AnyArray, Float64Array1D

if TYPE_CHECKING:
    from stratopt.backtest.result import BacktestResult

WIDTH, LEFT, RIGHT = 960, 74, 16
EQUITY_TOP, EQUITY_BOTTOM = 56, 330
DRAWDOWN_TOP, DRAWDOWN_BOTTOM = 362, 462
HEIGHT = 500
MOST_MARKERS = 400
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#334155}.title{font-size:15px;font-weight:600;fill:#0f172a}"
    ".grid{stroke:#e2e8f0}.axis{stroke:#94a3b8}.equity{fill:none;stroke:#2563eb;stroke-width:1.5}"
    ".drawdown{fill:#fecaca;stroke:#dc2626}.base{stroke:#94a3b8;stroke-dasharray:4 4}"
    ".long{fill:#15803d}.short{fill:#b45309}.exit{fill:none;stroke:#475569;stroke-width:1.3}"
)


@dataclass(frozen=True)
class Plot:
    """An SVG text that notebooks show and ``save`` writes."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def __str__(self) -> str:
        return self.svg

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the picture to ``path`` and return it."""
        target = Path(path)
        target.write_text(self.svg, encoding="utf-8")
        return target


@dataclass(frozen=True)
class Panel:
    """Maps bar positions and values to points of one rectangle of the picture."""

    top: float
    bottom: float
    low: float
    high: float
    count: int

    def x(self, position: AnyArray | float) -> Float64Array1D:
        """Horizontal pixels of bar positions."""
        width = WIDTH - LEFT - RIGHT
        return LEFT + np.asarray(position, dtype=np.float64) / max(self.count - 1, 1) * width

    def y(self, value: AnyArray | float) -> Float64Array1D:
        """Vertical pixels of values."""
        share = (np.asarray(value, dtype=np.float64) - self.low) / (self.high - self.low)
        return self.bottom - share * (self.bottom - self.top)

    def points(self, position: AnyArray, value: AnyArray) -> str:
        """Points of an SVG polyline."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(self.x(position), self.y(value), strict=True))


def draw(result: BacktestResult) -> Plot:
    """The picture of ``result``."""
    equity, drawdown = result.equity_values, np.asarray(result.drawdown, dtype=np.float64)
    initial = float(result.execution.initial_cash)
    low, high = min(float(equity.min()), initial), max(float(equity.max()), initial)
    margin = 0.04 * (high - low) or 0.01 * abs(initial)
    upper = Panel(EQUITY_TOP, EQUITY_BOTTOM, low - margin, high + margin, len(equity))
    lower = Panel(DRAWDOWN_TOP, DRAWDOWN_BOTTOM, min(float(drawdown.min()) * 1.05, -0.001), 0.0, len(equity))
    kept = visible_positions(equity)
    under = visible_positions(drawdown)
    closing = f" {LEFT + WIDTH - LEFT - RIGHT:.1f},{DRAWDOWN_TOP} {LEFT},{DRAWDOWN_TOP}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
        f"<title>{escape(_title(result))}</title><style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text class="title" x="{LEFT}" y="24">{escape(_title(result))}</text>',
        f'<text x="{LEFT}" y="44">Equity (money, costs included)</text>',
        f'<text x="{LEFT}" y="{DRAWDOWN_TOP - 8}">Drawdown from the highest equity</text>',
        *_value_axis(upper, short_number),
        *_value_axis(lower, lambda value: f"{value:.0%}" if lower.low < -0.05 else f"{value:.1%}"),
        *_date_axis(result, upper, lower),
        f'<line class="base" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{upper.y(initial):.1f}" y2="{upper.y(initial):.1f}"/>',
        f'<polyline class="equity" points="{upper.points(kept, equity[kept])}"/>',
        f'<polygon class="drawdown" points="{lower.points(under, drawdown[under])}{closing}"/>',
        *_markers(result, upper),
        "</svg>",
    ]
    return Plot("\n".join(parts))


def visible_positions(values: Float64Array1D, columns: int = 800) -> AnyArray:
    """Positions of the lowest and highest value of each of ``columns`` stretches, ends included: what a line can show."""
    if values.size <= 2 * columns:
        return np.arange(values.size)
    edges = np.linspace(0, values.size, columns + 1).astype(np.int64)
    kept = {0, values.size - 1}
    for first, last in pairwise(edges):
        kept.update((first + int(values[first:last].argmin()), first + int(values[first:last].argmax())))
    return np.array(sorted(kept))


def _title(result: BacktestResult) -> str:
    total, deepest = result.metrics["total_return"], result.metrics["max_drawdown"]
    sharpe = result.metrics["sharpe_ratio"]
    ratio = "Sharpe undefined" if sharpe is None else f"Sharpe {sharpe:.2f}"
    return (
        f"{result.bars.symbol} {result.bars.timeframe} · return {total:+.1%} · {ratio} · "
        f"max drawdown {deepest:.1%} · {len(result.trade_rows)} trades"
    )


def _value_axis(panel: Panel, write: Callable[[float], str]) -> list[str]:
    parts = []
    for value in round_ticks(panel.low, panel.high, 5):
        y = float(panel.y(value))
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(write(value))}</text>')
    return parts


def _date_axis(result: BacktestResult, upper: Panel, lower: Panel) -> list[str]:
    parts: list[str] = []
    for position, label in date_ticks(result.index, 7):
        x = float(upper.x(position))
        anchor = "middle" if LEFT + 30 < x < WIDTH - RIGHT - 30 else ("start" if x <= LEFT + 30 else "end")
        parts.extend(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{panel.top}" y2="{panel.bottom}"/>'
            for panel in (upper, lower)
        )
        parts.append(f'<text x="{x:.1f}" y="{lower.bottom + 18}" text-anchor="{anchor}">{label}</text>')
    for panel in (upper, lower):
        parts.append(f'<line class="axis" x1="{LEFT}" x2="{LEFT}" y1="{panel.top}" y2="{panel.bottom}"/>')
        parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{panel.bottom}" y2="{panel.bottom}"/>')
    parts.append(
        f'<text x="{(WIDTH + LEFT) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">Bar open (UTC) · '
        "▲ long entry · ▼ short entry · ○ exit</text>"
    )
    return parts


def _markers(result: BacktestResult, panel: Panel) -> list[str]:
    trades = result.trades
    if len(trades) > MOST_MARKERS:
        text = f"{len(trades):,} trades: too many to mark"
        return [f'<text x="{WIDTH - RIGHT}" y="44" text-anchor="end">{text}</text>']
    parts = []
    for entry, exit_, side, is_open in zip(
        trades["entry_bar"], trades["exit_bar"], trades["side"], trades["open"], strict=True
    ):
        x, y = _place(result, panel, entry)
        kind, tip = ("long", 7) if side > 0 else ("short", -7)
        parts.append(f'<path class="{kind}" d="M{x:.1f} {y - tip:.1f}l5 {tip * 1.3:.1f}h-10z"/>')
        if not is_open:
            x, y = _place(result, panel, exit_)
            parts.append(f'<circle class="exit" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
    return parts


def _place(result: BacktestResult, panel: Panel, bar: int) -> tuple[float, float]:
    position = bar - result.window.start
    return float(panel.x(position)), float(panel.y(result.equity_values[position]))
