"""The comment at the top of a script: what was tested, how it did, what was concluded, what differs on TradingView."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stratopt.export.pine_declaration import commission_percent, not_carried_over
from stratopt.optimization.job_spec import JobSpec
from stratopt.optimization.manifest import COMMAND
from stratopt.strategies.base import Strategy

VERDICTS = {"likely_real": "likely real", "unproven": "unproven", "likely_luck": "likely luck"}
WIDTH = 130


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a script comes from; ``verdict`` is the result's line in its batch's ranking, None without a batch."""

    result: Mapping[str, Any]
    spec: JobSpec
    verdict: Mapping[str, Any] | None


def header(strategy: Strategy, provenance: Provenance) -> str:
    """Comment lines, each starting with ``//``."""
    result, spec = provenance.result, provenance.spec
    manifest, data = result["manifest"], result["manifest"]["data"]
    outside, inside = result["out_of_sample"], result["in_sample"]
    paragraphs = [
        f"{spec.strategy} on {spec.symbol} {spec.timeframe}, exported by stratopt {manifest['stratopt']}. {strategy.doc}",
        f"Verdict: {_verdict(provenance.verdict)}",
        (
            f"Out of sample ({result['validation'].replace('_', '-')}, {outside['first_bar']} to {outside['last_bar']}, {outside['years']:.1f} years, "
            f"after costs): {_figures(outside['metrics'])}."
        ),
        f"In sample, which any search makes look good ({inside['first_bar']} to {inside['last_bar']}): {_figures(inside['metrics'])}.",
        f"Search: {result['search']['evaluations']} parameter sets tried by {result['search']['algorithm']} for {result['objective']}.",
        f"Data: {data['bars']} bars, {data['first_bar']} to {data['last_bar']}, sha256 {data['content_hash']}.",
        f"Result: spec {manifest['spec_fingerprint']}, code {manifest['code_hash']}, seed {manifest['seed']}; {COMMAND} runs it again.",
        (
            f"Costs: commission {commission_percent(spec.costs):g} % a side stands for fee {spec.costs.fee_bps:g}, slippage {spec.costs.slippage_bps:g} "
            f"and half of the spread {spec.costs.spread_bps:g} basis points, because Pine counts slippage in ticks."
        ),
        (
            "Differences to expect: TradingView's prices are not the ones above, its chart begins at another bar (averages need some hundred bars "
            "to agree, higher bars and checks every n bars are counted from the first bar), daily bars may open on another UTC date, and sizes are "
            "taken at the signal's close. On equal bars the target of this script equals that of stratopt."
        ),
    ]
    if notes := not_carried_over(spec.costs, spec.execution):
        paragraphs.append(f"Not carried over: {'; '.join(notes)}.")
    return "\n".join(line for paragraph in paragraphs for line in _commented(paragraph))


def _verdict(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "none; one strategy alone is not judged. Run it in a batch to charge it for the whole search."
    reasons = "; ".join(row["verdict_reasons"])
    return f"{VERDICTS[row['verdict']]} ({reasons})."


def _figures(metrics: Mapping[str, float | None]) -> str:
    shown = [
        f"Sharpe ratio {_number(metrics['sharpe_ratio'], '.2f')} a year",
        f"total return {_number(metrics['total_return'], '.1%')}",
        f"max drawdown {_number(metrics['max_drawdown'], '.1%')}",
        f"{_number(metrics['trade_count'], '.0f')} closed trades",
    ]
    return ", ".join(shown)


def _number(value: float | None, form: str) -> str:
    return "n/a" if value is None else format(value, form)


def _commented(paragraph: str) -> Sequence[str]:
    clean = " ".join(paragraph.split())
    return textwrap.wrap(
        clean, WIDTH, initial_indent="// ", subsequent_indent="//   ", break_long_words=False, break_on_hyphens=False
    )
