"""Monte Carlo on finished results: intervals from resampled returns and trades, windows at random."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from stratopt.evaluation.bootstrap import Seed, optimal_block_length, stationary_indices
from stratopt.kernels.arrays import AnyArray, Float64Array1D

QUANTILES = (0.05, 0.5, 0.95)
VALUES_AT_ONCE = 2_000_000


def bootstrap_returns(
    returns: AnyArray, *, periods_per_year: float, runs: int, seed: Seed, mean_block: float | None = None
) -> Mapping[str, Any]:
    """Quantiles (5, 50, 95 %) of Sharpe ratio, CAGR and maximum drawdown over stationary bootstraps of ``returns`` (n,).

    Answers ``{"sharpe_ratio": {"p05", "p50", "p95"}, "cagr": ..., "max_drawdown": ..., "mean_block", "runs"}``.
    """
    values = np.asarray(returns, dtype=np.float64)
    block = mean_block or max(5.0, float(optimal_block_length(values)))
    rng = np.random.default_rng(seed)
    at_once = max(1, VALUES_AT_ONCE // values.size)
    parts = []
    for first in range(0, runs, at_once):
        drawn = values[stationary_indices(values.size, min(at_once, runs - first), block, rng)]
        parts.append(_path_statistics(drawn, periods_per_year))
    sharpe, cagr, drawdown = (np.concatenate(column) for column in zip(*parts, strict=True))
    return {
        "sharpe_ratio": _quantiles(sharpe),
        "cagr": _quantiles(cagr),
        "max_drawdown": _quantiles(drawdown),
        "mean_block": block,
        "runs": runs,
    }


def bootstrap_trades(trade_returns: AnyArray, *, runs: int, seed: Seed, mean_block: float = 3.0) -> Mapping[str, Any]:
    """Quantiles of expectancy (fraction a trade), of the compounded return and of the drawdown over resampled trades.

    Blocks of consecutive trades are drawn with replacement: drawing without it would leave every sum unchanged.
    """
    values = np.asarray(trade_returns, dtype=np.float64)
    drawn = values[stationary_indices(values.size, runs, mean_block, seed)]
    wealth = np.cumprod(np.maximum(1.0 + drawn, 0.0), axis=1)
    return {
        "expectancy_pct": _quantiles(drawn.mean(axis=1)),
        "total_return": _quantiles(wealth[:, -1] - 1.0),
        "max_drawdown": _quantiles(_drawdown(wealth)),
        "trades": values.size,
        "runs": runs,
    }


def random_periods(
    returns: AnyArray, *, periods_per_year: float, length: int, runs: int, seed: Seed
) -> Mapping[str, Any]:
    """Sharpe ratios of ``runs`` windows of ``length`` periods that start at random, and the share that lost money.

    The windows overlap: only about n / length of them are independent (``independent_windows``).
    """
    values = np.asarray(returns, dtype=np.float64)
    starts = np.random.default_rng(seed).integers(0, values.size - length + 1, size=runs)
    total = np.concatenate([[0.0], np.cumsum(values)])
    squares = np.concatenate([[0.0], np.cumsum(values**2)])
    growth = np.concatenate([[0.0], np.cumsum(np.log1p(np.maximum(values, -1.0 + 1e-12)))])
    sums, squared = total[starts + length] - total[starts], squares[starts + length] - squares[starts]
    spread = np.maximum((squared - sums**2 / length) / (length - 1), 0.0)
    sharpe = np.where(spread > 1e-18, sums / length / np.sqrt(np.maximum(spread, 1e-300)), 0.0)
    return {
        "sharpe_ratio": _quantiles(sharpe * np.sqrt(periods_per_year)),
        "loss_share": float(np.mean(growth[starts + length] - growth[starts] < 0.0)),
        "length_periods": length,
        "independent_windows": values.size / length,
        "runs": runs,
    }


def _path_statistics(drawn: AnyArray, periods_per_year: float) -> tuple[Float64Array1D, Float64Array1D, Float64Array1D]:
    deviation = drawn.std(axis=1, ddof=1)
    sharpe = np.where(deviation > 1e-12, drawn.mean(axis=1) / np.where(deviation > 0, deviation, 1.0), 0.0)
    wealth = np.cumprod(np.maximum(1.0 + drawn, 0.0), axis=1)
    cagr = wealth[:, -1] ** (periods_per_year / drawn.shape[1]) - 1.0
    return sharpe * np.sqrt(periods_per_year), cagr, _drawdown(wealth)


def _drawdown(wealth: AnyArray) -> Float64Array1D:
    peak = np.maximum(np.maximum.accumulate(wealth, axis=1), 1.0)
    return np.asarray((wealth / peak - 1.0).min(axis=1))


def _quantiles(values: AnyArray) -> dict[str, float]:
    return {f"p{int(q * 100):02d}": float(v) for q, v in zip(QUANTILES, np.quantile(values, QUANTILES), strict=True)}
