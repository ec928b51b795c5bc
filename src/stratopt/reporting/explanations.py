"""Every statistic of a batch in one line: its value, how uncertain it is, what it means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from stratopt.reporting import numbers as n

PBO_DEVIATION_OF_LUCK = 0.21
ONE_TRIAL = 1.005
ESTIMATES = {
    "mean_correlation": "mean correlation",
    "participation_ratio": "participation ratio",
    "kaiser_count": "eigenvalues above 1",
    "principal_components_95": "95 % of variance",
    "cheverud_nyholt": "Cheverud-Nyholt",
    "optimal_clusters": "clusters (ONC)",
}


def batch_evidence_rows(evidence: Mapping[str, Any]) -> list[list[str]]:
    """Statistic, value, uncertainty, meaning."""
    spa, pbo, headline = evidence["spa"], evidence["pbo"], evidence["headline"]
    rows = [
        [
            "Parameter sets tried",
            n.count(evidence["trials"]),
            f"{n.count(evidence['trials_in_matrix'])} are in the tests",
            "the best of many tries looks good by luck; everything below is charged for them",
        ],
        [
            "Strategies compared",
            n.count(evidence["strategies"]),
            "",
            "the best of many honest results is a winner too; StepM is charged for them",
        ],
        [
            "Out-of-sample years",
            n.ratio(evidence["out_of_sample_years"]),
            f"error of a yearly Sharpe ratio: {_error_of_sharpe(evidence['out_of_sample_years'])}",
            "the shortest of the batch; few years can show only large effects",
        ],
        [
            "Sharpe ratio noticed in 80 % of cases",
            n.ratio(evidence["sharpe_needed"]),
            "80 % power at 5 %",
            "a true yearly ratio that this batch would notice four times of five; no condition of the verdict",
        ],
        ["Hansen's SPA, p", *_spa(spa)],
        ["Probability of backtest overfitting", *_pbo(pbo, evidence["effective_trials"])],
        [
            "Effective number of trials",
            n.ratio(evidence["effective_trials"]),
            _other_estimates(evidence.get("effective_trials_by")),
            "how many unrelated bets the trials are worth; similar parameters count once",
        ],
        [
            "Least length of a backtest",
            f"{evidence['minimum_backtest_years']:.1f} years",
            "as if all trials were unrelated",
            "below it, a Sharpe ratio of 1 in sample is expected from luck alone",
        ],
    ]
    if headline is not None:
        rows.append(
            [
                "Luck in the best Sharpe ratio",
                f"{headline['raw'] - headline['if_none_is_real']:.2f} a year",
                f"{headline['raw'] - headline['if_real']:.2f} if the best is real",
                "what being the best of the strategies adds; take it off the headline",
            ]
        )
    return rows


def _other_estimates(by: Mapping[str, float | None] | None) -> str:
    """The other estimates of the number of trials, smallest first."""
    if by is None:
        return "entropy rank"
    known = sorted((value, name) for name, value in by.items() if value is not None and name != "entropy_rank")
    told = ", ".join(f"{ESTIMATES[name]} {value:.0f}" for value, name in known)
    return f"entropy rank; others, not used: {told}"


def _error_of_sharpe(years: float | None) -> str:
    return "n/a" if not years else f"± {1.0 / math.sqrt(years):.2f}"


def _spa(spa: Mapping[str, Any] | None) -> list[str]:
    meaning = "how often luck alone gives a best trial as good as this one; small is good"
    if spa is None:
        return ["n/a", "not computed: a job ran without statistical_tests, or no trial traded", meaning]
    p = spa["consistent"]
    error = 1.96 * math.sqrt(p * (1.0 - p) / spa["draws"])
    return [n.probability(p), f"± {error:.3f}; between {spa['lower']:.3f} and {spa['upper']:.3f}", meaning]


def without_overfitting(effective_trials: float | None) -> str:
    """Why there is no probability of overfitting."""
    if effective_trials is not None and effective_trials < ONE_TRIAL:
        return "fewer than two trials differ: there was nothing to choose between"
    return "too few buckets, or a job ran without statistical_tests"


def _pbo(pbo: Mapping[str, Any] | None, effective_trials: float | None) -> list[str]:
    meaning = "how often the best in sample is in the lower half out of sample; luck gives 0.50"
    if pbo is None:
        return ["n/a", without_overfitting(effective_trials), meaning]
    return [
        n.ratio(pbo["pbo"]),
        f"pure luck scatters by {PBO_DEVIATION_OF_LUCK}; loss in {pbo['loss_probability']:.0%} of splits",
        meaning,
    ]
