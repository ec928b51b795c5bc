"""Speed of the statistics over a batch, beside arch where it has the same test.

``python benchmarks/statistics_speed.py`` prints a table and writes benchmarks/statistics_speed.json; the best of three runs counts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from arch.bootstrap import SPA

from stratopt.evaluation.bootstrap import common_block_length
from stratopt.evaluation.effective_trials import correlation_eigenvalues, entropy_rank
from stratopt.evaluation.multiple_testing import step_down_p_values, superior_predictive_ability
from stratopt.evaluation.pbo import block_totals, overfitting, overfitting_by_group
from stratopt.evaluation.winner_bias import corrected_headline

LIMITS = {"CSCV S=16, 1,000 trials x 2,000 bars": 1.0, "SPA, 1,000 trials x 2,000 bars, B=1,000": 1.0}
WHOLE = "all statistics of 24 strategies x 1,000 trials"


def best_of_three(function: Callable[[], object]) -> float:
    """Seconds."""
    function()
    times = []
    for _ in range(3):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)


def with_arch(returns: np.ndarray) -> None:
    """The same number of draws with the package of the field."""
    test = SPA(np.zeros(len(returns)), -returns, block_size=10, reps=1000, bootstrap="stationary", seed=1)
    test.compute()


def whole_batch(trials: np.ndarray, accounts: np.ndarray) -> None:
    """PBO of every strategy and of the batch, SPA over all trials, effective trials, StepM and the headline over strategies."""
    overfitting_by_group(*block_totals(trials, 16), groups=[1000] * 24)
    block = common_block_length(accounts)
    superior_predictive_ability(trials, mean_block=block)
    for k in range(24):
        entropy_rank(correlation_eigenvalues(trials[:, 1000 * k : 1000 * k + 1000]))
    entropy_rank(correlation_eigenvalues(trials))
    step_down_p_values(accounts, mean_block=block, draws=4000)
    corrected_headline(accounts, periods_per_year=90.0, mean_block=block)


def main() -> None:
    """Measure and write."""
    rng = np.random.default_rng(0)
    bars = rng.standard_normal((2000, 1000)) * 0.01
    trials = (rng.standard_normal((512, 24_000)) * 0.01).astype(np.float32)
    accounts = rng.standard_normal((512, 24)) * 0.01
    found = {
        "CSCV S=16, 1,000 trials x 2,000 bars": best_of_three(lambda: overfitting(bars)),
        "SPA, 1,000 trials x 2,000 bars, B=1,000": best_of_three(
            lambda: superior_predictive_ability(bars, mean_block=10)
        ),
        WHOLE: best_of_three(lambda: whole_batch(trials, accounts)),
    }
    began = time.perf_counter()
    with_arch(bars)
    found["SPA with arch, the same"] = time.perf_counter() - began
    for name, seconds in found.items():
        print(f"{name}: {seconds:.2f} s")
    print(
        f"times faster than arch: {found['SPA with arch, the same'] / found['SPA, 1,000 trials x 2,000 bars, B=1,000']:.0f}"
    )
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
