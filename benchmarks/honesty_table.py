"""The honesty table with its 95 % intervals, as a page of the documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import beta

from honesty_markets import CURVE, SCENARIOS

Facts = Mapping[str, Any]

TITLE = """# How honest is the verdict?

Markets of which it is known what can be earned in them, each batch eight families of rules, 50 TPE evaluations in each of six walk-forward
folds and once over all bars, no costs, 7 years of daily bars with 4.2 years out of sample. The request asks for points with at least 30
trades (`min_trades`), because the verdict does; everything else is a default. "Called real" means that stratopt says
`likely_real` of at least one strategy of the batch. Naive mode believes the best of everything that was tried when its probabilistic Sharpe
ratio is above 95 %.

Reproduce it with `make bench-honesty`.
"""


def share(flags: Sequence[bool]) -> str:
    """Per cent with the exact 95 % interval (Clopper and Pearson)."""
    hits, count = sum(flags), len(flags)
    if not count:
        return "not measured"
    low = 0.0 if hits == 0 else float(beta.ppf(0.025, hits, count - hits + 1))
    high = 1.0 if hits == count else float(beta.ppf(0.975, hits + 1, count - hits))
    return f"{100 * hits / count:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def mean(values: Sequence[float]) -> str:
    """Mean with its 95 % interval."""
    if len(values) < 2:
        return "not measured"
    error = 1.96 * float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return f"{np.mean(values):+.2f} ± {error:.2f}"


def table(facts: Mapping[str, Sequence[Facts]]) -> list[str]:
    """One row a scenario."""
    lines = [
        "| market | batches | **called real, %** | naive mode, % | SPA and StepM, % | SPA 1 % and StepM, % | StepM alone, % | single strategies called real, % | family without edge, % |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    columns: Sequence[Callable[[Facts], bool]] = (
        lambda f: bool(f["real"]),
        lambda f: f["naive"],
        lambda f: bool(f["rule"]),
        lambda f: bool(f["strict"]),
        lambda f: bool(f["stepm"]),
    )
    for name, rows in facts.items():
        cells = [share([column(f) for f in rows]) for column in columns]
        singles = [k < len(f["real"]) for f in rows for k in range(8)]
        lines.append(
            f"| {name} | {len(rows)} | **{cells[0]}** | "
            + " | ".join(cells[1:])
            + f" | {share(singles)} | {share([f['without_edge'] for f in rows])} |"
        )
    return lines


def headline_table(facts: Mapping[str, Sequence[Facts]]) -> list[str]:
    """Yearly out-of-sample Sharpe ratio of the best of eight: as it is, corrected, and on fresh bars."""
    lines = [
        "| market | best of eight, raw | form A (if none is real) | form B (if real) | on 30,000 fresh bars | form B - fresh | best family with edge | PBO |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, rows in facts.items():
        planted = bool(SCENARIOS[name].edge)
        values = [mean([f[key] for f in rows]) for key in ("raw", "form_a", "form_b")]
        fresh = (
            [mean([f["true"] for f in rows]), mean([f["form_b"] - f["true"] for f in rows])] if planted else ["0", ""]
        )
        edge = mean([f["edge_sharpe"] for f in rows]) if planted else ""
        lines.append(f"| {name} | " + " | ".join([*values, *fresh, edge, mean([f["pbo"] for f in rows])]) + " |")
    return lines


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One condition of a pass bar; ``met`` is None where something is only reported."""

    number: int
    text: str
    met: bool | None
    measured: str


def bars_of(facts: Mapping[str, Sequence[Facts]], checks: Mapping[str, bool]) -> list[Bar]:
    """The eight pass bars and what was measured; a bar of counts is scaled to the batches measured."""
    measured = {name: rows for name, rows in facts.items() if rows}
    found = [bar for name, rows in measured.items() for bar in _bars_of_market(name, rows)]
    found += _bars_of_all(measured, checks)
    return sorted(found, key=lambda bar: bar.number)


def _bars_of_market(name: str, rows: Sequence[Facts]) -> Iterator[Bar]:
    flagged = [bool(f["real"]) for f in rows]
    if not SCENARIOS[name].edge:
        number = 2 if name == "null-drift" else 1
        yield Bar(
            number=number, text=f"{name}: at most 5 % of batches", met=_at_most(flagged, 0.05), measured=share(flagged)
        )
        singles = [k < len(f["real"]) for f in rows for k in range(8)]
        text = f"{name}: at most 1 % of single strategies"
        yield Bar(number=3, text=text, met=_at_most(singles, 0.01), measured=share(singles))
    if name in {"null-iid", "null-garch"}:
        yield _near(f"{name}: mean of form A within 0.10 of 0", [f["form_a"] for f in rows], 0.10)
    if SCENARIOS[name].edge:
        gaps = [f["form_b"] - f["true"] for f in rows]
        told = _near(f"{name}: mean of form B within 0.15 of the truth", gaps, 0.15)
        yield replace(told, met=None) if name in CURVE else told
    if name in {"mr-0.18", "trend-3.5"}:
        met = float(np.mean(flagged)) >= 0.80
        yield Bar(number=4, text=f"{name}: at least 80 % noticed", met=met, measured=share(flagged))
        wrong = [f["without_edge"] for f in rows]
        text = f"{name}: family without edge in at most 10 %"
        yield Bar(number=4, text=text, met=_at_most(wrong, 0.10), measured=share(wrong))
    if name in CURVE:
        text = f"{name}: noticed at an out-of-sample ratio of {np.mean([f['edge_sharpe'] for f in rows]):.2f}"
        yield Bar(number=5, text=text, met=None, measured=share(flagged))


