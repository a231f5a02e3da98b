"""What the table of runs is searched, sorted and grouped by, and what people say of runs in it.

Revision ID: 0011
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

NUMBER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ROWS: Final = 500  # read at once
MOST_SETTINGS: Final = 1000
MOST_CHARACTERS: Final = 300


def upgrade() -> None:
    op.add_column("run", sa.Column("loss_metric", sa.Text(), nullable=True))
    op.add_column("run", sa.Column("memo", sa.Text(), nullable=False, server_default=""))
    op.add_column("run", sa.Column("archived_at", sa.Double(), nullable=True))
    op.add_column("run", sa.Column("deleted_at", sa.Double(), nullable=True))
    op.add_column("finding", sa.Column("rule", sa.Text(), nullable=False, server_default=""))
    _of_runs(
        "run_setting",
        "name",
        sa.Column("leaf", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
    )
    op.create_index("ix_run_setting_leaf_number", "run_setting", ["leaf", "number"])
    _of_runs("run_tag", "word")
    op.create_index("ix_run_tag_word", "run_tag", ["word"])
    op.create_table(
        "saved_view",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("saved_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_saved_view"),
        sqlite_with_rowid=False,
    )
    _fill_runs()
    _fill_findings()


def downgrade() -> None:
    for table in ("saved_view", "run_tag", "run_setting"):
        op.drop_table(table)
    op.drop_column("finding", "rule")
    for column in ("deleted_at", "archived_at", "memo", "loss_metric"):
        op.drop_column("run", column)


def _of_runs(table: str, key: str, *columns: sa.Column[Any]) -> None:  # Any: of several types
    op.create_table(
        table,
        sa.Column("run_id", NUMBER, autoincrement=False, nullable=False),
        sa.Column(key, sa.Text(), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=f"fk_{table}_run_id_run", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", key, name=f"pk_{table}"),
        sqlite_with_rowid=False,
    )


def _fill_runs() -> None:
    run = sa.table("run", *map(sa.column, ("id", "config", "tags", "spark", "loss_metric")))
    setting = sa.table("run_setting", *map(sa.column, ("run_id", "name", "leaf", "text", "word", "number")))
    tag = sa.table("run_tag", *map(sa.column, ("run_id", "word")))
    connection, last = op.get_bind(), 0
    while True:
        columns = (run.c.id, run.c.config, run.c.tags, run.c.spark)
        rows = connection.execute(sa.select(*columns).where(run.c.id > last).order_by(run.c.id).limit(ROWS)).all()
        if not rows:
            return
        last = rows[-1].id
        for row in rows:
            settings = list(_settings(row.id, msgspec.msgpack.decode(row.config)))
            tags = {_whole(str(word)).lower() for word in msgspec.msgpack.decode(row.tags)}
            if settings:
                connection.execute(sa.insert(setting), settings)
            if tags:
                connection.execute(sa.insert(tag), [{"run_id": row.id, "word": word} for word in sorted(tags)])
            metric = row.spark and msgspec.msgpack.decode(row.spark).get("metric")
            if metric:
                connection.execute(sa.update(run).where(run.c.id == row.id).values(loss_metric=_whole(metric)))


def _whole(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")  # PostgreSQL's text holds no NUL


def _settings(number: int, config: Any) -> Iterator[dict[str, Any]]:  # Any: settings are the user's own
    told: dict[str, str] = {}
    for name, value in _flat(config) if isinstance(config, dict) else ():
        if len(told) < MOST_SETTINGS:
            told.setdefault(_text(name), _text(str(value)))
    for name, text in told.items():
        leaf = re.split(r"[./]", name.rstrip("./"))[-1] or name
        yield {
            "run_id": number, "name": name, "leaf": leaf, "text": text, "word": text.lower(), "number": _number(text),
        }  # fmt: skip


def _flat(settings: dict[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:  # Any: as above
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _text(value: str) -> str:
    return value[:MOST_CHARACTERS].replace("\0", "\N{REPLACEMENT CHARACTER}")


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _fill_findings() -> None:
    finding = sa.table("finding", *map(sa.column, ("run_id", "finding_id", "rule", "payload")))
    connection = op.get_bind()
    numbers = connection.execute(sa.select(finding.c.run_id).distinct()).scalars().all()
    for number in numbers:
        columns = (finding.c.finding_id, finding.c.payload)
        for row in connection.execute(sa.select(*columns).where(finding.c.run_id == number)).all():
            rule = msgspec.msgpack.decode(row.payload).get("rule", "")
            is_this = (finding.c.run_id == number, finding.c.finding_id == row.finding_id)
            connection.execute(sa.update(finding).where(*is_this).values(rule=rule))
