"""What runs of the table have in common: what columns may show of them, and groups by what they have."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trainvitals.wire.table import Column, Columns, Group, Groups
from trainvitals_server.store import tables
from trainvitals_server.store.interface import RunQuery
from trainvitals_server.store.run_rows import SETTING_PREFIX, conditions
from trainvitals_server.store.run_words import finite
from trainvitals_server.store.search_syntax import FIELDS, in_quotes, quoted
from trainvitals_server.store.tables import as_kept

MOST_COLUMNS: Final = 1000
MOST_GROUPS: Final = 500


def columns(connection: Connection, query: RunQuery) -> Columns:
    """See Store.columns."""
    setting, metric, tag = tables.run_setting, tables.metric_last, tables.run_tag
    return Columns(
        settings=_counted(connection, query, setting, setting.c.name),
        metrics=_counted(connection, query, metric, metric.c.metric),
        tags=_counted(connection, query, tag, tag.c.word),
    )


def _counted(connection: Connection, query: RunQuery, table: sa.Table, name: sa.ColumnElement[str]) -> list[Column]:
    runs = sa.func.count()
    joined = sa.select(name.label("name"), runs.label("runs")).join_from(
        table, tables.run, tables.run.c.id == table.c.run_id
    )
    few = joined.where(*conditions(query)).group_by(name).order_by(runs.desc(), name).limit(MOST_COLUMNS)
    return [Column(name=row.name, runs=row.runs) for row in connection.execute(few)]


@dataclass(slots=True, kw_only=True)
class _Members:
    runs: int = 0
    running: int = 0
    reached: list[tuple[float, str]] = field(default_factory=list)  # finite last value, run id


def groups(connection: Connection, query: RunQuery, *, by: str, metric: str) -> Groups:
    """See Store.groups."""
    run, setting, last = tables.run, tables.run_setting, tables.metric_last
    key: sa.ColumnElement[Any] = {"project": run.c.project, "status": run.c.status}.get(by, run.c.run_group)
    is_it = last.c.metric == (run.c.loss_metric if metric == "loss" else as_kept(metric))
    joined = sa.outerjoin(run, last, sa.and_(last.c.run_id == run.c.id, is_it))
    if by.startswith(SETTING_PREFIX):
        is_that = setting.c.name == as_kept(by.removeprefix(SETTING_PREFIX))
        joined, key = sa.outerjoin(joined, setting, sa.and_(setting.c.run_id == run.c.id, is_that)), setting.c.text
    wanted = sa.select(key.label("value"), run.c.uid, run.c.status, last.c.value.label("last")).select_from(joined)
    members: dict[str | None, _Members] = defaultdict(_Members)
    for row in connection.execute(wanted.where(*conditions(query)).order_by(run.c.id)):
        one = members[row.value]
        one.runs += 1
        one.running += row.status == "running"
        if row.last is not None and math.isfinite(row.last):
            one.reached.append((row.last, row.uid))
    order = sorted(members, key=_order)
    told = [_group(value, members[value], by=by) for value in order[:MOST_GROUPS]]
    return Groups(by=by, metric=metric, groups=told, total=len(order))


def _order(value: str | None) -> tuple[int, float, str]:
    if value is None:
        return 2, 0.0, ""
    number = finite(value)
    return (1, 0.0, value.lower()) if number is None else (0, number, value)


def _group(value: str | None, members: _Members, *, by: str) -> Group:
    reached: Sequence[tuple[float, str]] = members.reached
    low, high = (min(reached), max(reached)) if reached else ((None, None), (None, None))
    return Group(
        value=value,
        term=_term(by, value),
        runs=members.runs,
        running=members.running,
        valued=len(reached),
        low=low[0],
        median=statistics.median(one for one, _ in reached) if reached else None,
        high=high[0],
        lowest=low[1],
        highest=high[1],
    )


def _term(by: str, value: str | None) -> str:
    if by.startswith(SETTING_PREFIX):
        name = _setting_name(by.removeprefix(SETTING_PREFIX))
        return f"-{name}=*" if value is None else f"{name}={in_quotes(value)}"
    return f"{by}:{quoted(value or '')}" if value is not None else f"-{by}:*"


def _setting_name(name: str) -> str:
    """A setting called like a field of the search ("group") is quoted, which the field is not."""
    written = quoted(name)
    return in_quotes(name) if written == name and name.lower() in FIELDS else written
