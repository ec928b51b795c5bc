"""Who calls and what they may do. Every route declares a scope or is listed as open; a test walks all of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from stratopt.api.rate_limit import RateLimiter
from stratopt.errors import StratoptError
from stratopt.optimization.api_keys import ApiKeyStore, Scope, hash_of, is_well_formed

OPEN_PATHS = frozenset(
    {"/healthz", "/readyz", "/openapi.json", "/docs", "/docs/{asset}", "/errors", "/errors/{code}", "/api/v1/version"}
)
"""Routes without a scope: they tell nothing about anybody's work."""

WITHOUT_KEY = frozenset({"missing_api_key", "invalid_api_key"})
LOOPBACK_ADDRESSES = frozenset({"127.0.0.1", "::1"})
TOUCH_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who calls: ``owner`` is the key's id, or empty where the server has no keys. ``sees`` limits what is shown."""

    owner: str
    scopes: frozenset[Scope]
    address: str

    @property
    def sees(self) -> str | None:
        """Owner whose batches the caller sees; None means all."""
        return None if Scope.ADMIN in self.scopes or not self.owner else self.owner

    @property
    def bucket(self) -> str:
        """What rate limits are counted by."""
        return self.owner or self.address


class Gatekeeper:
    """Finds the caller of a request. Without any key in the store everybody on this machine may do everything."""

    def __init__(self, keys: ApiKeyStore) -> None:
        self._keys = keys
        self._touched: dict[str, float] = {}

    def keys_exist(self) -> bool:
        """Whether the server asks for keys: it does from the first key on, also when all are revoked."""
        return bool(self._keys.list())

    def caller(self, authorization: str | None, address: str) -> Caller:
        """The caller, or StratoptError ``missing_api_key`` or ``invalid_api_key``."""
        if not authorization:
            if self.keys_exist():
                raise StratoptError("send your API key as `Authorization: Bearer stratopt_...`", code="missing_api_key")
            return Caller(owner="", scopes=frozenset(Scope), address=address)
        scheme, _, key = authorization.partition(" ")
        found = self._keys.find(hash_of(key)) if scheme.lower() == "bearer" and is_well_formed(key) else None
        now = time.time()
        if found is None or not found.is_valid(now):
            raise StratoptError("the API key is unknown, revoked or expired", code="invalid_api_key")
        if now - self._touched.get(found.key_id, 0.0) > TOUCH_SECONDS:
            self._touched[found.key_id] = now
            self._keys.touch(found.key_id, now)
        return Caller(owner=found.key_id, scopes=found.scopes, address=address)


class Requires:
    """Dependency: a caller with ``scope``, within the rate limit of ``policy``. A request is looked at and counted once."""

    def __init__(self, scope: Scope, policy: str) -> None:
        self.scope = scope
        self.policy = policy

    def __call__(self, request: Request) -> Caller:
        """The caller, or a problem."""
        admitted: dict[Requires, Caller] = getattr(request.state, "admitted", {})
        if self not in admitted:
            request.state.admitted = admitted = {**admitted, self: self._admit(request)}
        return admitted[self]

    def _admit(self, request: Request) -> Caller:
        address = request.client.host if request.client else "unknown"
        gatekeeper: Gatekeeper = request.app.state.gatekeeper
        try:
            caller = gatekeeper.caller(request.headers.get("authorization"), address)
        except StratoptError as error:
            if error.code in WITHOUT_KEY:
                self._count(request, address)
            raise
        self._count(request, caller.bucket)
        if self.scope not in caller.scopes and Scope.ADMIN not in caller.scopes:
            raise StratoptError(
                f"this needs the scope {self.scope.value}", code="insufficient_scope", scope=self.scope.value
            )
        return caller

    def _count(self, request: Request, bucket: str) -> None:
        limiter: RateLimiter = request.app.state.rate_limiter
        verdict = limiter.hit(self.policy, bucket)
        request.state.counted, request.state.extra_headers = (self.policy, bucket), verdict.headers
        if not verdict.allowed:
            raise StratoptError(
                f"more than {verdict.limit} requests a minute of policy {self.policy!r}; come back in {verdict.retry_after_seconds} s",
                code="rate_limited",
                retry_after_seconds=verdict.retry_after_seconds,
                **{"violated-policies": [self.policy]},
            )


def not_modified(request: Request, headers: Mapping[str, str]) -> Response:
    """304 with ``headers``: a poll that brings nothing new costs no quota. It needs some all the same, for it was looked up."""
    limiter: RateLimiter = request.app.state.rate_limiter
    request.state.extra_headers = limiter.give_back(*request.state.counted).headers
    return Response(status_code=304, headers=dict(headers))


Reader = Annotated[Caller, Depends(Requires(Scope.READ, "read"))]
Writer = Annotated[Caller, Depends(Requires(Scope.WRITE, "submit"))]


def _submitter(request: Request, caller: Writer) -> Caller:
    if request.app.state.draining:
        raise StratoptError(
            "the server is shutting down and accepts no work; send the request again when it is back", code="draining"
        )
    return caller


Submitter = Annotated[Caller, Depends(_submitter)]
"""A writer who asks for new work, which a server that shuts down does not accept."""

Administrator = Annotated[Caller, Depends(Requires(Scope.ADMIN, "submit"))]
AdministrativeReader = Annotated[Caller, Depends(Requires(Scope.ADMIN, "read"))]
MetricsReader = Annotated[Caller, Depends(Requires(Scope.METRICS, "read"))]
