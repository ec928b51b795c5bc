"""Query parameters that an operation does not know are refused, not ignored."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute

from stratopt.errors import StratoptError
from stratopt.wire.problems import json_pointer, shortened

API_PREFIX = "/api/"


async def known_parameters_only(request: Request) -> None:
    """StratoptError ``validation_failed`` for a misspelt parameter: without ``validate_only`` a submission would really run."""
    if not request.query_params:
        return
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not route.path.startswith(API_PREFIX):
        return  # probes of monitoring may append what they like
    fields = get_flat_params(route.dependant)
    known = sorted(field.alias for field in fields if isinstance(field.field_info, Query))
    errors = [_unknown(name, known) for name in dict.fromkeys(request.query_params) if name not in known]
    if errors:
        raise StratoptError(str(errors[0]["detail"]), code="validation_failed", errors=errors)


def _unknown(name: str, known: Sequence[str]) -> dict[str, str | None]:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
    return {
        "pointer": json_pointer(shortened(name)),
        "detail": f"there is no query parameter {shortened(name)!r} here; {hint}",
        "type": "unknown_parameter",
        "suggestion": near[0] if near else None,
    }
