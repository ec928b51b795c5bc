"""What a search may maximise."""

from __future__ import annotations

from collections.abc import Mapping

OBJECTIVES: Mapping[str, str] = {
    "sharpe_ratio": "sharpe_ratio",
    "sortino_ratio": "sortino_ratio",
    "sortino": "sortino_ratio",
    "calmar_ratio": "calmar_ratio",
    "calmar": "calmar_ratio",
    "total_return": "total_return",
    "cagr": "cagr",
    "profit_factor": "profit_factor",
    "omega_ratio": "omega_ratio",
    "omega": "omega_ratio",
    "sqn": "sqn",
}
"""Name in a request -> metric of a backtest. All are better when larger."""
