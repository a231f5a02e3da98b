"""The real application on a real SQLite file, and frames to send to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.server.sending import LOCAL, MSGPACK, RUN, START
from trainvitals.wire import coding
from trainvitals_server.app import create_app
from trainvitals_server.settings import Settings
from trainvitals_server.store.interface import Store
from trainvitals_server.store.opening import open_store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(database=f"sqlite:///{tmp_path}/server.sqlite3")


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings.database)
    yield opened
    opened.close()


@pytest.fixture
def client(settings: Settings, store: Store) -> Iterator[TestClient]:
    with TestClient(create_app(settings, store=store), headers=LOCAL, raise_server_exceptions=False) as running:
        answer = running.put(f"/api/v1/runs/{RUN}", content=coding.encode(START), headers=MSGPACK)
        assert answer.status_code == 200
        yield running