def _bars_of_all(facts: Mapping[str, Sequence[Facts]], checks: Mapping[str, bool]) -> Iterator[Bar]:
    every = [f for rows in facts.values() for f in rows]
    gaps = [f["form_b"] - f["true"] for name, rows in facts.items() if SCENARIOS[name].edge for f in rows]
    yield _near("all planted seeds: mean of form B within 0.15 of the truth", gaps, 0.15)
    naive = [f["naive"] for name, rows in facts.items() if not SCENARIOS[name].edge for f in rows]
    yield Bar(
        number=6,
        text="worthless markets that naive mode believes in, shown beside it",
        met=bool(naive),
        measured=share(naive),
    )
    canary = checks["canary"]
    text = "a strategy that knows the next bar is refused before any statistic"
    yield Bar(number=7, text=text, met=canary, measured="refused" if canary else "not refused")
    for key, test in (("spa_moves", "SPA"), ("stepm_moves", "StepM")):
        moves = [f[key] for f in every]
        yield Bar(
            number=8,
            text=f"{test} p within 0.02 between two bootstrap seeds",
            met=max(moves) <= 0.02,
            measured=f"largest difference {max(moves):.3f}, mean {np.mean(moves):.4f}",
        )
    text = "the same batch again gives the same report"
    again = checks["repeatable"]
    yield Bar(number=8, text=text, met=again, measured="the same" if again else "not the same")
    yield Bar(
        number=8,
        text="same flags with another bootstrap seed",
        met=None,
        measured=share([f["same_flags"] for f in every]),
    )


def _at_most(flags: Sequence[bool], limit: float) -> bool:
    return float(np.mean(flags)) <= limit


def _near(text: str, values: Sequence[float], limit: float) -> Bar:
    return Bar(number=3, text=text, met=abs(float(np.mean(values))) <= limit, measured=mean(values))


def bar_table(bars: Sequence[Bar]) -> list[str]:
    """One row a condition."""
    words = {True: "yes", False: "**no**", None: "reported"}
    return [
        "| bar | condition | met | measured |",
        "| ---: | --- | --- | --- |",
        *(f"| {bar.number} | {bar.text} | {words[bar.met]} | {bar.measured} |" for bar in bars),
    ]


def document(facts: Mapping[str, Sequence[Facts]], bars: Sequence[Bar], seconds: float) -> str:
    """The page of the documentation."""
    measured = {name: rows for name, rows in facts.items() if rows}
    count = sum(len(rows) for rows in measured.values())
    parts = [
        TITLE,
        f"Measured: {count} batches of {len(measured)} markets in {seconds / 60:.1f} minutes on 2 cores; 95 % intervals in brackets.\n",
        *table(measured),
        "\n## The headline\n",
        (
            "The best of eight out-of-sample Sharpe ratios is a winner too. Form A is what is left if none is real, form B if it is. "
            "In null-drift the asset itself has a ratio of 1, which the headline contains and the verdict, being against the asset, does not.\n"
        ),
        *headline_table(measured),
        "\n## Pass bars\n",
        *bar_table(bars),
    ]
    return "\n".join(parts) + "\n"


IN_SHORT = {
    "null-iid": "random walk",
    "null-garch": "random walk, volatility in clusters",
    "null-drift": "random walk with drift, long only",
    "mr-0.18": "planted reversal",
    "trend-3.5": "planted trend",
}
BEGIN, END = "<!-- honesty table: written by make bench-honesty -->", "<!-- end of honesty table -->"


def short_table(facts: Mapping[str, Sequence[Facts]]) -> list[str]:
    """The markets whose answer is plain, for the README."""
    lines = [
        "  | market | batches | called real, % | believing the best in-sample result, % |",
        "  | --- | ---: | ---: | ---: |",
    ]
    for name, words in IN_SHORT.items():
        rows = facts.get(name)
        if not rows:
            continue
        worth = f", worth a Sharpe ratio of {np.mean([f['true'] for f in rows]):.1f}" if SCENARIOS[name].edge else ""
        naive = f"{100 * np.mean([f['naive'] for f in rows]):.0f}"
        lines.append(f"  | {words}{worth} | {len(rows)} | {share([bool(f['real']) for f in rows])} | {naive} |")
    return lines


def write_pages(
    facts: Mapping[str, Sequence[Facts]], bars: Sequence[Bar], seconds: float, page: Path, readme: Path | None
) -> None:
    """Write the page, and the short table between the markers of the README.

    Raises
    ------
    ValueError
        If the README has no markers.
    """
    page.write_text(document(facts, bars, seconds))
    if readme is None:
        return
    before, begin, rest = readme.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{readme} has no lines {BEGIN!r} and {END!r} to write the table between")
    readme.write_text("\n".join([before + begin, *short_table(facts), "  " + END + after]))
