"""The table of runs that people look through: searched, sorted, page by page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trainvitals.wire.answers import MetricLast, RunPage, RunSummary
from trainvitals.wire.definitions import Definitions
from trainvitals_server.store import run_search, sparkline, tables
from trainvitals_server.store.interface import RunQuery
from trainvitals_server.store.tables import as_kept

HEALTHY: Final = 80  # docs/diagnosis.md
METRIC_PREFIX: Final = "metric:"
SETTING_PREFIX: Final = "setting:"
_WIDE: Final = {"config", "notes", "environment", "model", "preflight", "capture", "muted"}
NARROW: Final = [column for column in tables.run.c if column.name not in _WIDE]  # all that a row tells
RunRow = sa.Row[Any]  # Any: rows of the run table


def runs(connection: Connection, query: RunQuery) -> RunPage:
    """See Store.runs."""
    found = conditions(query)
    total = connection.execute(sa.select(sa.func.count()).select_from(tables.run).where(*found)).scalar_one()
    rows = _page(connection, query, found)
    return RunPage(runs=summaries(connection, rows, settings=query.settings), total=total)


def conditions(query: RunQuery) -> list[sa.ColumnElement[bool]]:
    """What rows must be. Raises SearchRefused."""
    run = tables.run
    found: list[sa.ColumnElement[bool]] = []
    if not query.has_deleted:
        found.append(run.c.deleted_at.is_(None))
    if query.project is not None:
        found.append(run.c.project == as_kept(query.project))
    if query.status is not None:
        found.append(run.c.status == as_kept(query.status))
    if query.run_ids is not None:
        found.append(run.c.uid.in_(sorted(map(as_kept, query.run_ids))))
    if query.created_before is not None:
        found.append(run.c.created_at < query.created_before)
    if query.is_healthy:
        found.append(_is_healthy())
    return [*found, *run_search.conditions(query.text, hides_archived=query.hides_archived, now=query.now)]


def _is_healthy() -> sa.ColumnElement[bool]:
    run, finding = tables.run, tables.finding
    stands = sa.exists().where(
        finding.c.run_id == run.c.id, finding.c.severity.in_(("warning", "critical")), finding.c.state != "resolved"
    )
    return sa.and_(run.c.health.is_not(None), sa.or_(run.c.health >= HEALTHY, sa.not_(stands)))


def _page(connection: Connection, query: RunQuery, found: list[sa.ColumnElement[bool]]) -> Sequence[RunRow]:
    chosen, keys = _sorted_by(query.sort_by)
    order = [(key.desc() if query.descending else key.asc()).nulls_last() for key in keys]
    ordered = chosen.where(*found).order_by(*order, tables.run.c.id.desc())
    numbers = connection.execute(ordered.offset(query.offset).limit(query.limit))
    places = {row.id: place for place, row in enumerate(numbers)}
    return sorted(_rows(connection, list(places)), key=lambda row: places[row.id])


def _sorted_by(name: str) -> tuple[sa.Select[Any], list[sa.ColumnElement[Any]]]:  # Any: columns of several types
    """What is selected, and by what it is ordered."""
    run, last, setting, finding = tables.run, tables.metric_last, tables.run_setting, tables.finding
    chosen = sa.select(run.c.id)
    if name == "loss" or name.startswith(METRIC_PREFIX):
        is_it = last.c.metric == (run.c.loss_metric if name == "loss" else as_kept(name.removeprefix(METRIC_PREFIX)))
        return chosen.outerjoin(last, sa.and_(last.c.run_id == run.c.id, is_it)), [last.c.value]
    if name.startswith(SETTING_PREFIX):
        is_it = setting.c.name == as_kept(name.removeprefix(SETTING_PREFIX))
        joined = chosen.outerjoin(setting, sa.and_(setting.c.run_id == run.c.id, is_it))
        return joined, [setting.c.number, setting.c.word]
    if name == "findings":
        of_run = sa.and_(finding.c.run_id == run.c.id, finding.c.state == "open")
        return chosen, [sa.select(sa.func.count()).where(of_run).scalar_subquery()]
    columns: dict[str, sa.ColumnElement[Any]] = {  # Any: as above
        "name": sa.func.folded(run.c.name),
        "project": sa.func.folded(run.c.project),
        "status": run.c.status,
        "health": run.c.health,
        "heartbeat": run.c.heartbeat_at,
        "step": run.c.last_step,
    }
    return chosen, [columns.get(name, run.c.created_at)]


def _rows(connection: Connection, numbers: list[int]) -> Sequence[RunRow]:
    return connection.execute(sa.select(*NARROW).where(tables.run.c.id.in_(numbers))).all()


def summaries(connection: Connection, rows: Sequence[RunRow], *, settings: Sequence[str] = ()) -> list[RunSummary]:
    """The rows as they are told."""
    numbers = [row.id for row in rows]
    metric = tables.metric_last
    last: dict[int, dict[str, MetricLast]] = defaultdict(dict)
    for row in connection.execute(sa.select(metric).where(metric.c.run_id.in_(numbers)).order_by(metric.c.metric)):
        last[row.run_id][row.metric] = MetricLast(step=row.step, value=_number_or_word(row.value))
    open_findings, told = _open_findings(connection, numbers), _settings(connection, numbers, settings)
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
            memo=row.memo,
            archived=row.archived_at is not None,
            deleted=row.deleted_at is not None,
            settings=told[row.id],
        )
        for row in rows
    ]


def _open_findings(connection: Connection, numbers: list[int]) -> dict[int, dict[str, int]]:
    finding = tables.finding
    found: dict[int, dict[str, int]] = defaultdict(dict)
    counts = sa.select(finding.c.run_id, finding.c.severity, sa.func.count().label("open")).where(
        finding.c.run_id.in_(numbers), finding.c.state == "open"
    )
    for row in connection.execute(counts.group_by(finding.c.run_id, finding.c.severity)):
        found[row.run_id][row.severity] = row.open
    return found


def _settings(connection: Connection, numbers: list[int], names: Sequence[str]) -> dict[int, dict[str, str]]:
    setting = tables.run_setting
    found: dict[int, dict[str, str]] = defaultdict(dict)
    if names:
        wanted = (setting.c.run_id.in_(numbers), setting.c.name.in_([as_kept(name) for name in names]))
        for row in connection.execute(sa.select(setting.c.run_id, setting.c.name, setting.c.text).where(*wanted)):
            found[row.run_id][row.name] = row.text
    return found


def _number_or_word(value: float | None) -> float | str:
    if value is None:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value
