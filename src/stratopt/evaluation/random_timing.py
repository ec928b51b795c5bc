"""Would the same positions at random times have earned as much? Tests timing net of exposure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratopt.evaluation.bootstrap import Seed
from stratopt.kernels.arrays import AnyArray, Float64Array1D


@dataclass(frozen=True, kw_only=True)
class TimingTest:
    """Mean return a period as it was, its mean and 95 % quantile under random timing, and the share at least as good."""

    observed: float
    mean_of_random: float
    quantile_95_of_random: float
    p_value: float
    alternatives: int


def circular_shift_test(positions: AnyArray, asset_returns: AnyArray) -> TimingTest:
    """Every circular shift of the positions (n,) against the asset's returns (n,): exposure, turnover and autocorrelation stay.

    All n shifts cost one FFT. The p-value counts the observed one: at least 1/n.
    """
    held, returns = np.asarray(positions, dtype=np.float64), np.asarray(asset_returns, dtype=np.float64)
    n = held.size
    spectrum = np.conj(np.fft.rfft(held)) * np.fft.rfft(returns)
    earned = np.fft.irfft(spectrum, n) / n
    observed = float(held @ returns) / n
    others = earned[1:]
    return _timing(observed, others if n > 1 else earned, n)


def random_entry_test(
    holding_lengths: AnyArray, sides: AnyArray, asset_returns: AnyArray, *, observed: float, runs: int, seed: Seed
) -> TimingTest:
    """Trades of the same number, sides and lengths (t,), in random order at uniformly random places without overlap.

    ``observed`` is the mean return a period of the strategy's own entries, before costs.
    """
    lengths, side = np.asarray(holding_lengths, dtype=np.int64), np.asarray(sides, dtype=np.float64)
    returns = np.asarray(asset_returns, dtype=np.float64)
    cumulated = np.concatenate([[0.0], np.cumsum(returns)])
    free = returns.size - int(lengths.sum())
    rng = np.random.default_rng(seed)
    earned = np.empty(runs)
    for run in range(runs):
        order = rng.permutation(lengths.size)
        before = np.sort(rng.integers(0, free + 1, size=lengths.size))
        starts = before + np.concatenate([[0], np.cumsum(lengths[order])[:-1]])
        earned[run] = float(np.sum(side[order] * (cumulated[starts + lengths[order]] - cumulated[starts])))
    return _timing(observed, earned / returns.size, runs + 1)


def _timing(observed: float, others: Float64Array1D, count: int) -> TimingTest:
    tolerance = 1e-12 * max(1e-300, float(np.abs(others).max(initial=0.0)))
    return TimingTest(
        observed=observed,
        mean_of_random=float(others.mean()),
        quantile_95_of_random=float(np.quantile(others, 0.95)),
        p_value=(1.0 + int(np.sum(others >= observed - tolerance))) / count,
        alternatives=others.size,
    )
