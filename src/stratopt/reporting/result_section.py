"""One strategy in detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stratopt.optimization.batch_report import BatchAnalysisReport, RankedResult, ResultDetail
from stratopt.reporting import numbers as n
from stratopt.reporting.document import Block, Note, Picture, Section, Table
from stratopt.reporting.explanations import without_overfitting
from stratopt.reporting.result_charts import drawdown_chart, equity_chart, monthly_chart, surface_chart
from stratopt.reporting.search_section import search_blocks

FURTHER_TITLES = ("Further test", "Value", "Error", "What it means")


def result_sections(report: BatchAnalysisReport) -> Sequence[Section]:
    """A section for every result that has its series, in the order of the ranking."""
    series = {detail.job_id: detail for detail in report.details}
    return [_section(r, series[r.job_id]) for r in report.ranking if r.job_id in series]


def _section(r: RankedResult, detail: ResultDetail) -> Section:
    blocks: list[Block] = [
        Note(text=f"{n.VERDICTS[r.verdict].capitalize()}: {'; '.join(r.verdict_reasons)}."),
        Picture(svg=equity_chart(detail), caption="Wealth, logarithmic, 1 at the first scored bar"),
        Picture(svg=drawdown_chart(detail), caption="Out-of-sample drawdown"),
        Picture(svg=monthly_chart(detail.monthly_returns), caption="Out-of-sample return by month"),
        Table(titles=["Evidence", "Value", "What it means"], rows=_evidence_rows(r), numbers=range(1, 2)),
        Picture(svg=surface_chart(detail.surface), caption="Score of the last search by parameters, dark is better"),
        *search_blocks(detail.search, r.best_params),
        *_robustness(r.robustness),
    ]
    title = f"{r.rank}. {r.strategy_id} on {r.symbol} {r.timeframe}: {n.VERDICTS[r.verdict]}, Sharpe OOS {n.ratio(r.out_of_sample['sharpe_ratio'])}"
    kept = [b for b in blocks if not isinstance(b, Picture) or b.svg]
    return Section(name=r.job_id, title=title, blocks=kept, folded=r.rank > 1)


def _evidence_rows(r: RankedResult) -> list[list[str]]:
    e = r.evidence
    needed, had = e["minimum_track_record_periods"], e["periods"]
    return [
        [
            "StepM p",
            n.probability(e["step_down_p"]),
            "chance to look this good against the benchmark by luck, over all strategies of the batch",
        ],
        ["Sharpe over benchmark", n.ratio(e["excess_sharpe"]), "against holding the asset as much as the strategy did"],
        ["PSR", n.probability(e["psr"]), "probability that the true ratio is above 0, this strategy alone"],
        [
            "Track record needed",
            f"{n.count(needed)} of {n.count(had)} periods",
            "periods after which this ratio is above 0 with 95 % confidence, and periods there are",
        ],
        [
            "DSR",
            n.probability(e["dsr"]),
            "in-sample ratio against the luck of its own trials (null variance, effective number)",
        ],
        [
            "DSR as published",
            n.probability(e["dsr_as_published"]),
            "the same with measured variance and raw number of trials",
        ],
        ["Effective trials", n.ratio(e["effective_trials"]), "unrelated bets among its own trials (entropy rank)"],
        [
            "PBO",
            n.ratio(e["pbo"]),
            "its own trials: "
            + (
                without_overfitting(e["effective_trials"])
                if e["pbo"] is None
                else "how often the best in sample disappoints; luck gives 0.50 ± 0.21"
            ),
        ],
        [
            "Plateau ratio",
            n.ratio(e["plateau_ratio"]),
            "score of the neighbours over that of the best point; below 0.5 is a spike",
        ],
        [
            "Random timing p",
            n.probability(e["random_timing_p"]),
            "share of shifts in time of the same positions that earn as much",
        ],
        ["Sharpe at twice the costs", n.ratio(e["sharpe_at_double_costs"]), "out of sample"],
        [
            "Break-even costs",
            "n/a" if e["break_even_cost_multiple"] is None else f"{e['break_even_cost_multiple']:.1f} times",
            "multiple of the assumed costs at which nothing is left",
        ],
    ]


def _robustness(robustness: Mapping[str, Any]) -> list[Block]:
    found: list[Block] = []
    if robustness["monte_carlo"] is not None:
        found.append(_monte_carlo(robustness["monte_carlo"]))
    if robustness["regimes"] is not None:
        found += _regimes(robustness["regimes"])
    if robustness["cross_asset"] is not None:
        found.append(_cross_asset(robustness["cross_asset"]))
    if rows := further_tests(robustness):
        found.append(Table(titles=FURTHER_TITLES, rows=rows, numbers=range(1, 2)))
    return found


def further_tests(robustness: Mapping[str, Any]) -> list[list[str]]:
    """Rows of test, value, error and meaning: random entries, bar permutation, combinatorial cross-validation if asked for."""
    rows = []
    if entries := robustness.get("random_entries"):
        meaning = (
            f"share of {n.count(entries['trades'])} equal trades at random bars that earn as much; they earned "
            f"{n.percent(entries['mean_of_random_per_year'])} a year on average, these {n.percent(entries['return_per_year'])}, before costs"
        )
        rows.append(_chance("Random entries, p", entries, "runs", meaning))
    if permuted := robustness.get("permutation"):
        meaning = (
            "how often the same search finds as good a point where the order of the bars is random; "
            f"median {n.ratio(permuted['score_p50_of_permuted'])}, here {n.ratio(permuted['score'])}"
        )
        rows.append(_chance("Bar permutation, p", permuted, "searches", meaning))
    if paths := robustness.get("combinatorial"):
        rows.append(_combinatorial(paths))
    return rows


def _chance(label: str, found: Mapping[str, Any], what: str, meaning: str) -> list[str]:
    error = f"± {1.96 * found['standard_error']:.3f}, {n.count(found['runs'])} {what}"
    return [label, n.probability(found["p_value"]), error, meaning]


def _combinatorial(paths: Mapping[str, Any]) -> list[str]:
    ratios = paths["path_sharpe_ratios"]
    return [
        "Sharpe ratio, combinatorial paths",
        n.ratio(paths["sharpe_mean"]),
        f"± {1.96 * paths['sharpe_standard_error']:.2f}; paths from {n.ratio(min(ratios))} to {n.ratio(max(ratios))}",
        (
            f"mean of {len(ratios)} purged and embargoed paths of {paths['splits']} searches; {n.share(paths['share_of_losing_paths'])} lose. "
            "Trains on the future of its test bars and its paths share data: a spread, not a simulation"
        ),
    ]


def _monte_carlo(m: Mapping[str, Any]) -> Table:
    rows = []
    for label, part, name, show in (
        ("Sharpe ratio, resampled returns", "returns", "sharpe_ratio", n.ratio),
        ("CAGR, resampled returns", "returns", "cagr", n.percent),
        ("Max drawdown, resampled returns", "returns", "max_drawdown", n.percent),
        ("Expectancy a trade, resampled trades", "trades", "expectancy_pct", n.percent),
        ("Max drawdown, resampled trades", "trades", "max_drawdown", n.percent),
        ("Sharpe ratio, random periods", "random_periods", "sharpe_ratio", n.ratio),
    ):
        if m[part] is not None:
            rows.append([label, *(show(m[part][name][q]) for q in ("p05", "p50", "p95"))])
    rows += [
        [
            f"Sharpe ratio, price moves ± {noise['scale']:.0%}",
            n.ratio(noise["sharpe_p05"]),
            n.ratio(noise["sharpe_p50"]),
            "",
        ]
        for noise in m["price_noise"]
    ]
    return Table(
        titles=[f"Monte Carlo, {m['returns']['runs']} runs", "5 %", "Median", "95 %"], rows=rows, numbers=range(1, 4)
    )


def _regimes(regimes: Mapping[str, Any]) -> list[Block]:
    rows = [
        [
            f"{kind}: {r['regime']}",
            n.count(r["bars"]),
            n.count(r["trades"]),
            "too few bars or trades" if r["sharpe_ratio"] is None else n.ratio(r["sharpe_ratio"]),
            "" if r["standard_error"] is None else f"± {1.96 * r['standard_error']:.2f}",
        ]
        for kind in ("trend", "volatility")
        for r in regimes[kind]["regimes"]
    ]
    titles = ["Market regime, known before the bar", "Bars", "Trades", "Sharpe OOS", "95 %"]
    return [Table(titles=titles, rows=rows, numbers=range(1, 5))]


def _cross_asset(c: Mapping[str, Any]) -> Table:
    rows = [
        [
            row["symbol"],
            n.ratio(row["years"]),
            n.ratio(row["sharpe_ratio"]),
            n.percent(row["total_return"]),
            n.count(row["trade_count"]),
        ]
        for row in c["series"]
    ]
    rows.append(
        [
            f"mean of {c['assets']} (worth {c['independent_assets']:.1f} independent ones)",
            "",
            n.ratio(c["mean_sharpe"]) + ("" if c["standard_error"] is None else f" ± {1.96 * c['standard_error']:.2f}"),
            "",
            "",
        ]
    )
    titles = ["The same parameters on other assets", "Years", "Sharpe", "Return", "Trades"]
    return Table(titles=titles, rows=rows, numbers=range(1, 5))
