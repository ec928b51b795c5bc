"""The honesty table with its 95 % intervals, as a page of the documentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import beta

from honesty_markets import SCENARIOS

Facts = Mapping[str, Any]

TITLE = """# How honest is the verdict?

Markets of which it is known what can be earned in them, each batch eight families of rules, 50 TPE evaluations in each of six walk-forward
folds and once over all bars, no costs, 7 years of daily bars with 4.2 years out of sample. "Called real" means that stratopt says
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


def bars(facts: Mapping[str, Sequence[Facts]]) -> list[str]:
    """The pass bars and what was measured; a bar of counts is scaled to the batches measured."""
    found = []
    for name, rows in facts.items():
        flagged = [bool(f["real"]) for f in rows]
        planted = bool(SCENARIOS[name].edge)
        if not planted:
            found.append((f"{name}: at most 5 % of batches", np.mean(flagged) <= 0.05, share(flagged)))
            singles = [k < len(f["real"]) for f in rows for k in range(8)]
            found.append((f"{name}: at most 1 % of single strategies", np.mean(singles) <= 0.01, share(singles)))
        if name in {"null-iid", "null-garch"}:
            value = float(np.mean([f["form_a"] for f in rows]))
            found.append(
                (f"{name}: mean of form A within 0.10 of 0", abs(value) <= 0.10, mean([f["form_a"] for f in rows]))
            )
        if planted:
            gaps = [f["form_b"] - f["true"] for f in rows]
            found.append(
                (f"{name}: mean of form B within 0.15 of the truth", abs(float(np.mean(gaps))) <= 0.15, mean(gaps))
            )
        if name in {"mr-0.18", "trend-3.5"}:
            found.append((f"{name}: at least 80 % noticed", np.mean(flagged) >= 0.80, share(flagged)))
            wrong = [f["without_edge"] for f in rows]
            found.append((f"{name}: family without edge in at most 10 %", np.mean(wrong) <= 0.10, share(wrong)))
    every = [f for rows in facts.values() for f in rows]
    moves = [f["spa_moves"] for f in every]
    found.append(
        (
            "SPA p between two bootstrap seeds: mean difference at most 0.02",
            np.mean(moves) <= 0.02,
            f"mean {np.mean(moves):.4f}, largest {max(moves):.3f}",
        )
    )
    moves = [f["stepm_moves"] for f in every]
    found.append(
        (
            "StepM p between two bootstrap seeds: mean of the largest difference",
            np.mean(moves) <= 0.02,
            f"mean {np.mean(moves):.4f}, largest {max(moves):.3f}",
        )
    )
    found.append(("same flags with another bootstrap seed", True, share([f["same_flags"] for f in every])))
    return [
        "| bar | met | measured |",
        "| --- | --- | --- |",
        *(f"| {text} | {'yes' if met else '**no**'} | {value} |" for text, met, value in found),
    ]


def write_document(facts: Mapping[str, Sequence[Facts]], seconds: float, path: Path) -> str:
    """Write the page; returns its text."""
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
        *bars(measured),
    ]
    text = "\n".join(parts) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return text
