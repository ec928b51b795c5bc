"""A batch in a few sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stratopt.optimization.batch_report import FailedItem, RankedResult
from stratopt.optimization.jobs import Batch


def executive_summary(
    batch: Batch, ranking: Sequence[RankedResult], failures: Sequence[FailedItem], evidence: Mapping[str, Any] | None
) -> Sequence[str]:
    """What ended, what is real, how good it is after luck is taken off, and how many tries it took."""
    total = batch.counts["total"]
    sentences = [f"{len(ranking)} of {total} optimisations succeeded, {len(failures)} did not."]
    unfinished = total - len(ranking) - len(failures)
    if unfinished:
        sentences[0] = sentences[0][:-1] + f", {unfinished} have not ended."
    if not ranking:
        because = "the errors below say why" if failures else "no job has ended"
        return [*sentences, f"There is nothing to rank; {because}."]
    sentences.append(_verdict(ranking))
    best = max(ranking, key=lambda r: _or_low(r.out_of_sample["sharpe_ratio"]))
    sentences.append(_best(best, evidence))
    positive = sum(1 for r in ranking if (r.out_of_sample["total_return"] or 0.0) > 0)
    sentences.append(f"{positive} of {len(ranking)} made money on bars that their search never saw, after costs.")
    sentences.append(_effort(ranking, evidence))
    return sentences


def _verdict(ranking: Sequence[RankedResult]) -> str:
    real = [r for r in ranking if r.verdict == "likely_real"]
    if not real:
        return "No strategy is proven: none beats its benchmark by more than the luck of so many tries. Trade none of them on this evidence."
    names = ", ".join(f"{r.strategy_id} on {r.symbol} {r.timeframe}" for r in real[:5])
    more = f" and {len(real) - 5} more" if len(real) > 5 else ""
    return f"Likely real: {names}{more}, charged for everything that was tried in this batch."


def _best(best: RankedResult, evidence: Mapping[str, Any] | None) -> str:
    inside, outside = best.in_sample["sharpe_ratio"], best.out_of_sample["sharpe_ratio"]
    sentence = (
        f"Best out of sample: {best.strategy_id} on {best.symbol} {best.timeframe} with a yearly Sharpe ratio of {_number(outside)} "
        f"(in sample {_number(inside)})"
    )
    headline = None if evidence is None else evidence["headline"]
    if headline is None:
        return sentence + "."
    if outside is None or evidence is None:
        return sentence + "."
    corrected = headline["if_real"] if best.verdict == "likely_real" else headline["if_none_is_real"]
    left = outside - (headline["raw"] - corrected)
    return f"{sentence}; without the luck of being the best of {evidence['strategies']} it is {left:.2f}."


def _effort(ranking: Sequence[RankedResult], evidence: Mapping[str, Any] | None) -> str:
    evaluations = sum(r.evaluations for r in ranking)
    sentence = f"{evaluations} parameter sets of {len(ranking)} strategies were tried"
    if evidence is None or evidence["sharpe_needed"] is None:
        return sentence + ". The best of many tries looks good by luck alone."
    return (
        sentence
        + f" over {evidence['out_of_sample_years']:.1f} out-of-sample years; to be noticed with 80 % probability, a strategy would need a "
        f"true yearly Sharpe ratio of {evidence['sharpe_needed']:.2f}."
    )


def _or_low(value: float | None) -> float:
    return float("-inf") if value is None else value


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"
