"""The verdict on one strategy of a batch: likely real, unproven or likely luck, and why.

The rule passed 3.0 % of batches without any real strategy and 91 % of those with one of Sharpe ratio 1.8 over four years. Its two tests
must agree: StepM over the strategies' out-of-sample returns, and SPA over all trials of the batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from stratopt.evaluation.sharpe import annual_sharpe_needed

ALPHA = 0.05
FEWEST_TRADES = 30
LUCK_P = 0.5
LUCK_PBO = 0.5


class Verdict(StrEnum):
    """What may be said of a result."""

    LIKELY_REAL = "likely_real"
    UNPROVEN = "unproven"
    LIKELY_LUCK = "likely_luck"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of one strategy; None where it could not be computed. Ratios are annual and out of sample.

    ``periods`` and ``periods_needed`` (MinTRL at 95 %) are of the out-of-sample returns; ``excess_sharpe`` is over the benchmark of equal
    exposure; ``step_down_p`` over the batch's strategies, ``spa_p`` and ``pbo`` over all its trials.
    """

    sharpe: float | None
    excess_sharpe: float | None
    sharpe_at_double_costs: float | None
    trades: int
    periods: int
    periods_needed: float
    step_down_p: float | None
    spa_p: float | None
    pbo: float | None


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A verdict with its reasons in words, beside what it must be read with."""

    verdict: Verdict
    reasons: Sequence[str]
    trials: int
    strategies: int
    out_of_sample_years: float
    sharpe_needed: float


def judge(evidence: Evidence, *, trials: int, strategies: int, years: float, alpha: float = ALPHA) -> Judgement:
    """Apply the rule; ``sharpe_needed`` is what 80 % power over these years and strategies asks for."""
    failed = _failed_conditions(evidence, alpha)
    luck = _signs_of_luck(evidence)
    if not failed:
        verdict, reasons = Verdict.LIKELY_REAL, ["every test was passed"]
    elif luck:
        verdict, reasons = Verdict.LIKELY_LUCK, luck
    else:
        verdict, reasons = Verdict.UNPROVEN, failed
    return Judgement(
        verdict=verdict,
        reasons=reasons,
        trials=trials,
        strategies=strategies,
        out_of_sample_years=years,
        sharpe_needed=annual_sharpe_needed(years, strategies, alpha=alpha),
    )


def _failed_conditions(e: Evidence, alpha: float) -> list[str]:
    failed = []
    if e.step_down_p is None or e.spa_p is None:
        failed.append("the tests over the batch could not be computed")
    else:
        if e.step_down_p > alpha:
            failed.append(f"not better than its benchmark among the batch's strategies (StepM p = {e.step_down_p:.3f})")
        if e.spa_p > alpha:
            failed.append(f"the best of all trials may be luck (SPA p = {e.spa_p:.3f})")
    if e.trades < FEWEST_TRADES:
        failed.append(f"{e.trades} out-of-sample trades are fewer than {FEWEST_TRADES}")
    if e.periods < e.periods_needed:
        needed = f"{e.periods_needed:.0f}" if math.isfinite(e.periods_needed) else "endless"
        failed.append(f"the record of {e.periods} periods is shorter than the {needed} needed")
    if e.sharpe_at_double_costs is None or e.sharpe_at_double_costs <= 0:
        failed.append("no profit left at twice the costs")
    return failed


def _signs_of_luck(e: Evidence) -> list[str]:
    signs = []
    if e.sharpe is None or e.sharpe <= 0:
        signs.append("no profit out of sample")
    if e.spa_p is not None and e.spa_p > LUCK_P:
        signs.append(f"the best of all trials is what luck gives (SPA p = {e.spa_p:.2f})")
    if e.pbo is not None and e.pbo >= LUCK_PBO:
        signs.append(f"the best in sample is usually in the lower half out of sample (PBO = {e.pbo:.2f})")
    return signs
