"""The lives of runs, and all that is known of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trainvitals.wire.answers import RunDetail
from trainvitals.wire.frame import MAX_STEP
from trainvitals.wire.messages import ModelInfo, RunEnd, RunStart
from trainvitals.wire.preflight import PreflightReport
from trainvitals_server.store import captures, notes, tables
from trainvitals_server.store.catalogue import load_attempts, load_catalogue
from trainvitals_server.store.engine import Database, insert_into
from trainvitals_server.store.interface import RunNotFound
from trainvitals_server.store.reading import layers_of
from trainvitals_server.store.run_rows import summaries
from trainvitals_server.store.run_words import forget_words, keep_settings, keep_tags, searchable
from trainvitals_server.store.tables import as_kept

ROWS_PER_SLICE: Final = 500
_pack = msgspec.msgpack.encode


def run_number(connection: Connection, run_id: str) -> int:
    """The number by which tables know the run. Raises RunNotFound."""
    number: int | None = connection.execute(
        sa.select(tables.run.c.id).where(tables.run.c.uid == as_kept(run_id))
    ).scalar()
    if number is None:
        raise RunNotFound(run_id)
    return number


def start_run(connection: Connection, run_id: str, start: RunStart, *, now: float) -> bool:
    """See Store.start_run."""
    run = tables.run
    told = {
        "project": as_kept(start.project),
        "name": as_kept(start.name),
        "run_group": None if start.group is None else as_kept(start.group),
        "search": searchable(name=start.name, project=start.project, group=start.group, tags=start.tags, memo=""),
        "created_at": start.started_at,
        "planned_steps": _step(start.planned_steps),
        "tags": _pack(start.tags),
        "config": _pack(start.config),
        "environment": _pack(start.environment),
        "ranks": max(start.ranks, start.rank + 1),
        "told_by": start.rank,
        "muted": _pack(start.mute),
    }
    row = {**told, "uid": run_id, "status": "running", "heartbeat_at": now, "attempt": 0, "judged": 0}
    statement = insert_into(connection, run).on_conflict_do_nothing(index_elements=["uid"]).returning(run.c.id)
    new = connection.execute(statement, row).scalar()
    if new is not None:
        _keep_words(connection, new, start)
        return True
    by_another = sa.update(run).where(run.c.uid == run_id, run.c.told_by > 0)
    is_first_word = start.rank == 0 and connection.execute(by_another.values(told)).rowcount > 0
    if is_first_word:
        number = run_number(connection, run_id)
        for table in (tables.run_setting, tables.run_tag):
            forget_words(connection, number, table)
        _keep_words(connection, number, start)
    is_over = run.c.status != "running" if start.rank == 0 and not is_first_word else run.c.status == "lost"
    # rank 0's start may be sent again, or arrive, after another rank failed: only a later one begins anew
    may_begin = sa.or_(sa.func.coalesce(run.c.failed_rank, 0) == 0, run.c.created_at < start.started_at)
    again = {"status": "running", "heartbeat_at": now, "ended_at": None, "error": None, "failed_rank": None}
    again |= {"data_at": None, "data_every": None}
    connection.execute(sa.update(run).where(run.c.uid == run_id, is_over, may_begin).values(again))
    return False


def _keep_words(connection: Connection, number: int, start: RunStart) -> None:
    keep_settings(connection, number, start.config)
    keep_tags(connection, number, start.tags)


def _step(value: int | None) -> int | None:
    return None if value is None else min(max(value, 0), MAX_STEP)


def change_run(connection: Connection, run_id: str, **values: object) -> None:
    """Set columns of the run's row. Raises RunNotFound."""
    statement = sa.update(tables.run).where(tables.run.c.uid == as_kept(run_id)).values(**values)
    if connection.execute(statement).rowcount == 0:
        raise RunNotFound(run_id)


def end_run(connection: Connection, run_id: str, end: RunEnd) -> bool:
    """See Store.end_run."""
    run, step = tables.run, _step(end.last_step)
    columns = (run.c.failed_rank, run.c.ended_at)
    known = connection.execute(sa.select(*columns).where(run.c.uid == as_kept(run_id)).with_for_update()).first()
    if known is None:
        raise RunNotFound(run_id)
    if step is not None:
        further = sa.or_(run.c.last_step.is_(None), run.c.last_step < step)
        connection.execute(sa.update(run).where(run.c.uid == run_id, further).values(last_step=step))
    if not _counts(end, known.failed_rank, known.ended_at):
        over = sa.update(run).where(run.c.uid == as_kept(run_id), run.c.status != "running")
        return connection.execute(over.values(judged=0)).rowcount > 0  # with what this rank shipped since
    error = None if end.error is None else as_kept(end.error)
    if end.rank > 0:
        error = f"rank {end.rank}: {error or 'failed'}"
    failed = end.rank if end.status == "failed" else None
    change_run(connection, run_id, status=end.status, ended_at=end.ended_at, error=error, judged=0, failed_rank=failed)
    return True


