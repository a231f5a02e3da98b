"""What people say of runs in the table: tags, a memo, that they are archived, or to be deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trainvitals.wire.answers import RunSummary
from trainvitals.wire.table import RunsChange
from trainvitals_server.store import tables
from trainvitals_server.store.interface import RunNotFound, TooManyTags
from trainvitals_server.store.run_rows import NARROW, RunRow, summaries
from trainvitals_server.store.run_words import forget_words, keep_tags, searchable
from trainvitals_server.store.tables import as_kept

MOST_TAGS: Final = 100  # of a run
IN_BIN_SECONDS: Final = 60.0  # in which a deleted run can be taken back
_CHANGED: Final = [  # what a change is held against
    tables.run.c[name]
    for name in ("id", "uid", "name", "project", "run_group", "status", "tags", "memo", "archived_at", "deleted_at")
]


def change_runs(connection: Connection, change: RunsChange, *, now: float) -> list[RunSummary]:
    """See Store.change_runs."""
    run = tables.run
    ids = list(dict.fromkeys(map(as_kept, change.run_ids)))
    # in one order, so that two who change the same runs do not wait for one another
    kept = sa.select(*_CHANGED).where(run.c.uid.in_(ids)).order_by(run.c.id)
    rows = connection.execute(kept.with_for_update()).all()
    missing = set(ids) - {row.uid for row in rows if not _is_over(row, now=now)}
    if missing:
        raise RunNotFound(min(missing))
    told = {row.id: _tags(row, change) for row in rows}
    values = [{"of": row.id, **_values(row, change, told[row.id], now=now)} for row in rows]
    if values and len(values[0]) > 1:
        of_run = sa.update(run).where(run.c.id == sa.bindparam("of"))
        connection.execute(of_run.values({name: sa.bindparam(name) for name in values[0] if name != "of"}), values)
    if change.tag or change.untag:
        for number, tags in told.items():
            forget_words(connection, number, tables.run_tag)
            keep_tags(connection, number, tags)
    return _told(connection, ids)


def _is_over(row: RunRow, *, now: float) -> bool:
    """Whether its time in the bin is: it may be gone at any moment, and cannot be taken back."""
    return row.status != "running" and row.deleted_at is not None and row.deleted_at < now - IN_BIN_SECONDS


def _tags(row: RunRow, change: RunsChange) -> list[str]:
    gone = {tag.lower() for tag in change.untag}
    tags = [tag for tag in msgspec.msgpack.decode(row.tags) if tag.lower() not in gone]
    known = {tag.lower() for tag in tags}
    for tag in map(as_kept, change.tag):
        if tag.lower() not in known:
            known.add(tag.lower())
            tags.append(tag)
    if len(tags) > MOST_TAGS and change.tag:
        raise TooManyTags(row.uid, MOST_TAGS)
    return tags


def _values(row: RunRow, change: RunsChange, tags: list[str], *, now: float) -> dict[str, Any]:  # Any: of columns
    memo = row.memo if change.memo is None else as_kept(change.memo)
    values: dict[str, Any] = {}  # Any: as above
    if change.tag or change.untag:
        values["tags"] = msgspec.msgpack.encode(tags)
    if change.memo is not None:
        values["memo"] = memo
    if values:
        values["search"] = searchable(name=row.name, project=row.project, group=row.run_group, tags=tags, memo=memo)
    if change.archived is not None:
        values["archived_at"] = (row.archived_at or now) if change.archived else None
    if change.deleted is not None:
        values["deleted_at"] = (row.deleted_at or now) if change.deleted else None
    return values


def _told(connection: Connection, ids: Sequence[str]) -> list[RunSummary]:
    rows = connection.execute(sa.select(*NARROW).where(tables.run.c.uid.in_(ids))).all()
    places = {uid: place for place, uid in enumerate(ids)}
    return summaries(connection, sorted(rows, key=lambda row: places[row.uid]))


def deleted_runs(connection: Connection, *, before: float) -> list[str]:
    """See Store.deleted_runs."""
    run = tables.run
    # what still trains would be introduced anew, without its past
    over = sa.select(run.c.uid).where(run.c.deleted_at < before, run.c.status != "running")
    return list(connection.scalars(over.order_by(run.c.id)))
