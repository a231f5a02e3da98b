"""The runs: their lives, and the table that people look through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trainvitals.wire.answers import MetricLast, RunDetail, RunPage, RunSummary
from trainvitals.wire.definitions import Definitions
from trainvitals.wire.frame import MAX_STEP
from trainvitals.wire.messages import ModelInfo, RunEnd, RunStart
from trainvitals.wire.preflight import PreflightReport
from trainvitals_server.store import captures, notes, sparkline, tables
from trainvitals_server.store.catalogue import load_attempts, load_catalogue
from trainvitals_server.store.engine import Database, insert_into
from trainvitals_server.store.interface import RunNotFound, RunQuery
from trainvitals_server.store.reading import layers_of

ROWS_PER_SLICE: Final = 500
HEALTHY: Final = 80  # docs/diagnosis.md
METRIC_PREFIX: Final = "metric:"
_pack = msgspec.msgpack.encode

RunRow = sa.Row[Any]  # Any: rows of the run table


def run_number(connection: Connection, run_id: str) -> int:
    """The number by which tables know the run. Raises RunNotFound."""
    number: int | None = connection.execute(
        sa.select(tables.run.c.id).where(tables.run.c.uid == _text(run_id))
    ).scalar()
    if number is None:
        raise RunNotFound(run_id)
    return number


def start_run(connection: Connection, run_id: str, start: RunStart, *, now: float) -> bool:
    """See Store.start_run."""
    run = tables.run
    words = (start.name, start.project, start.group or "", *start.tags)
    told = {
        "project": _text(start.project),
        "name": _text(start.name),
        "run_group": None if start.group is None else _text(start.group),
        "search": _text("\n".join(words).lower()),
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
    if connection.execute(statement, row).first() is not None:
        return True
    by_another = sa.update(run).where(run.c.uid == run_id, run.c.told_by > 0)
    is_first_word = start.rank == 0 and connection.execute(by_another.values(told)).rowcount > 0
    is_over = run.c.status != "running" if start.rank == 0 and not is_first_word else run.c.status == "lost"
    # rank 0's start may be sent again, or arrive, after another rank failed: only a later one begins anew
    may_begin = sa.or_(sa.func.coalesce(run.c.failed_rank, 0) == 0, run.c.created_at < start.started_at)
    again = {"status": "running", "heartbeat_at": now, "ended_at": None, "error": None, "failed_rank": None}
    again |= {"data_at": None, "data_every": None}
    connection.execute(sa.update(run).where(run.c.uid == run_id, is_over, may_begin).values(again))
    return False


def _text(value: str) -> str:
    return value.replace("\0", "�")  # PostgreSQL's text holds no NUL


def _step(value: int | None) -> int | None:
    return None if value is None else min(max(value, 0), MAX_STEP)


def change_run(connection: Connection, run_id: str, **values: object) -> None:
    """Set columns of the run's row. Raises RunNotFound."""
    statement = sa.update(tables.run).where(tables.run.c.uid == _text(run_id)).values(**values)
    if connection.execute(statement).rowcount == 0:
        raise RunNotFound(run_id)


def end_run(connection: Connection, run_id: str, end: RunEnd) -> bool:
    """See Store.end_run."""
    run, step = tables.run, _step(end.last_step)
    columns = (run.c.failed_rank, run.c.ended_at)
    known = connection.execute(sa.select(*columns).where(run.c.uid == _text(run_id)).with_for_update()).first()
    if known is None:
        raise RunNotFound(run_id)
    if step is not None:
        further = sa.or_(run.c.last_step.is_(None), run.c.last_step < step)
        connection.execute(sa.update(run).where(run.c.uid == run_id, further).values(last_step=step))
    if not _counts(end, known.failed_rank, known.ended_at):
        over = sa.update(run).where(run.c.uid == _text(run_id), run.c.status != "running")
        return connection.execute(over.values(judged=0)).rowcount > 0  # with what this rank shipped since
    error = None if end.error is None else _text(end.error)
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
    for table in (tables.frame, tables.chunk, tables.histogram, tables.frame_seen, tables.series, tables.metric_last):
        key = sa.tuple_(*(column for column in table.primary_key if column.name != "run_id"))
        few = sa.select(*key.clauses).where(table.c.run_id == number).limit(ROWS_PER_SLICE)
        while True:
            with database.writing() as connection:
                gone = connection.execute(sa.delete(table).where(table.c.run_id == number, key.in_(few))).rowcount
            if gone < ROWS_PER_SLICE:
                break
    with database.writing() as connection:
        connection.execute(sa.delete(tables.run).where(tables.run.c.id == number))


