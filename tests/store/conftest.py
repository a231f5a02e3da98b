"""An empty store on each database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from trainvitals_server.store.interface import Store
from trainvitals_server.store.opening import open_store


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database: a file, or a new one on a real PostgreSQL server."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.sqlite3"
    server: str = request.getfixturevalue("postgres_server")
    name = f"store_{uuid.uuid4().hex}"
    engine = sa.create_engine(f"{server.replace('postgresql', 'postgresql+psycopg')}/postgres")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{server}/{name}"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store without runs."""
    opened = open_store(database_url)
    yield opened
    opened.close()
