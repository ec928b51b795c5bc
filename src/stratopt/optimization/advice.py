"""Recommendations: what to do next, each tied to the number that says so."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stratopt.evaluation.verdict import FEWEST_TRADES
from stratopt.optimization.batch_report import FailedItem, RankedResult, Recommendation

UNHEARD_OF = 4.0
"""Yearly Sharpe ratio out of sample."""
SAME_BET = 0.9
MOST_PAIRS = 3
DEEP_DRAWDOWN = -0.5
LOSSES_TO_MIND = 0.25
FEWEST_COST_MULTIPLES = 2.0


def recommendations(
    ranking: Sequence[RankedResult],
    failures: Sequence[FailedItem],
    evidence: Mapping[str, Any] | None,
    correlation: Mapping[str, Any],
) -> Sequence[Recommendation]:
    """Advice on the batch, the most important first."""
    found: list[Recommendation] = []
    if ranking:
        found += _on_wonders(ranking)
        found += _on_history(ranking, evidence)
        found += _on_search(ranking, evidence)
        found += _on_trading(ranking)
        found += _on_pairs(ranking, correlation)
    for code, count in Counter(f.code for f in failures).most_common():
        names = ", ".join(sorted({f.strategy_id for f in failures if f.code == code})[:5])
        found.append(
            Recommendation(advice=f"Look at the error {code} of {names}.", because=f"{count} job(s) ended with it")
        )
    return found


def _on_wonders(ranking: Sequence[RankedResult]) -> Iterator[Recommendation]:
    wonders = [r for r in ranking if (r.out_of_sample["sharpe_ratio"] or 0.0) > UNHEARD_OF]
    if wonders:
        best = max(wonders, key=lambda r: r.out_of_sample["sharpe_ratio"] or 0.0)
        whose = _name(best) if len(wonders) == 1 else f"{len(wonders)} strategies, first of all of {_name(best)},"
        yield Recommendation(
            advice=f"Look for a mistake in the rules, the data or the costs of {whose} before you believe it.",
            because=f"a Sharpe ratio of {best.out_of_sample['sharpe_ratio']:.2f} out of sample is too good to be true; above {UNHEARD_OF:.0f} hardly any strategy is known",
        )


def _on_history(ranking: Sequence[RankedResult], evidence: Mapping[str, Any] | None) -> Iterator[Recommendation]:
    if evidence is None or evidence["sharpe_needed"] is None:
        return
    best = max((r.out_of_sample["sharpe_ratio"] or 0.0) for r in ranking)
    years, needed = evidence["out_of_sample_years"], evidence["sharpe_needed"]
    if not any(r.verdict == "likely_real" for r in ranking) and 0.2 < best < needed:
        wanted = years * (needed / best) ** 2
        yield Recommendation(
            advice=f"Test the best strategies on {math.ceil(10 * wanted) / 10:.1f} out-of-sample years at least, or fewer of them at once.",
            because=f"a Sharpe ratio of {best:.2f} over {years:.1f} years is below the {needed:.2f} that would be noticed in 80 % of cases",
        )


def _on_search(ranking: Sequence[RankedResult], evidence: Mapping[str, Any] | None) -> Iterator[Recommendation]:
    pbo = None if evidence is None else evidence["pbo"]
    # a space in which every point is good has a high PBO too, but then the chosen one seldom loses
    if pbo is not None and pbo["pbo"] >= 0.5 and pbo["loss_probability"] >= LOSSES_TO_MIND:
        yield Recommendation(
            advice="Narrow the parameter spaces or try fewer points: choosing the best in sample does not help here.",
            because=f"the probability of backtest overfitting is {pbo['pbo']:.2f} (0.50 is what pure luck gives), that of a loss {pbo['loss_probability']:.2f}",
        )
    spikes = [r for r in ranking if r.evidence["plateau_ratio"] is not None and r.evidence["plateau_ratio"] < 0.5]
    if spikes:
        worst = min(spikes, key=lambda r: r.evidence["plateau_ratio"] or 0.0)
        ratio = worst.evidence["plateau_ratio"] or 0.0
        yield Recommendation(
            advice=f"Distrust the exact parameters of {len(spikes)} strategies, most of all {_name(worst)}.",
            because="the neighbours of its best point "
            + ("have a negative score" if ratio < 0 else f"reach only {ratio:.0%} of its score"),
        )


def _on_trading(ranking: Sequence[RankedResult]) -> Iterator[Recommendation]:
    few = [r for r in ranking if (r.out_of_sample["trade_count"] or 0) < FEWEST_TRADES]
    if few:
        yield Recommendation(
            advice=f"Give {len(few)} strategies more history or a shorter timeframe.",
            because=f"they made fewer than {FEWEST_TRADES} trades out of sample; {_name(few[0])} made {few[0].out_of_sample['trade_count']:.0f}",
        )
    thin = [
        (multiple, r)
        for r in ranking
        if (multiple := r.evidence["break_even_cost_multiple"]) is not None
        and multiple < FEWEST_COST_MULTIPLES
        and r.verdict != "likely_luck"
    ]
    if thin:
        multiple, worst = min(thin, key=lambda pair: pair[0])
        whose = _name(worst) if len(thin) == 1 else f"{len(thin)} strategies, first of all of {_name(worst)},"
        yield Recommendation(
            advice=f"Check the costs of {whose} with your broker before anything else.",
            because=f"its profit is gone at {multiple:.1f} times the costs assumed here",
        )
    deep = [
        r for r in ranking if (r.out_of_sample["max_drawdown"] or 0.0) < DEEP_DRAWDOWN and r.verdict != "likely_luck"
    ]
    if deep:
        yield Recommendation(
            advice=f"Trade {_name(deep[0])} smaller than it was tested, if at all.",
            because=f"it lost {-(deep[0].out_of_sample['max_drawdown'] or 0.0):.0%} from its peak out of sample",
        )


def _on_pairs(ranking: Sequence[RankedResult], correlation: Mapping[str, Any]) -> Iterator[Recommendation]:
    rows = correlation["rows"]
    pairs = [
        (rows[i][j], ranking[i], ranking[j])
        for i in range(len(rows))
        for j in range(i + 1, len(rows))
        if rows[i][j] is not None and rows[i][j] > SAME_BET
    ]
    for value, one, other in sorted(pairs, key=lambda p: (-p[0], p[1].rank))[:MOST_PAIRS]:
        yield Recommendation(
            advice=f"Keep one of {_name(one)} and {_name(other)}: they are the same bet.",
            because=f"their out-of-sample returns correlate at {value:.2f}",
        )


def _name(r: RankedResult) -> str:
    return f"{r.strategy_id} on {r.symbol} {r.timeframe}"
