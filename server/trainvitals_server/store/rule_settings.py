"""What projects say of their rules: every version whole, none changed once it is there."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trainvitals.wire import coding
from trainvitals.wire.rules import RuleChange, RuleSettings
from trainvitals_server.store import tables
from trainvitals_server.store.engine import insert_into
from trainvitals_server.store.interface import RulesChanged
from trainvitals_server.store.tables import as_kept


def set_rules(connection: Connection, project: str, change: RuleChange, *, now: float) -> RuleSettings:
    """See Store.set_rules."""
    newest = next(iter(load_rules(connection, project, most=1)), RuleSettings())
    if change.after is not None and change.after != newest.version:
        raise RulesChanged(project, newest.version)
    if (change.muted, change.options) == (newest.muted, newest.options):
        return newest
    settings = RuleSettings(
        version=newest.version + 1,
        at=now,
        by=change.by,
        comment=change.comment,
        muted=change.muted,
        options=change.options,
    )
    table = tables.rule_settings
    statement = insert_into(connection, table).on_conflict_do_nothing(index_elements=["project", "version"])
    row = {"project": as_kept(project), "version": settings.version, "payload": coding.encode(settings)}
    if connection.execute(statement.returning(table.c.version), row).first() is None:
        raise RulesChanged(project, settings.version)  # by somebody else, at the same moment
    return settings


def load_rules(connection: Connection, project: str, *, most: int) -> list[RuleSettings]:
    """See Store.rules."""
    table = tables.rule_settings
    versions = sa.select(table.c.payload).where(table.c.project == as_kept(project)).order_by(table.c.version.desc())
    return [coding.decode(row.payload, RuleSettings) for row in connection.execute(versions.limit(most))]
