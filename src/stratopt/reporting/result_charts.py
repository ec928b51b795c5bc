"""Pictures of one result: its account, its losses, its months, its parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from stratopt.optimization.batch_report import ResultDetail
from stratopt.reporting.axis import log_ticks, round_ticks, short, year_starts
from stratopt.reporting.charts import diverging
from stratopt.reporting.svg import Drawing

LEFT, WIDTH = 56, 760
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LOWEST, HIGHEST = (237, 244, 250), (8, 64, 129)
FULL_COLOUR_MONTH = 0.15


def equity_chart(detail: ResultDetail) -> Markup:
    """Wealth on a logarithmic scale: fitted parameters over all bars in grey, the out-of-sample account on a shaded ground.

    The out-of-sample account is drawn from the value the grey line has where it begins.
    """
    if len(detail.days) < 2:
        return Markup("")
    begins = next((k for k, v in enumerate(detail.oos_wealth) if v is not None), len(detail.days) - 1)
    at_start = detail.wealth[max(begins - 1, 0)] if begins else 1.0
    outside = [(k, v * at_start) for k, v in enumerate(detail.oos_wealth) if v is not None and v * at_start > 0]
    inside = [(k, v) for k, v in enumerate(detail.wealth) if v is not None and v > 0]
    values = [v for _, v in outside + inside] or [1.0]
    low, high = min(values) / 1.03, max(values) * 1.03
    top, height = 26, 220

    def x(k: float) -> float:
        return LEFT + k / (len(detail.days) - 1) * WIDTH

    def y(value: float) -> float:
        return top + height - math.log(value / low) / math.log(high / low) * height

    d = Drawing(LEFT + WIDTH + 20, top + height + 30, "Wealth over time, out-of-sample bars shaded")
    d.rect(x(begins), top, x(len(detail.days) - 1) - x(begins), height, "tested")
    d.text(x(begins) + 6, top + 15, "out of sample", style="soft")
    for tick in log_ticks(low, high):
        d.line(LEFT, y(tick), LEFT + WIDTH, y(tick), "grid")
        d.text(LEFT - 8, y(tick) + 4, short(tick), anchor="end", style="soft")
    _dates(d, detail.days, x, top + height)
    d.path([(x(k), y(v)) for k, v in inside], "line-inside")
    d.path([(x(k), y(v)) for k, v in outside], "line-outside")
    d.line(LEFT, 12, LEFT + 24, 12, "line-outside")
    d.text(LEFT + 30, 16, "out-of-sample account (parameters found before each block)")
    d.line(LEFT + 420, 12, LEFT + 444, 12, "line-inside")
    d.text(LEFT + 450, 16, "final parameters, fitted to all bars")
    return d.finish()


def drawdown_chart(detail: ResultDetail) -> Markup:
    """Loss from the last peak of the out-of-sample account."""
    known = [(k, v) for k, v in enumerate(detail.oos_drawdown) if v is not None]
    if len(known) < 2:
        return Markup("")
    deepest = min(*(v for _, v in known), -0.01)
    first, last = known[0][0], known[-1][0]
    top, height = 8, 110

    def x(k: float) -> float:
        return LEFT + (k - first) / (last - first) * WIDTH

    def y(value: float) -> float:
        return top + value / deepest * height

    d = Drawing(LEFT + WIDTH + 20, top + height + 30, "Out-of-sample drawdown")
    for tick in round_ticks(deepest, 0.0, 3):
        d.line(LEFT, y(tick), LEFT + WIDTH, y(tick), "grid")
        d.text(LEFT - 8, y(tick) + 4, f"{tick:.0%}", anchor="end", style="soft")
    _dates(d, detail.days[first : last + 1], lambda k: x(k + first), top + height)
    d.path([(x(k), y(v)) for k, v in known], "area-loss", base=y(0.0))
    return d.finish()


def _dates(d: Drawing, days: Sequence[str], x: Any, bottom: float) -> None:
    for k, label in year_starts(days):
        d.line(x(k), bottom, x(k), bottom + 5, "axis")
        d.text(x(k), bottom + 20, label, anchor="middle", style="soft")
    d.line(LEFT, bottom, LEFT + WIDTH, bottom, "axis")


def monthly_chart(monthly: Mapping[str, float]) -> Markup:
    """Out-of-sample return of each month, blue gains and red losses, and of each year."""
    years = sorted({month[:4] for month in monthly})
    if not years:
        return Markup("")
    cell, tall, top = 54, 26, 26
    d = Drawing(LEFT + cell * 13 + 20, top + tall * len(years) + 8, "Out-of-sample return by month")
    for k, name in enumerate((*MONTHS, "Year")):
        d.text(LEFT + cell * (k + 0.5) + (8 if k == 12 else 0), 16, name, anchor="middle", style="soft")
    for row, year in enumerate(years):
        y = top + tall * row
        d.text(LEFT - 8, y + 17, year, anchor="end", style="soft")
        total = 1.0
        for k in range(12):
            value = monthly.get(f"{year}-{k + 1:02d}")
            if value is not None:
                total *= 1.0 + value
                _month(d, LEFT + cell * k, y, cell, tall, value)
        _month(d, LEFT + cell * 12 + 8, y, cell, tall, total - 1.0)
    return d.finish()


def _month(d: Drawing, x: float, y: float, width: float, height: float, value: float) -> None:
    share = max(-1.0, min(1.0, value / FULL_COLOUR_MONTH))
    d.rect(x, y, width - 2, height - 2, diverging(share))
    style = "on-dark" if abs(share) > 0.55 else "on-light"
    d.text(x + width / 2 - 1, y + height / 2 + 4, f"{value:+.1%}", anchor="middle", style=style)


def surface_chart(surface: Mapping[str, Any] | None) -> Markup:
    """Mean score of the last search over two parameters, dark is better; empty cells were not tried."""
    if surface is None:
        return Markup("")
    xs, ys, rows = surface["x_values"], surface["y_values"], surface["rows"]
    known = [v for row in rows for v in row if v is not None]
    if not known:
        return Markup("")
    low, span = min(known), (max(known) - min(known)) or 1.0
    cell, tall, left, top = 50, 28, 90, 10
    d = Drawing(left + cell * len(xs) + 20, top + tall * len(ys) + 48, f"Score over {surface['x']} and {surface['y']}")
    for i, y_value in enumerate(reversed(ys)):
        y = top + tall * i
        d.text(left - 8, y + 18, short(y_value), anchor="end", style="soft")
        for j, x_value in enumerate(xs):
            value = rows[len(ys) - 1 - i][j]
            if value is None:
                d.rect(left + cell * j, y, cell - 1, tall - 1, "missing")
                continue
            share = (value - low) / span
            colour = "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(LOWEST, HIGHEST, strict=True))
            title = f"{surface['x']} {short(x_value)}, {surface['y']} {short(y_value)}: {value:.3g}"
            d.rect(left + cell * j, y, cell - 1, tall - 1, colour, title=title)
            style = "on-dark" if share > 0.5 else "on-light"
            d.text(left + cell * (j + 0.5), y + 18, f"{value:.2g}", anchor="middle", style=style)
    bottom = top + tall * len(ys)
    for j, x_value in enumerate(xs):
        d.text(left + cell * (j + 0.5), bottom + 16, short(x_value), anchor="middle", style="soft")
    d.text(left + cell * len(xs) / 2, bottom + 38, f"{surface['x']} (across) and {surface['y']} (up)", anchor="middle")
    return d.finish()
