"""How people looked at the runs table, kept under a name for all."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trainvitals.wire.table import View
from trainvitals_server.store import tables
from trainvitals_server.store.engine import insert_into
from trainvitals_server.store.interface import ViewNotFound
from trainvitals_server.store.tables import as_kept


def load_views(connection: Connection) -> list[View]:
    """See Store.views."""
    table = tables.saved_view
    rows = connection.execute(sa.select(table).order_by(sa.func.lower(table.c.name), table.c.name))
    return [View(name=row.name, query=row.query, at=row.saved_at) for row in rows]


def save_view(connection: Connection, view: View) -> None:
    """See Store.save_view."""
    statement = insert_into(connection, tables.saved_view)
    kept = {name: statement.excluded[name] for name in ("query", "saved_at")}
    row = {"name": as_kept(view.name), "query": as_kept(view.query), "saved_at": view.at}
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=kept), row)


def delete_view(connection: Connection, name: str) -> None:
    """See Store.delete_view."""
    table = tables.saved_view
    if connection.execute(sa.delete(table).where(table.c.name == as_kept(name))).rowcount == 0:
        raise ViewNotFound(name)
