"""Pictures over a whole batch: who stands where, how results are spread, who moves with whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from stratopt.optimization.batch_report import RankedResult
from stratopt.reporting.axis import round_ticks
from stratopt.reporting.svg import Drawing

MOST_ROWS = 40
MOST_CELLS = 30
NORMAL_95 = 1.96
RED, WHITE, BLUE = (178, 24, 43), (247, 247, 247), (33, 102, 172)
"""A diverging scale that is told apart with every common form of colour blindness."""


def sharpe_chart(ranking: Sequence[RankedResult], needed: float | None) -> Markup:
    """Out-of-sample Sharpe ratios with 95 % intervals, in-sample ones beside them, and the true one that would be noticed in 80 % of cases."""
    rows = ranking[:MOST_ROWS]
    if not rows:
        return Markup("")
    values = [0.0, *([needed] if needed else [])]
    for r in rows:
        values += [v for v in (r.in_sample["sharpe_ratio"], *_interval(r)) if v is not None]
    low, high = min(values) - 0.15, max(values) + 0.15
    left, width, step, top = 280, 620, 24, 50
    height = top + step * len(rows)

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * width

    d = Drawing(left + width + 30, height + 44, "Sharpe ratios out of sample with 95 % intervals, and in sample")
    _legend(d, left, needed)
    for tick in round_ticks(low, high, 7):
        d.line(x(tick), top, x(tick), height, "axis" if tick == 0 else "grid")
        d.text(x(tick), height + 18, f"{tick:g}", anchor="middle", style="soft")
    if needed is not None:
        d.line(x(needed), top, x(needed), height, "needed")
    for k, r in enumerate(rows):
        y = top + step * (k + 0.5)
        d.text(left - 14, y + 4, f"{r.strategy_id} · {r.symbol} {r.timeframe}"[:42], anchor="end")
        outside, inside = r.out_of_sample["sharpe_ratio"], r.in_sample["sharpe_ratio"]
        bounds = _interval(r)
        if bounds[0] is not None and bounds[1] is not None:
            d.line(x(bounds[0]), y, x(bounds[1]), y, f"whisker {r.verdict}")
        if inside is not None:
            d.circle(x(inside), y, 4, "inside", title=f"in sample {inside:.2f}")
        if outside is None:
            d.text(x(0) + 6, y + 4, "not defined", style="soft")
        else:
            d.circle(x(outside), y, 5.5, f"dot {r.verdict}", title=f"out of sample {outside:.2f}")
    d.text(left + width / 2, height + 38, "Sharpe ratio, yearly", anchor="middle", style="soft")
    return d.finish()


def _interval(r: RankedResult) -> tuple[float | None, float | None]:
    value, error = r.out_of_sample["sharpe_ratio"], r.evidence["sharpe_standard_error"]
    if value is None or error is None:
        return value, value
    return value - NORMAL_95 * error, value + NORMAL_95 * error


def _legend(d: Drawing, left: float, needed: float | None) -> None:
    d.line(left, 18, left + 26, 18, "whisker unproven")
    d.circle(left + 13, 18, 5.5, "dot unproven")
    d.text(left + 34, 22, "out of sample, 95 % interval")
    d.circle(left + 236, 18, 4, "inside")
    d.text(left + 248, 22, "in sample")
    if needed is not None:
        d.line(left + 330, 18, left + 354, 18, "needed")
        d.text(left + 362, 22, f"would be noticed in 80 % of cases: {needed:.2f}")


def histogram(distribution: Mapping[str, Sequence[float]], unit: str) -> Markup:
    """Counts of results by value."""
    edges, counts = distribution["edges"], distribution["counts"]
    if not counts:
        return Markup("")
    left, top, width, height = 50, 16, 620, 200

    def x(value: float) -> float:
        return left + (value - edges[0]) / (edges[-1] - edges[0]) * width

    most = max(counts)
    d = Drawing(left + width + 20, top + height + 48, f"Distribution of {unit}")
    for whole in sorted({round(t) for t in round_ticks(0, most, 4)}):
        y = top + height - whole / most * height
        d.line(left, y, left + width, y, "grid")
        d.text(left - 8, y + 4, f"{whole:g}", anchor="end", style="soft")
    for k, count in enumerate(counts):
        tall = count / most * height
        style = "bar-loss" if edges[k + 1] <= 0 else "bar"
        title = f"{edges[k]:g} to {edges[k + 1]:g}: {count:g}"
        d.rect(x(edges[k]) + 1, top + height - tall, x(edges[k + 1]) - x(edges[k]) - 2, tall, style, title=title)
    for tick in round_ticks(edges[0], edges[-1], 8):
        d.text(x(tick), top + height + 18, f"{tick:g}", anchor="middle", style="soft")
    d.text(left + width / 2, top + height + 40, unit, anchor="middle", style="soft")
    return d.finish()


def correlation_chart(names: Sequence[str], rows: Sequence[Sequence[float | None]]) -> Markup:
    """Correlation of out-of-sample returns, blue together and red opposed; the first thirty strategies."""
    count = min(len(rows), MOST_CELLS)
    if count < 2:
        return Markup("")
    cell = 30 if count <= 14 else 22
    left, top = 250, 10
    d = Drawing(left + cell * count + 20, top + cell * count + 34, "Correlation of out-of-sample returns")
    for i in range(count):
        y = top + cell * i
        d.text(left - 32, y + cell / 2 + 4, names[i][:34], anchor="end")
        d.text(left - 8, y + cell / 2 + 4, str(i + 1), anchor="end", style="soft")
        d.text(left + cell * (i + 0.5), top + cell * count + 16, str(i + 1), anchor="middle", style="soft")
        for j in range(count):
            value = rows[i][j]
            shown = "too little in common" if value is None else f"{value:.2f}"
            colour = "missing" if value is None else diverging(value)
            d.rect(left + cell * j, y, cell - 1, cell - 1, colour, title=f"{names[i]}, {names[j]}: {shown}")
            if value is not None and cell >= 30:
                style = "on-dark" if abs(value) > 0.55 else "on-light"
                d.text(left + cell * (j + 0.5), y + cell / 2 + 4, f"{value:.1f}", anchor="middle", style=style)
    return d.finish()


def diverging(value: float) -> str:
    """Colour of a value in [-1, 1]."""
    share, end = min(abs(value), 1.0), BLUE if value >= 0 else RED
    return "#" + "".join(f"{round(w + (e - w) * share):02x}" for w, e in zip(WHITE, end, strict=True))