def _counts(end: RunEnd, failed_rank: int | None, failed_at: float) -> bool:
    """Whether the run ends by it. Of the failures of several ranks the first is told: others follow from it."""
    if end.status != "failed":
        return end.rank == 0 and not failed_rank
    if failed_rank is None or failed_rank == end.rank:
        return True
    return end.rank > 0 and end.ended_at < failed_at


def heartbeat(connection: Connection, run_ids: Sequence[str], *, now: float) -> None:
    """See Store.heartbeat; unknown runs are passed over."""
    run = tables.run
    status = sa.case((run.c.status == "lost", "running"), else_=run.c.status)
    connection.execute(sa.update(run).where(run.c.uid.in_(sorted(run_ids))).values(heartbeat_at=now, status=status))


def mark_lost(connection: Connection, *, silent_since: float) -> list[str]:
    """See Store.mark_lost."""
    run = tables.run
    silent = (run.c.status == "running", run.c.heartbeat_at < silent_since)
    # a row that an append holds is not silent; waiting for it could wait for ever
    free = sa.select(run.c.id).where(*silent).with_for_update(skip_locked=True)
    lost = sa.update(run).where(run.c.id.in_(free)).values(status="lost", judged=0).returning(run.c.uid)
    return [row.uid for row in connection.execute(lost)]


def unjudged(connection: Connection) -> list[str]:
    """See Store.unjudged."""
    run = tables.run
    ended = sa.select(run.c.uid).where(run.c.judged == 0, run.c.status != "running").order_by(run.c.id)
    return [row.uid for row in connection.execute(ended)]


def delete_run(database: Database, run_id: str) -> None:
    """See Store.delete_run."""
    with database.reading() as connection:
        number = run_number(connection, run_id)
    of_runs = (tables.frame, tables.chunk, tables.histogram, tables.look, tables.frame_seen, tables.series)
    for table in (*of_runs, tables.metric_last):
        key = sa.tuple_(*(column for column in table.primary_key if column.name != "run_id"))
        few = sa.select(*key.clauses).where(table.c.run_id == number).limit(ROWS_PER_SLICE)
        while True:
            with database.writing() as connection:
                gone = connection.execute(sa.delete(table).where(table.c.run_id == number, key.in_(few))).rowcount
            if gone < ROWS_PER_SLICE:
                break
    with database.writing() as connection:
        connection.execute(sa.delete(tables.run).where(tables.run.c.id == number))


def run_detail(connection: Connection, run_id: str) -> RunDetail:
    """See Store.run."""
    row = connection.execute(sa.select(tables.run).where(tables.run.c.uid == as_kept(run_id))).first()
    if row is None:
        raise RunNotFound(run_id)
    catalogue = load_catalogue(connection, row.id)
    of_layers, of_rank_0 = catalogue.layer_streams(rank=None), catalogue.metric_streams().get(0)
    model = ModelInfo(layers=[]) if row.model is None else msgspec.msgpack.decode(row.model, type=ModelInfo)
    return RunDetail(
        summary=summaries(connection, [row])[0],
        config=msgspec.msgpack.decode(row.config),
        environment=msgspec.msgpack.decode(row.environment),
        attempt=row.attempt,
        resumed_from=load_attempts(connection, row.id).from_step.get(row.attempt),
        planned_steps=row.planned_steps,
        error=row.error,
        preflight=[] if row.preflight is None else msgspec.msgpack.decode(row.preflight, type=PreflightReport).checks,
        layers=model.layers,
        optimizers=model.optimizers,
        since_step=model.since_step,
        metrics=[stat for stream, stat in catalogue.series if stream == of_rank_0],
        stats=list(dict.fromkeys(stat for stream, stat in catalogue.series if stream in of_layers)),
        recorded_layers=layers_of((catalogue.layer_streams(rank=0) or of_layers).values()),
        notes=notes.shown(row.notes),
        capture=captures.unpacked(row.capture),
        muted=[] if row.muted is None else msgspec.msgpack.decode(row.muted),
    )
