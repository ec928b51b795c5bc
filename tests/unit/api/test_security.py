"""Who may do what: keys, scopes, owners, hosts, origins."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from stratopt.api.security import OPEN_PATHS, Requires
from stratopt.bootstrap import Parts
from stratopt.optimization.api_keys import Scope, hash_of, is_well_formed, new_key

BODY = {"strategies": ["RSI"], "common_config": {"asset": "BTC"}}
AddKey = Callable[..., str]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def scopes_of(dependant: Dependant) -> list[Scope]:
    found = [dependant.call.scope] if isinstance(dependant.call, Requires) else []
    return [*found, *(scope for inner in dependant.dependencies for scope in scopes_of(inner))]


def api_routes(routes: Any) -> list[APIRoute]:
    found = []
    for route in routes:
        if isinstance(route, APIRoute):
            found.append(route)
        elif inner := getattr(getattr(route, "original_router", None), "routes", None):
            found.extend(api_routes(inner))
    return found


def test_every_route_declares_a_scope_or_is_listed_as_open(client: TestClient) -> None:
    routes = api_routes(client.app.routes)  # type: ignore[attr-defined]
    assert len(routes) > 25
    for route in routes:
        path = route.path
        if path in OPEN_PATHS or path == "/metrics":
            continue
        scopes = scopes_of(route.dependant)
        assert scopes, f"{path} declares no scope"
        if route.methods and route.methods & {"POST", "DELETE"}:
            assert set(scopes) <= {Scope.WRITE, Scope.ADMIN}, f"{path} writes with {scopes}"


def test_without_any_key_this_machine_may_do_everything(client: TestClient) -> None:
    assert client.post("/api/v1/optimize/batch", json=BODY).status_code == 202


def test_from_the_first_key_on_a_key_is_needed(client: TestClient, add_key: AddKey) -> None:
    key = add_key(Scope.READ, Scope.WRITE)
    answer = client.get("/api/v1/optimize/batch")
    assert (answer.status_code, answer.json()["code"]) == (401, "missing_api_key")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert client.get("/api/v1/optimize/batch", headers=bearer(key)).status_code == 200


@pytest.mark.parametrize(
    "spoilt",
    [lambda k: k[:-1] + ("0" if k[-1] != "0" else "1"), lambda _: new_key(), lambda k: k.upper(), lambda _: "x"],
)
def test_a_wrong_key_is_refused(client: TestClient, add_key: AddKey, spoilt: Callable[[str], str]) -> None:
    key = add_key(Scope.READ)
    answer = client.get("/api/v1/optimize/batch", headers=bearer(spoilt(key)))
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_api_key")


def test_expired_and_revoked_keys_open_nothing(client: TestClient, add_key: AddKey, parts: Parts) -> None:
    expired = add_key(Scope.READ, name="old", expires_at=time.time() - 1)
    revoked = add_key(Scope.READ, name="gone")
    assert client.get("/api/v1/symbols", headers=bearer(revoked)).status_code == 200
    parts.keys.revoke("key_gone", time.time())
    for key in (expired, revoked):
        assert client.get("/api/v1/symbols", headers=bearer(key)).json()["code"] == "invalid_api_key"


def test_a_key_does_what_its_scopes_say(client: TestClient, add_key: AddKey) -> None:
    reader = add_key(Scope.READ, name="reader")
    assert client.get("/api/v1/symbols", headers=bearer(reader)).status_code == 200
    answer = client.post("/api/v1/optimize/batch", json=BODY, headers=bearer(reader))
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


def test_the_batch_of_another_key_does_not_exist(client: TestClient, add_key: AddKey) -> None:
    mine, other, admin = (
        add_key(Scope.READ, Scope.WRITE, name="a"),
        add_key(Scope.READ, Scope.WRITE, name="b"),
        add_key(Scope.ADMIN, name="c"),
    )
    batch = client.post("/api/v1/optimize/batch", json=BODY, headers=bearer(mine)).json()
    path = batch["links"]["self"]
    assert client.get(path, headers=bearer(mine)).status_code == 200
    assert client.get(path, headers=bearer(admin)).status_code == 200
    for suffix in ("", "/results", "/events", "/report", "/errors", "/results/RSI"):
        assert client.get(path + suffix, headers=bearer(other)).status_code == 404, suffix
    for suffix in ("/cancel", "/retry"):
        assert client.post(path + suffix, headers=bearer(other)).status_code == 404, suffix
    assert client.delete(path, headers=bearer(other)).status_code == 404
    assert client.get("/api/v1/optimize/batch", headers=bearer(other)).json()["data"] == []


def test_only_the_hash_of_a_key_is_stored(add_key: AddKey, parts: Parts) -> None:
    key = add_key(Scope.READ)
    assert is_well_formed(key)
    found = parts.keys.find(hash_of(key))
    assert found is not None
    assert key not in repr(found)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
def test_a_host_that_is_not_ours_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/healthz", headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (400, "host_not_allowed")


def test_a_page_of_another_origin_may_not_write(client: TestClient) -> None:
    answer = client.post("/api/v1/optimize/batch", json=BODY, headers={"Origin": "http://evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")
    assert client.post("/api/v1/optimize/batch", json=BODY, headers={"Origin": "http://127.0.0.1"}).status_code == 202


def test_every_answer_has_the_security_headers(client: TestClient) -> None:
    for path in ("/healthz", "/nowhere", "/docs", "/api/v1/symbols"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "default-src 'self'" in headers["Content-Security-Policy"]


def test_the_documentation_needs_no_other_host(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "http" not in page.replace("<!doctype html>", "")
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js"):
        assert client.get(f"/docs/{asset}").status_code == 200
    assert client.get("/docs/..%2fapp.py").status_code == 404


def test_every_error_code_has_a_page(client: TestClient) -> None:
    from stratopt.api.services.titles import TITLES

    for code in TITLES:
        assert code in client.get(f"/errors/{code}").text
    assert client.get("/errors/nope").status_code == 404
