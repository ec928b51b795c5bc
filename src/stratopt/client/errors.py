"""What can go wrong between a client and the server.

StratoptClientError
├── ConnectionFailedError         the server cannot be reached or did not answer in time
├── UnexpectedAnswerError         something that is no stratopt server answered
└── ApiError                 the server answered with a problem: ``status``, ``code``, ``request_id``, ``errors``, ``retry_after``
    ├── InvalidRequestError       400, 413, 415, 422
    ├── NotAuthorizedError        401, 403
    ├── NotFoundError             404, 410
    ├── ConflictError             409
    ├── RateLimitedError          429
    └── ServerUnavailableError    500 and above
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class StratoptClientError(Exception):
    """Anything that the client raises."""


class ConnectionFailedError(StratoptClientError):
    """The server cannot be reached or did not answer in time."""


class UnexpectedAnswerError(StratoptClientError):
    """The answer is none that a stratopt server gives: the page of a proxy, another program."""


class ApiError(StratoptClientError):
    """The server answered with a problem document."""

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: float | None = None) -> None:
        super().__init__(f"{problem.get('code', status)}: {problem.get('detail', 'the server gave no reason')}")
        self.status = status
        self.problem = dict(problem)
        self.code = str(problem.get("code", status))
        self.request_id = problem.get("request_id")
        self.errors = list(problem.get("errors") or [])
        self.retry_after = retry_after


class InvalidRequestError(ApiError):
    """The request was refused as it stands."""


class NotAuthorizedError(ApiError):
    """The API key is missing, wrong or lacks a scope."""


class NotFoundError(ApiError):
    """There is no such thing."""


class ConflictError(ApiError):
    """The thing is in another state than the request needs."""


class RateLimitedError(ApiError):
    """Too many requests."""


class ServerUnavailableError(ApiError):
    """The server cannot do it now."""


def error_of(status: int, problem: Mapping[str, Any], retry_after: float | None) -> ApiError:
    """The exception for a status."""
    kinds: dict[int, type[ApiError]] = {
        401: NotAuthorizedError,
        403: NotAuthorizedError,
        404: NotFoundError,
        410: NotFoundError,
        409: ConflictError,
        429: RateLimitedError,
    }
    kind = kinds.get(status) or (ServerUnavailableError if status >= 500 else InvalidRequestError)
    return kind(status, problem, retry_after)
