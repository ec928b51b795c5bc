"""What the codes of errors mean that are not codes of HTTP answers: those of items of a batch, and of the library."""

from __future__ import annotations

from collections.abc import Mapping

ITEM_TITLES: Mapping[str, str] = {
    "strategy_error": "The strategy raised an error",
    "invalid_parameter_space": "The parameter space cannot be searched",
    "data_unavailable": "There is no usable market data",
    "corrupt_series": "The stored series is damaged",
    "corrupt_map": "The memory map of the series is damaged",
    "insufficient_data": "There are too few bars",
    "no_trades": "No parameters led to enough trades",
    "infeasible": "Parameters traded, but none of them has a score",
    "look_ahead": "The strategy knows the future",
    "timeout": "The job reached its time limit",
    "deadline_exceeded": "The batch reached its time limit",
    "out_of_memory": "The job needed too much memory",
    "worker_died": "The worker process died",
    "cancelled": "The job was cancelled",
    "not_serializable": "The result cannot be written as JSON",
    "internal_error": "Something broke on our side",
}
"""Why a job has no result."""

LIBRARY_TITLES: Mapping[str, str] = {
    "batch_error": "The batch does not exist, is not finished or cannot be changed",
    "data_changed": "The market data are not those of the result",
    "duplicate_strategy": "The name of the strategy is taken",
    "empty_range": "The range has no bars",
    "hides_bundled": "The name belongs to a series that comes with stratopt",
    "invalid_backtest": "The input of the backtest cannot be simulated",
    "invalid_bars": "The table is no series of bars",
    "invalid_checkpoint": "The checkpoint of the search is damaged or of another search",
    "invalid_configuration": "The configuration file cannot be used",
    "invalid_expression": "The formula of the objective cannot be used",
    "invalid_range": "The range ends before it begins",
    "invalid_splits": "The bars cannot be split this way",
    "invalid_stamps": "The times of the bars cannot be used",
    "invalid_statistics": "The statistics cannot be computed from this",
    "invalid_symbol": "The symbol is not written as one",
    "invalid_synthetic": "Such a series cannot be made",
    "no_data_directory": "The directory of market data does not exist",
    "no_worker": "No worker process can be started",
    "optimization_error": "The optimisation cannot start or go on",
    "source_failed": "The source of market data does not answer as it should",
    "stratopt_error": "Something is wrong with the request",
    "strategy_import_failed": "The file of the strategy cannot be imported",
    "too_many_objectives": "The search engine maximises one objective only",
    "unknown_algorithm": "The search engine does not exist",
    "unknown_calendar": "The trading calendar does not exist",
    "unknown_exchange": "The exchange does not exist",
    "unknown_format": "The format of the file is not known",
    "unknown_objective": "The objective does not exist",
    "unknown_repair": "The repair of market data does not exist",
    "unknown_section": "The report has no such section",
    "unknown_timeframe": "The timeframe is not known or cannot be made from the series",
    "unreadable_file": "The file cannot be read",
}
"""Of the Python functions and the command line; whatever of them happens to a job becomes the code of its item."""
