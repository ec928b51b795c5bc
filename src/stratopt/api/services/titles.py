"""What the codes of errors mean: of HTTP answers, of items of a batch, of the library."""

from __future__ import annotations

from collections.abc import Mapping

HTTP_TITLES: Mapping[str, str] = {
    "malformed_json": "The body is not valid JSON",
    "invalid_cursor": "The cursor is not one of ours",
    "invalid_idempotency_key": "The Idempotency-Key is not usable",
    "invalid_signature": "The signature is wrong",
    "host_not_allowed": "The host is not one of this server's",
    "missing_api_key": "An API key is needed",
    "invalid_api_key": "The API key is not valid",
    "insufficient_scope": "The API key may not do this",
    "origin_not_allowed": "Pages of other origins may not write",
    "not_found": "There is nothing here",
    "method_not_allowed": "This method is not supported here",
    "not_acceptable": "None of the accepted formats is offered",
    "batch_expired": "The batch was kept long enough and is gone",
    "batch_running": "The batch has not ended",
    "batch_not_finished": "The batch has not ended",
    "ambiguous_strategy_id": "The strategy_id names several jobs",
    "nothing_to_retry": "No job of the batch failed",
    "conflict": "Something else happened first",
    "payload_too_large": "The body is too large",
    "unsupported_media_type": "The body must be JSON",
    "validation_failed": "The request is not valid",
    "unknown_strategy": "The strategy does not exist",
    "unknown_symbol": "The symbol does not exist",
    "cannot_be_exported": "The result cannot be written as a script",
    "search_space_too_large": "The request asks for too much",
    "webhook_url_forbidden": "The webhook address is not allowed",
    "idempotency_key_reused": "The Idempotency-Key was used for another request",
    "rate_limited": "Too many requests",
    "too_many_active_batches": "Too many unfinished batches",
    "too_many_streams": "Too many open event streams",
    "missing_extra": "This server lacks an optional part",
    "internal_error": "Something broke on our side",
    "draining": "The server is shutting down",
    "queue_full": "The queue is full",
    "storage_full": "The disk is full",
    "storage_unavailable": "The database does not answer",
}
"""Of problems; their statuses are in ``api.problems``."""

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

TITLES: Mapping[str, str] = {**LIBRARY_TITLES, **HTTP_TITLES, **ITEM_TITLES}
"""Of every code there is."""

OF_ITEMS_TOO = frozenset({"unknown_strategy", "unknown_symbol", "missing_extra", "internal_error"})
"""Codes of HTTP answers that a job may end with, when what was there at its submission is not there when it runs."""
