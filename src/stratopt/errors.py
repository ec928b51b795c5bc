"""The root of every error that stratopt raises on purpose.

StratoptError                      stable ``code``, human ``message``, machine ``context``
├── ConfigurationError             a configuration file that cannot be used
├── MarketDataError                market/      data that is missing, malformed or refused
├── ParameterSpaceError            search/      a space that cannot be built, read or sampled
├── StrategyError                  strategies/  a strategy that is unknown, invalid or that raised
├── BacktestError                  backtest/    input that cannot be simulated
├── ExportError                    export/      a result that cannot be written in another language
├── OutOfMemoryError               anywhere     memory that this process may not use or that the machine does not have
└── OptimizationError              optimization/exceptions.py draws its own tree
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class StratoptError(Exception):
    """An error with a stable code, a sentence for people and facts for programs.

    The message names the value, the limit and the way out; every dynamic part of it is also in ``context``.
    Instances survive pickling.
    """

    code = "stratopt_error"

    def __init__(self, message: str, *, code: str | None = None, **context: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.context = context

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.code, self.context)


def _rebuild(kind: type[StratoptError], message: str, code: str, context: dict[str, Any]) -> StratoptError:
    error = kind.__new__(kind)
    StratoptError.__init__(error, message, code=code, **context)
    return error


class ConfigurationError(StratoptError):
    """A configuration file is missing, unreadable or says something that is not a setting."""

    code = "invalid_configuration"


class MarketDataError(StratoptError):
    """Market data is missing, malformed or refused."""

    code = "data_unavailable"


class ParameterSpaceError(StratoptError):
    """A parameter space cannot be built, read or sampled."""

    code = "invalid_parameter_space"


class StrategyError(StratoptError):
    """A strategy is unknown, invalid or raised."""

    code = "strategy_error"


class BacktestError(StratoptError):
    """The input of a backtest cannot be simulated."""

    code = "invalid_backtest"


class ExportError(StratoptError):
    """A result cannot be written in another language."""

    code = "cannot_be_exported"


class OutOfMemoryError(StratoptError):
    """The work needs more memory than there is."""

    code = "out_of_memory"


@contextmanager
def memory_errors_told(work: str, way_out: str = "shorten the date range or free memory") -> Iterator[None]:
    """Raise OutOfMemoryError, naming ``work``, where Python raises MemoryError inside the block or the decorated function."""
    try:
        yield
    except MemoryError as error:
        detail = f" ({error})" if str(error) else ""
        raise OutOfMemoryError(
            f"{work} needed more memory than this process can have{detail}; {way_out}",
            work=work,
        ) from error
