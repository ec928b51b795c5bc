"""Bodies whose objects name every key once."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import HTTPException, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from stratopt.wire.problems import shortened

JSON_PROBLEM = 400


class _StrictRequest(Request):
    async def json(self) -> Any:
        return json.loads(await self.body(), object_pairs_hook=_object)


class StrictJsonRoute(APIRoute):
    """Refuses a key that stands twice in an object: Python's reader would drop the first without a word."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The handler of FastAPI on a request that reads strictly."""
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strictly


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            detail = f"the key {shortened(name)!r} stands twice in one object; keep one of them"
            raise HTTPException(JSON_PROBLEM, detail)
        found[name] = value
    return found
