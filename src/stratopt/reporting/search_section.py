"""What the last search of a result learned: how its best score grew, and which parameters moved it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from stratopt.reporting import numbers as n
from stratopt.reporting.axis import round_ticks, short
from stratopt.reporting.document import Block, Picture, Table
from stratopt.reporting.svg import Drawing

LEFT, WIDTH = 56, 760
NAME_WIDTH = 190
STEPS = (0.1, 0.25, 0.5, 1.0)
SMALL_GAIN = 0.01


def search_blocks(search: Mapping[str, Any], best_params: Mapping[str, Any]) -> list[Block]:
    """Convergence and importance as pictures, and as tables for formats without them."""
    rows = [*_convergence_rows(search), *_importance_rows(search, best_params)]
    return [
        Picture(
            svg=convergence_chart(search),
            caption="Best score of the last search so far, in sample: a line that still climbs at its end asks for a larger budget",
        ),
        Picture(
            svg=importance_chart(search["parameter_importance"]),
            caption="Share of each parameter in what moved the score of the last search",
        ),
        Table(titles=["What the search learned", "Value", "What it means"], rows=rows, numbers=range(1, 2)),
    ]


def convergence_chart(search: Mapping[str, Any]) -> Markup:
    """The best score so far over the number of evaluations, as steps."""
    curve, count = search["convergence"], search["last_search_evaluations"]
    if not curve or count < 2:
        return Markup("")
    scores = [point["score"] for point in curve]
    spread = max(scores) - min(scores) or abs(scores[-1]) or 1.0
    low, high = min(scores) - 0.06 * spread, max(scores) + 0.06 * spread
    top, height = 12, 150

    def x(number: float) -> float:
        return LEFT + (number - 1) / (count - 1) * WIDTH

    def y(score: float) -> float:
        return top + (high - score) / (high - low) * height

    d = Drawing(LEFT + WIDTH + 20, top + height + 46, "Best score so far over the evaluations of the last search")
    for tick in round_ticks(low, high, 4):
        d.line(LEFT, y(tick), LEFT + WIDTH, y(tick), "grid")
        d.text(LEFT - 8, y(tick) + 4, short(tick), anchor="end", style="soft")
    for tick in sorted({1, *(round(t) for t in round_ticks(1, count, 6) if t > count / 12)}):
        d.text(x(tick), top + height + 18, f"{tick:,}", anchor="middle", style="soft")
    d.line(LEFT, top + height, LEFT + WIDTH, top + height, "axis")
    d.path(_steps([(x(point["trial"] + 1), y(point["score"])) for point in curve], x(count)), "line-outside")
    for point in curve:
        title = f"evaluation {point['trial'] + 1}: {point['score']:.4g}"
        d.circle(x(point["trial"] + 1), y(point["score"]), 3, "inside", title=title)
    d.text(LEFT + WIDTH / 2, top + height + 38, "evaluations", anchor="middle", style="soft")
    return d.finish()


def importance_chart(importance: Mapping[str, float] | None) -> Markup:
    """A bar for each parameter, the largest first."""
    if not importance:
        return Markup("")
    step, top, width = 26, 6, 520
    d = Drawing(NAME_WIDTH + width + 80, top + step * len(importance) + 6, "Importance of the parameters")
    largest = max(importance.values())
    for k, (name, share) in enumerate(importance.items()):
        y = top + step * k
        long = share / largest * width
        d.text(NAME_WIDTH - 10, y + 16, name[:30], anchor="end")
        d.rect(NAME_WIDTH, y + 3, max(long, 1.0), step - 8, "bar", title=f"{name}: {share:.1%}")
        d.text(NAME_WIDTH + long + 8, y + 16, f"{share:.0%}", style="soft")
    return d.finish()


def _steps(points: Sequence[tuple[float, float]], end: float) -> list[tuple[float, float]]:
    """The corners of a stair through the points, drawn on to ``end``."""
    corners = [points[0]]
    for x, y in points[1:]:
        corners += [(x, corners[-1][1]), (x, y)]
    return [*corners, (end, corners[-1][1])]


def _convergence_rows(search: Mapping[str, Any]) -> list[list[str]]:
    curve, count = search["convergence"], search["last_search_evaluations"]
    if not curve:
        return []
    reached = []
    for step in STEPS:
        known = [point["score"] for point in curve if point["trial"] < max(1, step * count)]
        if known:
            reached.append(f"{n.ratio(known[-1])} after {n.count(max(1, step * count))}")
    last = curve[-1]["trial"] + 1
    return [
        [
            "Best score of the last search",
            n.ratio(curve[-1]["score"]),
            f"{search['objective']} in sample: {', '.join(reached)} evaluations",
        ],
        ["Found at evaluation", n.count(last), _advice(curve, count)],
        [
            "Repeated and infeasible points",
            f"{n.share(search['repeated_share'])}, {n.share(search['infeasible_share'])}",
            "of all evaluations: repeated ones cost nothing, many infeasible ones waste the budget",
        ],
    ]


def _advice(curve: Sequence[Mapping[str, float]], count: int) -> str:
    """Whether the second half of the budget still paid."""
    half = [point["score"] for point in curve if point["trial"] < count / 2]
    if not half:
        return "every point before the second half was infeasible: give the search more evaluations"
    gain = curve[-1]["score"] - half[-1]
    if gain > SMALL_GAIN * abs(curve[-1]["score"]):
        return f"the second half of the evaluations still gained {gain:.2f}: more may find more, and more luck"
    return "the second half of the evaluations gained next to nothing: the budget was large enough"


def _importance_rows(search: Mapping[str, Any], best_params: Mapping[str, Any]) -> list[list[str]]:
    importance = search["parameter_importance"]
    if importance is None:
        return [
            [
                "Parameter importance",
                "n/a",
                "fewer than 20 evaluations of the last search have a score, or all scores are equal",
            ]
        ]
    return [
        [
            f"Importance of {name}",
            n.share(share),
            f"of what moved the score; the best point has {_value(best_params.get(name))}",
        ]
        for name, share in importance.items()
    ]


def _value(value: Any) -> str:
    if value is None:
        return "not used"
    return short(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
