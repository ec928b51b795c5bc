"""The sections of a batch report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stratopt.optimization.batch_report import BatchAnalysisReport, RankedResult
from stratopt.reporting import numbers as n
from stratopt.reporting.charts import correlation_chart, histogram, sharpe_chart
from stratopt.reporting.document import Block, Bullets, Note, Picture, Section, Table
from stratopt.reporting.explanations import batch_evidence_rows
from stratopt.reporting.result_section import result_sections

LEADERBOARD = (
    "Rank",
    "Strategy",
    "Series",
    "Verdict",
    "Sharpe OOS",
    "Sharpe IS",
    "Over benchmark",
    "Return OOS",
    "Return IS",
    "Max DD OOS",
    "Trades OOS",
    "Category",
)
NORMAL_95 = 1.96


def all_sections(report: BatchAnalysisReport) -> Sequence[Section]:
    """Every section that has something to say."""
    found = [executive_summary(report), leaderboard(report)]
    if report.ranking:
        found += [evidence(report), risk_section(report), results(report), parameters(report)]
    return [*found, errors(report), efficiency(report)]


def executive_summary(report: BatchAnalysisReport) -> Section:
    """A few sentences and what to do next."""
    blocks: list[Block] = [Bullets(items=report.executive_summary)]
    if report.recommendations:
        rows = [[r.advice, r.because] for r in report.recommendations]
        blocks.append(Table(titles=["What to do next", "Because"], rows=rows))
    return Section(name="executive_summary", title="Executive summary", blocks=blocks)


def leaderboard(report: BatchAnalysisReport) -> Section:
    """The ranking with its verdicts."""
    if not report.ranking:
        return Section(name="leaderboard", title="Leaderboard", blocks=[Note(text="No optimisation succeeded.")])
    needed = None if report.evidence is None else report.evidence["sharpe_needed"]
    ranked = "Ranked by verdict, then by the yearly Sharpe ratio out of sample (OOS): bars that no search saw, after costs, with 95 % intervals. IS is the same on the bars that were searched; over benchmark is the OOS ratio less an equal holding of the asset."
    blocks: list[Block] = [
        Note(text=ranked),
        Table(titles=LEADERBOARD, rows=[leaderboard_row(r) for r in report.ranking], numbers=range(4, 11)),
        Picture(
            svg=sharpe_chart(report.ranking, needed),
            caption="Sharpe ratio of each strategy, in the order of the ranking",
        ),
    ]
    return Section(name="leaderboard", title="Leaderboard", blocks=blocks)


def leaderboard_row(r: RankedResult) -> list[str]:
    """The cells of one ranked result."""
    inside, outside = r.in_sample, r.out_of_sample
    error = r.evidence["sharpe_standard_error"]
    return [
        str(r.rank),
        r.strategy_id,
        f"{r.symbol} {r.timeframe}",
        n.VERDICTS[r.verdict],
        n.ratio(outside["sharpe_ratio"]) + ("" if error is None else f" ± {NORMAL_95 * error:.2f}"),
        n.ratio(inside["sharpe_ratio"]),
        n.ratio(r.evidence["excess_sharpe"]),
        n.percent(outside["total_return"]),
        n.percent(inside["total_return"]),
        n.percent(outside["max_drawdown"]),
        n.count(outside["trade_count"]),
        r.category,
    ]


def evidence(report: BatchAnalysisReport) -> Section:
    """The tests over the batch, each with its error and its meaning."""
    blocks: list[Block] = []
    if report.evidence is None:
        blocks.append(Note(text="The tables of the results are gone, so no test over the batch could be made."))
    else:
        titles = ["Statistic", "Value", "Uncertainty", "What it means"]
        blocks.append(Table(titles=titles, rows=batch_evidence_rows(report.evidence), numbers=range(1, 2)))
    rows = [
        [f"{r.strategy_id} on {r.symbol} {r.timeframe}", n.VERDICTS[r.verdict], "; ".join(r.verdict_reasons)]
        for r in report.ranking
    ]
    blocks.append(Table(titles=["Strategy", "Verdict", "Why"], rows=rows))
    return Section(name="evidence", title="Is it real?", blocks=blocks)


def risk_section(report: BatchAnalysisReport) -> Section:
    """Spread of every metric, risk, correlation."""
    shown = ("mean", "median", "lower_quartile", "upper_quartile", "standard_deviation", "minimum", "maximum")
    titles = [
        "Out-of-sample metric",
        "Mean",
        "Median",
        "Lower quartile",
        "Upper quartile",
        "Std. deviation",
        "Minimum",
        "Maximum",
    ]
    spreads = [
        [name.replace("_", " "), *(_three(spread[s]) for s in shown)] for name, spread in report.statistics.items()
    ]
    names = [f"{r.strategy_id} {r.symbol} {r.timeframe}" for r in report.ranking]
    blocks: list[Block] = [
        Table(titles=["Risk", "Value"], rows=_risk_rows(report)),
        Picture(
            svg=histogram(report.distribution, "Sharpe ratio out of sample, yearly"),
            caption="Distribution of the out-of-sample Sharpe ratio",
        ),
        Table(titles=titles, rows=spreads, numbers=range(1, 8)),
    ]
    if len(report.correlation["rows"]) > 1:
        svg = correlation_chart(names, report.correlation["rows"])
        blocks.append(Picture(svg=svg, caption="Correlation of out-of-sample returns: blue moves together"))
    return Section(name="risk", title="Risk and distribution", blocks=blocks)


def _risk_rows(report: BatchAnalysisReport) -> list[list[str]]:
    risk, names = report.risk, {r.job_id: f"{r.strategy_id} on {r.symbol} {r.timeframe}" for r in report.ranking}

    def extreme(found: Any) -> str:
        return "n/a" if found is None else f"{found['value']:.1%} ({names[found['job_id']]})"

    return [
        ["Deepest drawdown", extreme(risk["deepest_drawdown"])],
        ["Highest yearly volatility", extreme(risk["highest_volatility"])],
        ["Strategies that lost money", n.share(risk["share_losing"])],
        ["Strategies that fell more than 20 % from their peak", n.share(risk["share_drawdown_over_20_percent"])],
        ["Strategies that fell more than 50 % from their peak", n.share(risk["share_drawdown_over_50_percent"])],
        ["Median yearly return over drawdown (Calmar)", n.ratio(risk["median_return_over_drawdown"])],
        ["Median Sharpe ratio lost from in sample to out of sample", n.ratio(risk["median_sharpe_lost_out_of_sample"])],
    ]


def results(report: BatchAnalysisReport) -> Section:
    """One folded part for each of the best results."""
    parts = result_sections(report)
    note = f"The first {len(parts)} of the ranking." if len(parts) < len(report.ranking) else "Every ranked strategy."
    return Section(name="results", title="Strategy by strategy", blocks=[Note(text=note)], parts=parts)


def parameters(report: BatchAnalysisReport) -> Section:
    """What to go on with."""
    rows = [
        [r.strategy_id, f"{r.symbol} {r.timeframe}", ", ".join(f"{k}={_value(v)}" for k, v in r.best_params.items())]
        for r in report.ranking
    ]
    table = Table(titles=["Strategy", "Series", "Parameters of the last search"], rows=rows)
    again = (
        "Every result carries a manifest of its data, code, space, seed, costs and versions. To run one again and compare the bytes: "
        f"curl SERVER/api/v1/optimize/batch/{report.batch_id}/results/STRATEGY > result.json && stratopt reproduce result.json"
    )
    return Section(name="parameters", title="Best parameters", blocks=[table, Note(text=again)], folded=len(rows) > 30)


def errors(report: BatchAnalysisReport) -> Section:
    """What failed and why."""
    if not report.failures:
        return Section(name="errors", title="Errors", blocks=[Note(text="None.")])
    rows = [[f.strategy_id, f"{f.symbol} {f.timeframe}", f.status, f.code, f.message] for f in report.failures]
    counts = ", ".join(f"{code}: {count}" for code, count in report.errors_by_code.items())
    table = Table(titles=["Strategy", "Series", "Status", "Code", "Reason"], rows=rows)
    return Section(name="errors", title="Errors", blocks=[Note(text=f"By code: {counts}."), table])


def efficiency(report: BatchAnalysisReport) -> Section:
    """What it cost."""
    e = report.efficiency
    rows = [
        ["Wall time", n.seconds(e["wall_seconds"])],
        ["Time of workers", n.seconds(e["worker_seconds"])],
        ["CPU time", n.seconds(e["cpu_seconds"])],
        ["Parallel speed-up", n.ratio(e["parallel_speedup"])],
        ["Evaluations", n.count(report.evaluations)],
        ["Evaluations a second", n.count(e["evaluations_per_second"])],
        ["Evaluations a CPU second", n.count(e["evaluations_per_cpu_second"])],
        ["Time a strategy", n.seconds(e["seconds_per_strategy"])],
        ["Largest memory of a worker", n.megabytes(e["peak_memory_bytes"])],
        ["Attempts cut short", n.count(e["lost_attempts"])],
        ["Success rate", n.share(report.success_rate)],
    ]
    return Section(
        name="efficiency",
        title="Efficiency",
        blocks=[Table(titles=["Measure", "Value"], rows=rows, numbers=range(1, 2))],
    )


def _three(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _value(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
