"""The application without its supervisor: enough for everything that happens before a job runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from stratopt.bootstrap import Parts, make_parts, make_server_app
from stratopt.optimization.api_keys import ApiKey, Scope, hash_of, new_key
from stratopt.settings import Settings

MakeClient = Callable[..., TestClient]


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    parts = make_parts(Settings(data_dir=tmp_path))
    yield parts
    parts.service.manager.store.close()


@pytest.fixture
def make_client(parts: Parts, tmp_path: Path) -> Iterator[MakeClient]:
    opened: list[TestClient] = []

    def make(**settings: Any) -> TestClient:
        app = make_server_app(Settings(data_dir=tmp_path, **settings), parts)
        opened.append(TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False))
        return opened[-1]

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    return make_client()


@pytest.fixture
def add_key(parts: Parts) -> Callable[..., str]:
    def add(*scopes: Scope, name: str = "k", **more: Any) -> str:
        text = new_key()
        key = ApiKey(key_id=f"key_{name}", name=name, scopes=frozenset(scopes), created_at=time.time(), **more)
        parts.keys.add(key, hash_of(text))
        return text

    return add
