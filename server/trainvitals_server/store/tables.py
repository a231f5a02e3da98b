"""The tables, the same on SQLite and PostgreSQL; every key of a run's data begins with the run's number."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def as_kept(value: str) -> str:
    """As a database keeps it: PostgreSQL's text holds no NUL."""
    return value.replace("\0", "�")


# SQLite numbers rows by itself only where the key's type is the word INTEGER
Number: Final = BigInteger().with_variant(Integer(), "sqlite")


def _run_number(*, key: bool = True) -> Column[Any]:  # Any: the column's Python type follows from Number
    return Column(
        "run_id",
        Number,
        ForeignKey("run.id", ondelete="CASCADE"),
        primary_key=key,
        autoincrement=False,
        nullable=False,
    )


# settings, notes, environment, model, preflight, capture, tags and muted rules are msgpack, which keeps NaN and NUL
# where JSON columns do not
run = Table(
    "run",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("uid", Text, nullable=False, unique=True),
    Column("project", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("run_group", Text),
    Column("search", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("heartbeat_at", Double, nullable=False),
    Column("data_at", Double),  # NULL: none came yet
    Column("data_every", Double),  # seconds; NULL: fewer than two frames came
    Column("ended_at", Double),
    Column("attempt", Integer, nullable=False),
    Column("last_step", BigInteger),
    Column("planned_steps", BigInteger),
    Column("health", SmallInteger),
    Column("little_known", SmallInteger, nullable=False, server_default="0"),  # 1: its health says little
    Column("judged", SmallInteger, nullable=False, server_default="1"),  # 0: its end is still to be judged
    Column("error", Text),
    Column("tags", LargeBinary, nullable=False),
    Column("spark", LargeBinary),
    Column("config", LargeBinary, nullable=False),
    Column("notes", LargeBinary),
    Column("environment", LargeBinary, nullable=False),
    Column("model", LargeBinary),
    Column("preflight", LargeBinary),
    Column("capture", LargeBinary),
    Column("ranks", Integer, nullable=False, server_default="1"),
    Column("told_by", Integer, nullable=False, server_default="0"),  # the rank by whose words it is described
    Column("failed_rank", Integer),  # whose failure ``error`` tells; NULL: none failed
    Column("muted", LargeBinary),
    Column("loss_metric", Text),  # the one that the sparkline is of; NULL: none was logged
    Column("memo", Text, nullable=False, server_default=""),  # what people wrote on it
    Column("archived_at", Double),  # NULL: it is not
    Column("deleted_at", Double),  # when it was put into the bin; NULL: it is not there
    Index(None, "created_at"),
    Index(None, "project", "created_at"),
    # SQLite reads through a row's blobs to reach what stands behind them: the table of runs is found without its rows
    Index("ix_run_glance", "deleted_at", "archived_at", "created_at", "loss_metric"),
    sqlite_autoincrement=True,
)

# a matrix recorded at the same steps: kind "layers" (columns: layers) or "metrics" (one column);
# numbered in order of first sight
stream = Table(
    "stream",
    metadata,
    _run_number(),
    Column("stream_id", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("layers", LargeBinary, nullable=False),
)

series = Table(
    "series",
    metadata,
    _run_number(),
    Column("stream_id", Integer, primary_key=True, autoincrement=False),
    Column("stat", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# a resumed run rewinds: what older attempts recorded at and after from_step is hidden
attempt = Table(
    "attempt",
    metadata,
    _run_number(),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("from_step", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# outlives the frame, so that one sent again after it was merged is still known
frame_seen = Table(
    "frame_seen",
    metadata,
    _run_number(),
    Column("writer", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# frames as received, in order of arrival, until they are merged
frame = Table(
    "frame",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    _run_number(key=False),
    Column("rank", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("received_at", Double, nullable=False),
    Column("first_step", BigInteger, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("layers_last", BigInteger),
    Column("points", Integer, nullable=False),
    Column("metric_points", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Index("ix_frame_waiting", "run_id", "id", "points", "metric_points", "received_at"),
    sqlite_autoincrement=True,
)

# level 0: n points of one stat as recorded; level b: minimum, mean, maximum, non-finite count of every b of them
chunk = Table(
    "chunk",
    metadata,
    _run_number(),
    Column("stream_id", Integer, primary_key=True, autoincrement=False),
    Column("stat", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("first_step", BigInteger, primary_key=True, autoincrement=False),
    Column("last_step", BigInteger, nullable=False),
    Column("stride", BigInteger, nullable=False),
    Column("n", Integer, nullable=False),
    Column("codec", SmallInteger, nullable=False),
    Column("steps", LargeBinary),
    Column("value", LargeBinary, nullable=False),
    Column("low", LargeBinary),
    Column("high", LargeBinary),
    Column("nonfinite", LargeBinary),
)

# histograms of one kind of values of few neighbouring layers at one step: packed uint16 [layers, 65]
histogram = Table(
    "histogram",
    metadata,
    _run_number(),
    Column("stream_id", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("block", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("layers", Integer, nullable=False),
    Column("cells", LargeBinary, nullable=False),
)

# what a network made of the probe's examples at a step: ``pictures`` and ``shape`` are msgpack
look = Table(
    "look",
    metadata,
    _run_number(),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("layer", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("kinds", Text, nullable=False),  # with commas between
    Column("shape", LargeBinary, nullable=False),
    Column("pictures", LargeBinary, nullable=False),
)

# value NULL is NaN: SQLite keeps no NaN
metric_last = Table(
    "metric_last",
    metadata,
    _run_number(),
    Column("metric", Text, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("value", Double),
    Index(None, "metric", "value"),
    sqlite_with_rowid=False,
)

finding = Table(
    "finding",
    metadata,
    _run_number(),
    Column("finding_id", Text, primary_key=True),
    Column("severity", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("rule", Text, nullable=False, server_default=""),
    Column("payload", LargeBinary, nullable=False),
)

# the settings of run.config flattened ("optimizer.lr"), for searching, sorting and grouping: ``text`` as it is shown,
# ``word`` the same in lower case, ``leaf`` the last part of the name
run_setting = Table(
    "run_setting",
    metadata,
    _run_number(),
    Column("name", Text, primary_key=True),
    Column("leaf", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("word", Text, nullable=False),
    Column("number", Double),  # NULL: it is none, or not finite
    Index(None, "leaf", "number"),
    sqlite_with_rowid=False,
)

# the tags of run.tags in lower case, for searching
run_tag = Table(
    "run_tag",
    metadata,
    _run_number(),
    Column("word", Text, primary_key=True),
    Index(None, "word"),
    sqlite_with_rowid=False,
)

# how people looked at the runs table, by name: the query of the page's address
saved_view = Table(
    "saved_view",
    metadata,
    Column("name", Text, primary_key=True),
    Column("query", Text, nullable=False),
    Column("saved_at", Double, nullable=False),
    sqlite_with_rowid=False,
)

# what people wrote of a run, msgpack; the newest versions stay
journal = Table(
    "journal",
    metadata,
    _run_number(),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("payload", LargeBinary, nullable=False),
)

# what a project says of its rules, msgpack; every version stays
rule_settings = Table(
    "rule_settings",
    metadata,
    Column("project", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("payload", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
