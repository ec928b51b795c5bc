"""The documentation of the API can be left out."""

from __future__ import annotations

import pytest

from .conftest import MakeClient

PAGES = ("/docs", "/docs/swagger-ui.css", "/openapi.json")


@pytest.mark.parametrize("path", PAGES)
def test_the_documentation_is_served_unless_it_is_turned_off(make_client: MakeClient, path: str) -> None:
    assert make_client().get(path).status_code == 200
    answer = make_client(docs=False).get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["detail"] == f"there is no {path}"


def test_the_rest_works_without_documentation(make_client: MakeClient) -> None:
    client = make_client(docs=False)
    assert client.put("/api/v1/optimize/batch").headers["Allow"] == "GET, HEAD, POST"
    for path in ("/healthz", "/errors/not_found", "/api/v1/symbols"):
        assert client.get(path).status_code == 200
