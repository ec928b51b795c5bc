"""The documentation of the API in Swagger UI, from files of the package."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from stratopt.errors import StratoptError

router = APIRouter()
SWAGGER_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
}
DOCS_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>stratopt API</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="swagger-ui"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>"""


@router.get("/docs", include_in_schema=False)
def docs() -> Response:
    """The API in Swagger UI, from files of the package."""
    return HTMLResponse(DOCS_PAGE)


@router.get("/docs/{asset}", include_in_schema=False)
def docs_asset(asset: str) -> Response:
    """A file of Swagger UI."""
    if asset not in SWAGGER_ASSETS:
        raise StratoptError(f"there is no /docs/{asset}", code="not_found")
    content = files("stratopt.api").joinpath("static", asset).read_bytes()
    return Response(content, media_type=SWAGGER_ASSETS[asset], headers={"Cache-Control": "max-age=86400"})
