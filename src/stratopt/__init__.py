"""stratopt: optimise many trading strategies in one request and learn which results are real.

Names are resolved on first use, so that importing the client loads no server and ``import stratopt`` is quick.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from stratopt._version import __version__

_HOME = {
    "AsyncBatchHandle": "stratopt.client.async_client",
    "AsyncClient": "stratopt.client.async_client",
    "Bars": "stratopt.market.bars",
    "BatchHandle": "stratopt.client.client",
    "Choice": "stratopt.search.parameters",
    "Client": "stratopt.client.client",
    "Costs": "stratopt.backtest.costs",
    "Execution": "stratopt.backtest.execution",
    "Fixed": "stratopt.search.parameters",
    "FloatRange": "stratopt.search.parameters",
    "IntRange": "stratopt.search.parameters",
    "ParameterSpace": "stratopt.search.parameter_space",
    "StratoptError": "stratopt.errors",
    "backtest": "stratopt.backtest.engine",
    "backtest_signals": "stratopt.backtest.engine",
    "check_look_ahead": "stratopt.strategies.look_ahead",
    "export_pine": "stratopt.export.pine",
    "list_strategies": "stratopt.strategies.catalogue",
    "load_bars": "stratopt.library",
    "optimize": "stratopt.library",
    "optimize_batch": "stratopt.library",
    "strategy": "stratopt.strategies.own",
    "sweep": "stratopt.backtest.sweep",
}
__all__ = ["__version__", *_HOME]  # noqa: PLE0604 # pyright: ignore[reportUnsupportedDunderAll]

if TYPE_CHECKING:
    from stratopt.backtest.costs import Costs as Costs
    from stratopt.backtest.engine import backtest as backtest
    from stratopt.backtest.engine import backtest_signals as backtest_signals
    from stratopt.backtest.execution import Execution as Execution
    from stratopt.backtest.sweep import sweep as sweep
    from stratopt.client.async_client import AsyncBatchHandle as AsyncBatchHandle
    from stratopt.client.async_client import AsyncClient as AsyncClient
    from stratopt.client.client import BatchHandle as BatchHandle
    from stratopt.client.client import Client as Client
    from stratopt.errors import StratoptError as StratoptError
    from stratopt.export.pine import export_pine as export_pine
    from stratopt.library import load_bars as load_bars
    from stratopt.library import optimize as optimize
    from stratopt.library import optimize_batch as optimize_batch
    from stratopt.market.bars import Bars as Bars
    from stratopt.search.parameter_space import ParameterSpace as ParameterSpace
    from stratopt.search.parameters import Choice as Choice
    from stratopt.search.parameters import Fixed as Fixed
    from stratopt.search.parameters import FloatRange as FloatRange
    from stratopt.search.parameters import IntRange as IntRange
    from stratopt.strategies.catalogue import list_strategies as list_strategies
    from stratopt.strategies.look_ahead import check_look_ahead as check_look_ahead
    from stratopt.strategies.own import strategy as strategy


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'stratopt' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Keeps ``stratopt.backtest`` the function: importing the folder of that name would bind the folder over it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _HOME and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
