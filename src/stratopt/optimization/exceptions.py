"""Errors of the optimisation layer.

OptimizationError                code, message, context
├── InvalidStrategyError         the strategy is unknown, cannot be loaded or broke its contract
├── ParameterValidationError     a parameter, space or option is refused
├── DataValidationError          symbol, timeframe or range without usable data
├── OptimizationTimeoutError     a job or batch passed its limit
├── ResourceExhaustionError      queue, memory, disk or quota is full
├── SerializationError           a value cannot cross a process or network boundary
├── ConcurrencyError             two callers wanted the same thing; the other one won
└── BatchOptimizationError       a batch that does not exist, is not finished or cannot be changed

HTTP statuses are not known here: the table is in api/problems.py.
"""

from __future__ import annotations

from stratopt.errors import StratoptError


class OptimizationError(StratoptError):
    """An optimisation cannot start, go on or be answered."""

    code = "optimization_error"


class InvalidStrategyError(OptimizationError):
    """The strategy is unknown, cannot be loaded or broke its contract."""

    code = "unknown_strategy"


class ParameterValidationError(OptimizationError):
    """A parameter, space or option is refused."""

    code = "validation_failed"


class DataValidationError(OptimizationError):
    """Symbol, timeframe or range without usable data."""

    code = "data_unavailable"


class OptimizationTimeoutError(OptimizationError):
    """A job or batch passed its limit."""

    code = "timeout"


class ResourceExhaustionError(OptimizationError):
    """Queue, memory, disk or quota is full."""

    code = "queue_full"


class SerializationError(OptimizationError):
    """A value cannot cross a process or network boundary."""

    code = "not_serializable"


class ConcurrencyError(OptimizationError):
    """Two callers wanted the same thing; the other one won."""

    code = "conflict"


class BatchOptimizationError(OptimizationError):
    """A batch that does not exist, is not finished or cannot be changed."""

    code = "batch_error"
