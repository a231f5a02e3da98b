"""Opens a store on a database, whose tables it first brings up to date."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.engine import URL, Connection

from trainvitals_server.store.engine import Database, database_url, make_engine
from trainvitals_server.store.interface import Store, StoreError
from trainvitals_server.store.sql_store import SqlStore

MIGRATIONS: Final = "trainvitals_migrations:"
MIGRATION_LOCK: Final = 7_206_911_850_043_217  # any number, but the same for all versions

_alembic_in_use: Final = threading.Lock()  # Alembic keeps its context in globals


def open_store(url: str, *, migrate: bool = True) -> Store:
    """A store on ``sqlite:///path`` or ``postgresql://…``.

    ``migrate``: bring its tables up to date first; processes that start together wait for one another. Raises
    StoreError if the URL is of another kind or the database was made by a newer version, StoreUnavailable if the
    database cannot be reached.
    """
    where = database_url(url)
    if where.get_backend_name() == "sqlite" and where.database:
        Path(where.database).absolute().parent.mkdir(parents=True, exist_ok=True)
    if migrate:
        migrate_to_newest(where)
    return SqlStore(Database(make_engine(where)))


def migrate_to_newest(where: URL) -> None:
    """Create or change the tables until they are this version's, in one transaction."""
    database = Database(make_engine(where, migrating=True))
    with contextlib.closing(database), database.writing() as connection, _alembic_in_use:
        if database.postgres:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        try:
            command.upgrade(migration_config(connection), "head")
        except CommandError as error:
            raise StoreError(f"the database was made by a newer trainvitals: upgrade this one ({error})") from error


def migration_config(connection: Connection) -> Config:
    """Alembic's settings, for ``connection``."""
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
