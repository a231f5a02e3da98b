"""Runs, their series as frames and chunks, their findings.

Revision ID: 0001
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_run()
    _create_catalogue()
    _create_frame()
    _create_chunk()
    _create_metric_last_and_finding()
    if op.get_bind().dialect.name == "postgresql":
        _tune_postgres()


def downgrade() -> None:
    for table in (
        "finding",
        "metric_last",
        "chunk",
        "frame",
        "frame_seen",
        "attempt",
        "series",
        "stream",
        "run",
    ):
        op.drop_table(table)


def _column(name: str, kind: Any, *, null: bool = False) -> sa.Column[Any]:  # Any: columns of all types
    return sa.Column(name, kind, autoincrement=False, nullable=null)


def _of_run(table: str) -> tuple[sa.Column[Any], sa.ForeignKeyConstraint]:
    key = sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=f"fk_{table}_run_id_run", ondelete="CASCADE")
    return _column("run_id", NUMBER), key


def _create_run() -> None:
    op.create_table(
        "run",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        _column("uid", sa.Text()),
        _column("project", sa.Text()),
        _column("name", sa.Text()),
        _column("run_group", sa.Text(), null=True),
        _column("search", sa.Text()),
        _column("status", sa.Text()),
        _column("created_at", sa.Double()),
        _column("heartbeat_at", sa.Double()),
        _column("ended_at", sa.Double(), null=True),
        _column("attempt", sa.Integer()),
        _column("last_step", sa.BigInteger(), null=True),
        _column("planned_steps", sa.BigInteger(), null=True),
        _column("health", sa.SmallInteger(), null=True),
        _column("error", sa.Text(), null=True),
        _column("tags", sa.LargeBinary()),
        _column("spark", sa.LargeBinary(), null=True),
        _column("config", sa.LargeBinary()),
        _column("environment", sa.LargeBinary()),
        _column("model", sa.LargeBinary(), null=True),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
        sa.UniqueConstraint("uid", name="uq_run_uid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_run_created_at", "run", ["created_at"])
    op.create_index("ix_run_project_created_at", "run", ["project", "created_at"])


def _create_catalogue() -> None:
    op.create_table(
        "stream",
        *_of_run("stream"),
        _column("stream_id", sa.Integer()),
        _column("kind", sa.Text()),
        _column("rank", sa.Integer()),
        _column("layers", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("run_id", "stream_id", name="pk_stream"),
    )
    op.create_table(
        "series",
        *_of_run("series"),
        _column("stream_id", sa.Integer()),
        _column("stat", sa.Text()),
        _column("position", sa.Integer()),
        sa.PrimaryKeyConstraint("run_id", "stream_id", "stat", name="pk_series"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "attempt",
        *_of_run("attempt"),
        _column("attempt", sa.Integer()),
        _column("from_step", sa.BigInteger()),
        sa.PrimaryKeyConstraint("run_id", "attempt", name="pk_attempt"),
        sqlite_with_rowid=False,
    )


def _create_frame() -> None:
    op.create_table(
        "frame_seen",
        *_of_run("frame_seen"),
        _column("writer", sa.BigInteger()),
        _column("seq", sa.BigInteger()),
        sa.PrimaryKeyConstraint("run_id", "writer", "seq", name="pk_frame_seen"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "frame",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        *_of_run("frame"),
        _column("rank", sa.Integer()),
        _column("attempt", sa.Integer()),
        _column("received_at", sa.Double()),
        _column("first_step", sa.BigInteger()),
        _column("last_step", sa.BigInteger()),
        _column("layers_last", sa.BigInteger(), null=True),
        _column("points", sa.Integer()),
        _column("metric_points", sa.Integer()),
        _column("size", sa.Integer()),
        _column("payload", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name="pk_frame"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_frame_waiting", "frame", ["run_id", "id", "points", "metric_points", "received_at"])


def _create_chunk() -> None:
    op.create_table(
        "chunk",
        *_of_run("chunk"),
        _column("stream_id", sa.Integer()),
        _column("stat", sa.Text()),
        _column("attempt", sa.Integer()),
        _column("level", sa.Integer()),
        _column("first_step", sa.BigInteger()),
        _column("last_step", sa.BigInteger()),
        _column("stride", sa.BigInteger()),
        _column("n", sa.Integer()),
        _column("codec", sa.SmallInteger()),
        _column("steps", sa.LargeBinary(), null=True),
        _column("value", sa.LargeBinary()),
        _column("low", sa.LargeBinary(), null=True),
        _column("high", sa.LargeBinary(), null=True),
        _column("nonfinite", sa.LargeBinary(), null=True),
        sa.PrimaryKeyConstraint("run_id", "stream_id", "stat", "attempt", "level", "first_step", name="pk_chunk"),
    )


def _create_metric_last_and_finding() -> None:
    op.create_table(
        "metric_last",
        *_of_run("metric_last"),
        _column("metric", sa.Text()),
        _column("attempt", sa.Integer()),
        _column("rank", sa.Integer()),
        _column("step", sa.BigInteger()),
        _column("value", sa.Double(), null=True),
        sa.PrimaryKeyConstraint("run_id", "metric", name="pk_metric_last"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_metric_last_metric_value", "metric_last", ["metric", "value"])
    op.create_table(
        "finding",
        *_of_run("finding"),
        _column("finding_id", sa.Text()),
        _column("severity", sa.Text()),
        _column("state", sa.Text()),
        _column("payload", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("run_id", "finding_id", name="pk_finding"),
    )


def _tune_postgres() -> None:
    """Blobs are compressed already; dead frames go soon, before they pile up."""
    op.execute("ALTER TABLE frame ALTER payload SET STORAGE EXTERNAL")
    for column in ("steps", "value", "low", "high", "nonfinite"):
        op.execute(f"ALTER TABLE chunk ALTER {column} SET STORAGE EXTERNAL")
    op.execute(
        "ALTER TABLE frame SET (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=500,"
        " toast.autovacuum_vacuum_scale_factor=0, toast.autovacuum_vacuum_threshold=5000)"
    )
