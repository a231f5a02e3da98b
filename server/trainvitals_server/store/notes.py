"""What scripts noted of their runs, merged into one value for each run."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trainvitals.wire import coding
from trainvitals.wire.answers import Curve
from trainvitals.wire.notes import Alert, MetricDefinition, Note, Notes
from trainvitals_server.store import sparkline, tables
from trainvitals_server.store.catalogue import load_catalogue
from trainvitals_server.store.interface import NotesFull, Span
from trainvitals_server.store.reading import metric_curve
from trainvitals_server.store.run_words import forget_words, keep_settings

MAX_BYTES: Final = 1024 * 1024  # of settings, and of summary and definitions
MOST_ALERTS: Final = 200  # the newest are kept
MOST_WRITERS: Final = 1000


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """As it stands in the run's row. ``seen``: writer → seq of its newest note; the writer heard last comes last."""

    seen: dict[int, int] = {}
    summary: dict[str, Any] = {}  # Any: as the script noted it
    metrics: dict[str, MetricDefinition] = {}
    alerts: list[Alert] = []


def keep_note(connection: Connection, run_id: str, number: int, note: Note) -> bool:
    """See Store.note."""
    run = tables.run
    columns = (run.c.config, run.c.notes, run.c.spark)
    row = connection.execute(sa.select(*columns).where(run.c.id == number).with_for_update()).one()
    kept = _kept(row.notes)
    if note.seq <= kept.seen.get(note.writer, -1):
        return False
    config, merged = coding.encode(msgspec.msgpack.decode(row.config) | note.config), _merged(kept, note)
    if note.config and len(config) > MAX_BYTES:
        raise NotesFull(run_id, "settings")
    if len(coding.encode((merged.summary, merged.metrics))) > MAX_BYTES:
        raise NotesFull(run_id, "summary")
    values: dict[str, bytes | str | None] = {"config": config, "notes": coding.encode(merged), "spark": row.spark}
    if merged.metrics != kept.metrics:
        spark = _sparkline(connection, run_id, number, row.spark, merged.metrics)
        values |= {"spark": sparkline.dump(spark), "loss_metric": spark.metric or None}
    connection.execute(sa.update(run).where(run.c.id == number).values(**values))
    if note.config:
        forget_words(connection, number, tables.run_setting)
        keep_settings(connection, number, msgspec.msgpack.decode(config))
    return True


def _sparkline(
    connection: Connection, run_id: str, number: int, known: bytes | None, metrics: dict[str, MetricDefinition]
) -> sparkline.Spark:
    catalogue = load_catalogue(connection, number)
    of_rank_0 = catalogue.metric_streams().get(0)
    logged = [stat for stream, stat in catalogue.series if stream == of_rank_0]

    def curve(metric: str) -> Curve:
        return metric_curve(connection, run_id, number, metric=metric, span=Span(), points=sparkline.SHOWN, rank=0)

    return sparkline.redefined(sparkline.load(known), metrics, logged=logged, curve=curve)


def shown(data: bytes | None) -> Notes:
    """The notes of a run's row."""
    kept = _kept(data)
    return Notes(summary=kept.summary, metrics=kept.metrics, alerts=kept.alerts)


def _kept(data: bytes | None) -> Kept:
    return Kept() if data is None else msgspec.msgpack.decode(data, type=Kept)


def _merged(kept: Kept, note: Note) -> Kept:
    others = {writer: seq for writer, seq in kept.seen.items() if writer != note.writer}
    return Kept(
        seen=dict([*others.items(), (note.writer, note.seq)][-MOST_WRITERS:]),
        summary=kept.summary | note.summary,
        metrics=kept.metrics | note.metrics,
        alerts=[*kept.alerts, *note.alerts][-MOST_ALERTS:],
    )
