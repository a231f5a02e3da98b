"""What people wrote of runs: the newest versions whole, none changed once it is there."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trainvitals.wire import coding
from trainvitals.wire.journal import JournalChange, Written
from trainvitals_server.store import tables
from trainvitals_server.store.engine import insert_into
from trainvitals_server.store.interface import JournalChanged
from trainvitals_server.store.runs_table import run_number

MOST_VERSIONS: Final = 50  # of a run; older ones go


def write(connection: Connection, run_id: str, change: JournalChange, *, now: float) -> Written:
    """See Store.write_journal."""
    number, table = run_number(connection, run_id), tables.journal
    newest = next(iter(_load(connection, number, most=1)), Written())
    if change.after is not None and change.after != newest.version:
        raise JournalChanged(run_id, newest.version)
    if change.text == newest.text:
        return newest
    written = Written(version=newest.version + 1, at=now, by=change.by, text=change.text)
    statement = insert_into(connection, table).on_conflict_do_nothing(index_elements=["run_id", "version"])
    row = {"run_id": number, "version": written.version, "payload": coding.encode(written)}
    if connection.execute(statement.returning(table.c.version), row).first() is None:
        raise JournalChanged(run_id, written.version)  # by somebody else, at the same moment
    is_old = table.c.version <= written.version - MOST_VERSIONS
    connection.execute(sa.delete(table).where(table.c.run_id == number, is_old))
    return written


def load(connection: Connection, run_id: str, *, most: int) -> list[Written]:
    """See Store.journal."""
    return _load(connection, run_number(connection, run_id), most=most)


def _load(connection: Connection, number: int, *, most: int) -> list[Written]:
    table = tables.journal
    versions = sa.select(table.c.payload).where(table.c.run_id == number).order_by(table.c.version.desc())
    return [coding.decode(row.payload, Written) for row in connection.execute(versions.limit(most))]
