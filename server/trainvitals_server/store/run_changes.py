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
from trainvitals_server.store.run_rows import RunRow, summaries, text
from trainvitals_server.store.run_words import forget_words, keep_tags, searchable

MOST_TAGS: Final = 100  # of a run
IN_BIN_SECONDS: Final = 60.0  # in which a deleted run can be taken back


def change_runs(connection: Connection, change: RunsChange, *, now: float) -> list[RunSummary]:
    """See Store.change_runs."""
    run = tables.run
    ids = list(dict.fromkeys(map(text, change.run_ids)))
    # in one order, so that two who change the same runs do not wait for one another
    rows = connection.execute(sa.select(run).where(run.c.uid.in_(ids)).order_by(run.c.id).with_for_update()).all()
    missing = set(ids) - {row.uid for row in rows if not _is_over(row, now=now)}
    if missing:
        raise RunNotFound(min(missing))
    for row in rows:
        tags = _tags(row, change)
        values = _values(row, change, tags, now=now)
        if values:
            connection.execute(sa.update(run).where(run.c.id == row.id).values(values))
        if "tags" in values:
            forget_words(connection, row.id, tables.run_tag)
            keep_tags(connection, row.id, tags)
    return _told(connection, ids)


def _is_over(row: RunRow, *, now: float) -> bool:
    """Whether its time in the bin is: it may be gone at any moment, and cannot be taken back."""
    return row.status != "running" and row.deleted_at is not None and row.deleted_at < now - IN_BIN_SECONDS


def _tags(row: RunRow, change: RunsChange) -> list[str]:
    gone = {tag.lower() for tag in change.untag}
    tags = [tag for tag in msgspec.msgpack.decode(row.tags) if tag.lower() not in gone]
    known = {tag.lower() for tag in tags}
    for tag in map(text, change.tag):
        if tag.lower() not in known:
            known.add(tag.lower())
            tags.append(tag)
    if len(tags) > MOST_TAGS and change.tag:
        raise TooManyTags(row.uid, MOST_TAGS)
    return tags


def _values(row: RunRow, change: RunsChange, tags: list[str], *, now: float) -> dict[str, Any]:  # Any: of columns
    memo = row.memo if change.memo is None else text(change.memo)
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
    rows = connection.execute(sa.select(tables.run).where(tables.run.c.uid.in_(ids))).all()
    places = {uid: place for place, uid in enumerate(ids)}
    return summaries(connection, sorted(rows, key=lambda row: places[row.uid]))


def deleted_runs(connection: Connection, *, before: float) -> list[str]:
    """See Store.deleted_runs."""
    run = tables.run
    # what still trains would be introduced anew, without its past
    over = sa.select(run.c.uid).where(run.c.deleted_at < before, run.c.status != "running")
    return list(connection.scalars(over.order_by(run.c.id)))