def runs(connection: Connection, query: RunQuery) -> RunPage:
    """See Store.runs."""
    run = tables.run
    conditions: list[sa.ColumnElement[bool]] = []
    if query.project is not None:
        conditions.append(run.c.project == _text(query.project))
    if query.status is not None:
        conditions.append(run.c.status == _text(query.status))
    if query.run_ids is not None:
        conditions.append(run.c.uid.in_(sorted(map(_text, query.run_ids))))
    if query.created_before is not None:
        conditions.append(run.c.created_at < query.created_before)
    if query.is_healthy:
        conditions.append(_is_healthy())
    for word in _text(query.text.lower()).split():
        conditions.append(run.c.search.contains(word, autoescape=True))
    total = connection.execute(sa.select(sa.func.count()).select_from(run).where(*conditions)).scalar_one()
    rows = _page(connection, query, conditions)
    return RunPage(runs=_summaries(connection, rows), total=total)


def _is_healthy() -> sa.ColumnElement[bool]:
    run, finding = tables.run, tables.finding
    stands = sa.exists().where(
        finding.c.run_id == run.c.id, finding.c.severity.in_(("warning", "critical")), finding.c.state != "resolved"
    )
    return sa.and_(run.c.health.is_not(None), sa.or_(run.c.health >= HEALTHY, sa.not_(stands)))


def _page(connection: Connection, query: RunQuery, conditions: list[sa.ColumnElement[bool]]) -> Sequence[RunRow]:
    run, last = tables.run, tables.metric_last
    columns = {"name": run.c.name, "status": run.c.status, "health": run.c.health, "heartbeat": run.c.heartbeat_at}
    chosen = sa.select(run.c.id).where(*conditions)
    key: sa.ColumnElement[Any] = columns.get(query.sort_by, run.c.created_at)  # Any: columns of several types
    if query.sort_by.startswith(METRIC_PREFIX):
        of_metric = sa.and_(
            last.c.run_id == run.c.id, last.c.metric == _text(query.sort_by.removeprefix(METRIC_PREFIX))
        )
        chosen, key = chosen.outerjoin(last, of_metric), last.c.value
    ordered = (key.desc() if query.descending else key.asc()).nulls_last()
    numbers = connection.execute(chosen.order_by(ordered, run.c.id.desc()).offset(query.offset).limit(query.limit))
    places = {row.id: place for place, row in enumerate(numbers)}
    return sorted(_rows(connection, list(places)), key=lambda row: places[row.id])


def _rows(connection: Connection, numbers: list[int]) -> Sequence[RunRow]:
    wide = {"config", "notes", "environment", "model", "preflight", "capture", "muted"}
    columns = [column for column in tables.run.c if column.name not in wide]
    return connection.execute(sa.select(*columns).where(tables.run.c.id.in_(numbers))).all()


def _summaries(connection: Connection, rows: Sequence[RunRow]) -> list[RunSummary]:
    numbers = [row.id for row in rows]
    metric, finding = tables.metric_last, tables.finding
    last: dict[int, dict[str, MetricLast]] = defaultdict(dict)
    for row in connection.execute(sa.select(metric).where(metric.c.run_id.in_(numbers)).order_by(metric.c.metric)):
        last[row.run_id][row.metric] = MetricLast(step=row.step, value=_number_or_word(row.value))
    open_findings: dict[int, dict[str, int]] = defaultdict(dict)
    counts = sa.select(finding.c.run_id, finding.c.severity, sa.func.count().label("open")).where(
        finding.c.run_id.in_(numbers), finding.c.state == "open"
    )
    for row in connection.execute(counts.group_by(finding.c.run_id, finding.c.severity)):
        open_findings[row.run_id][row.severity] = row.open
    sparks = {row.id: sparkline.load(row.spark) for row in rows}
    return [
        RunSummary(
            run_id=row.uid,
            project=row.project,
            name=row.name,
            status=row.status,
            created_at=row.created_at,
            heartbeat_at=row.heartbeat_at,
            data_at=row.data_at,
            data_every=row.data_every,
            ended_at=row.ended_at,
            last_step=row.last_step,
            tags=msgspec.msgpack.decode(row.tags),
            group=row.run_group,
            health=row.health,
            little_known=bool(row.little_known),
            open_findings=open_findings[row.id],
            last=last[row.id],
            loss=Definitions(sparks[row.id].defined).metric("loss", last[row.id]),
            sparkline=sparkline.shown(sparks[row.id]),
            ranks=row.ranks,
        )
        for row in rows
    ]


def _number_or_word(value: float | None) -> float | str:
    if value is None:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def run_detail(connection: Connection, run_id: str) -> RunDetail:
    """See Store.run."""
    row = connection.execute(sa.select(tables.run).where(tables.run.c.uid == _text(run_id))).first()
    if row is None:
        raise RunNotFound(run_id)
    catalogue = load_catalogue(connection, row.id)
    of_layers, of_rank_0 = catalogue.layer_streams(rank=None), catalogue.metric_streams().get(0)
    model = ModelInfo(layers=[]) if row.model is None else msgspec.msgpack.decode(row.model, type=ModelInfo)
    return RunDetail(
        summary=_summaries(connection, [row])[0],
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
