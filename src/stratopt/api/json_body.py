"""Bodies that are read only for who may send them, and whose objects name every key once."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from fastapi import HTTPException, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from stratopt.api.security import Requires
from stratopt.wire.problems import shortened

JSON_PROBLEM = 400


class _StrictRequest(Request):
    async def json(self) -> Any:
        return json.loads(await self.body(), object_pairs_hook=_object)


class StrictJsonRoute(APIRoute):
    """Asks who calls before the body is parsed, which FastAPI does before any dependency.

    Refuses a key that stands twice in an object: Python's reader would drop the first without a word.
    """

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The handler of FastAPI on a request that reads strictly."""
        handle, requirements = super().get_route_handler(), list(_requirements(self.dependant))

        async def strictly(request: Request) -> Response:
            for requirement in requirements:
                await run_in_threadpool(requirement, request)
            return await handle(_StrictRequest(request.scope, request.receive))

        return strictly


def _requirements(dependant: Dependant) -> Iterator[Requires]:
    if isinstance(dependant.call, Requires):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _requirements(inner)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            detail = f"the key {shortened(name)!r} stands twice in one object; keep one of them"
            raise HTTPException(JSON_PROBLEM, detail)
        found[name] = value
    return found
