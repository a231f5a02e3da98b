"""One way to read and one way to write, on SQLite and on PostgreSQL."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from trainvitals_server.store.interface import StoreError, StoreUnavailable

BUSY_TIMEOUT_MS: Final = 10_000
POOL_SIZE: Final = 16
POOL_OVERFLOW: Final = 48  # with the pool more than the threads that ask (40 of the web server's, and our own)
POSTGRES_CONNECTION: Final = {
    "connect_timeout": 10,
    # a database that went away without a word is noticed within half a minute
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
POSTGRES_OPTIONS: Final = "-c jit=off"
# a writer that hangs, here or in another process, must not hold up all others
POSTGRES_PATIENCE: Final = " -c lock_timeout=10s -c statement_timeout=60s -c idle_in_transaction_session_timeout=60s"
IN_THIS_STATE: Final = "25"  # the class of SQL states that say: not in this transaction (read-only, timed out)
SWITCH_RETRY_SECONDS: Final = 0.02
SQLITE_PRAGMAS: Final = (
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA synchronous=FULL",  # an acknowledged frame survives a power cut
    "PRAGMA foreign_keys=ON",
    "PRAGMA wal_autocheckpoint=4000",
    "PRAGMA cache_size=-65536",
    "PRAGMA mmap_size=1073741824",
)


class Database:
    """An engine with its transactions; safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.postgres = engine.dialect.name == "postgresql"
        self._readers = engine.execution_options(isolation_level="REPEATABLE READ") if self.postgres else engine
        self._writers = engine if self.postgres else engine.execution_options(begin="BEGIN IMMEDIATE")
        self._turn = threading.Lock()  # waiting for SQLite's own lock is by polling, and unfair

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read transaction with one consistent view. Raises StoreUnavailable."""
        with _saying_what_is_unavailable(), self._readers.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A write transaction, durable when it ends without an error. Raises StoreUnavailable."""
        turn = contextlib.nullcontext() if self.postgres else self._in_turn()
        with turn, _saying_what_is_unavailable(), self._writers.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _in_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=BUSY_TIMEOUT_MS / 1000):
            raise StoreUnavailable(f"another write has taken more than {BUSY_TIMEOUT_MS / 1000:.0f} seconds")
        try:
            yield
        finally:
            self._turn.release()

    def close(self) -> None:
        """Release the connections."""
        self.engine.dispose()


@contextlib.contextmanager
def _saying_what_is_unavailable() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise StoreUnavailable(str(error.orig).strip()) from error
    except PoolTimeoutError as error:
        raise StoreUnavailable(f"all connections to the database are in use: {error}") from error
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        if isinstance(error, InternalError) and state.startswith(IN_THIS_STATE):
            raise StoreUnavailable(str(error.orig).strip()) from error
        if not error.connection_invalidated:
            raise
        raise StoreUnavailable(f"the connection to the database broke: {error.orig}") from error


def insert_into(connection: Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """The dialect's INSERT, which knows ON CONFLICT."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def database_url(url: str) -> URL:
    """The URL with the driver that is used. Raises StoreError for another kind of database."""
    try:
        parsed = make_url(url)
    except sa.exc.ArgumentError as error:
        raise StoreError(f"{url!r} is no database URL: use sqlite:///path or postgresql://user@host/name") from error
    kind = parsed.get_backend_name()
    if kind in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if kind == "sqlite" and parsed.database and parsed.database != ":memory:":
        return parsed.set(drivername="sqlite+pysqlite")
    raise StoreError(f"{kind} is no database for runs: use sqlite:///path or postgresql://user@host/name")


def make_engine(url: URL, *, migrating: bool = False) -> Engine:
    """An engine with the settings that the store relies on. Raises StoreError where psycopg is missing.

    ``migrating``: wait for however long changing tables takes, and leave PostgreSQL's blobs as text, which SQLAlchemy's
    inspection of tables reads.
    """
    try:
        if url.get_backend_name() == "sqlite":
            return _sqlite_engine(url)
        return _postgres_engine(url, migrating=migrating)
    except ModuleNotFoundError as error:
        raise StoreError("PostgreSQL needs psycopg: pip install 'trainvitals[postgres]'") from error


def _sqlite_engine(url: URL) -> Engine:
    engine = sa.create_engine(url, pool_size=POOL_SIZE, max_overflow=POOL_OVERFLOW)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:  # Any: the driver's own connection
        connection.isolation_level = None  # BEGIN is ours: see below
        for pragma in SQLITE_PRAGMAS:
            connection.execute(pragma)
        # SQLite's own lower() knows ASCII only; on PostgreSQL a migration makes a function of this name
        connection.create_function("folded", 1, _folded, deterministic=True)
        _use_write_ahead_log(connection)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine


def _folded(told: str | None) -> str | None:
    return None if told is None else told.lower()


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    # the busy timeout does not hold for this switch, which fails at once while another process writes
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(SWITCH_RETRY_SECONDS)


def _postgres_engine(url: URL, *, migrating: bool) -> Engine:
    engine = sa.create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_pre_ping=True,
        connect_args={**POSTGRES_CONNECTION, "options": POSTGRES_OPTIONS + ("" if migrating else POSTGRES_PATIENCE)},
    )

    if migrating:
        return engine

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:  # Any: the driver's own connection
        # blobs come as hexadecimal text unless the cursor asks for binary: half the speed
        base = connection.cursor_factory
        binary_format = engine.dialect.import_dbapi().pq.Format.BINARY

        def open_cursor(*args: Any, **kwargs: Any) -> Any:  # Any: the driver's own signature
            cursor = base(*args, **kwargs)
            cursor.format = binary_format
            return cursor

        connection.cursor_factory = open_cursor

    return engine
