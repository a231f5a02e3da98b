"""Turns frames into chunks: reads without a lock, then swaps in one short transaction that someone faster makes void.

A merge always takes a run's oldest frames. So chunks hold what came before any waiting frame, and of two merges of one
run only one finds all its frames still there: the other rolls back and has done nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trainvitals.wire.frame import Frame
from trainvitals_server.store import tables
from trainvitals_server.store.blobs import Floats32, Steps, section_floats
from trainvitals_server.store.catalogue import Catalogue, Layout, load_catalogue
from trainvitals_server.store.chunks import ChunkRow, chunk_points, chunk_rows, cut_points, raw_points
from trainvitals_server.store.engine import Database
from trainvitals_server.store.frames import read_frame
from trainvitals_server.store.interface import StoreUnavailable

ENOUGH_POINTS: Final = 1024
ENOUGH_METRIC_POINTS: Final = 2048
ENOUGH_FRAMES: Final = 256
IDLE_SECONDS: Final = 60.0
MOST_FRAMES: Final = 1024  # of one merge, which bounds its memory …
MOST_BYTES: Final = 64 * 1024 * 1024  # … packed, …
MOST_VALUES: Final = 32_000_000  # … and unpacked: what is constant packs a thousandfold
CHUNKS_PER_QUERY: Final = 500

SeriesKey = tuple[int, str, int]  # stream, stat, attempt
Points = tuple[Steps, Floats32]


class _SomeoneWasFaster(Exception):
    """Another merge took these frames, or the run was deleted: roll back."""


@dataclass(slots=True)
class _Series:
    """Points of one series, in order of arrival: old chunks first, then frames. ``borders``: the first steps of chunks
    that stay as they are, over which no new chunk may reach."""

    old: list[ChunkRow] = field(default_factory=list)
    new: list[Points] = field(default_factory=list)
    borders: list[int] = field(default_factory=list)

    def steps(self) -> Steps:
        """Of the new points, ascending, each once."""
        return np.unique(np.concatenate([steps for steps, _ in self.new]))


def merge_once(database: Database, *, now: float, force: bool, unmergeable: set[int]) -> int:
    """Merge frames of the run that has most waiting; how many chunks were written (0: nothing to do, or outrun).

    A run that cannot be merged, because a disk damaged its frames, raises once and joins ``unmergeable``: it stays as
    it is and holds up no other.
    """
    with database.reading() as connection:
        number = _run_to_merge(connection, now=now, force=force, but=unmergeable)
    if number is None:
        return 0
    try:
        return _merge_run(database, number)
    except StoreUnavailable:
        raise
    except Exception:
        unmergeable.add(number)
        raise


def _merge_run(database: Database, number: int) -> int:
    with database.reading() as connection:
        taken = _oldest_frames(connection, number)
        if not taken:
            return 0
        catalogue = load_catalogue(connection, number)
        series = _points_of_frames(taken, catalogue)
        _add_touched_chunks(connection, number, series, catalogue)
    rows = list(_merged_rows(number, series, catalogue))
    try:
        with database.writing() as connection:
            frame = tables.frame
            gone = sa.delete(frame).where(frame.c.run_id == number, frame.c.id <= taken[-1][0])
            if connection.execute(gone).rowcount != len(taken):
                raise _SomeoneWasFaster
            _delete_old_chunks(connection, number, series)
            if rows:
                connection.execute(sa.insert(tables.chunk), rows)
    except _SomeoneWasFaster:
        return 0
    return sum(row["level"] == 0 for row in rows)


def _run_to_merge(connection: Connection, *, now: float, force: bool, but: set[int]) -> int | None:
    frame, run = tables.frame, tables.run
    waiting = (
        sa.select(
            frame.c.run_id,
            sa.func.sum(frame.c.points).label("points"),
            sa.func.sum(frame.c.metric_points).label("metric_points"),
            sa.func.count().label("frames"),
            sa.func.max(frame.c.received_at).label("newest_at"),
        )
        .where(frame.c.run_id.not_in(sorted(but)))
        .group_by(frame.c.run_id)
        .subquery()
    )
    enough = sa.or_(
        waiting.c.points >= ENOUGH_POINTS,
        waiting.c.metric_points >= ENOUGH_METRIC_POINTS,
        waiting.c.frames >= ENOUGH_FRAMES,
        run.c.status != "running",
        waiting.c.newest_at < now - IDLE_SECONDS,
    )
    query = sa.select(waiting.c.run_id).join(run, run.c.id == waiting.c.run_id).order_by(waiting.c.frames.desc())
    found: int | None = connection.execute((query if force else query.where(enough)).limit(1)).scalar()
    return found


def _oldest_frames(connection: Connection, number: int) -> list[tuple[int, Frame]]:
    """Arrival numbers and frames."""
    frame = tables.frame
    sizes = connection.execute(
        sa.select(frame.c.id, frame.c.size).where(frame.c.run_id == number).order_by(frame.c.id).limit(MOST_FRAMES)
    ).all()
    if not sizes:
        return []  # another merge took them
    total, last = 0, sizes[0].id
    for row in sizes:
        total += row.size
        if total > MOST_BYTES and row.id != last:
            break
        last = row.id
    rows = connection.execute(
        sa.select(frame.c.id, frame.c.payload).where(frame.c.run_id == number, frame.c.id <= last).order_by(frame.c.id)
    )
    taken: list[tuple[int, Frame]] = []
    values = 0
    for row in rows.all():
        decoded = read_frame(row.payload)
        values += _values_of(decoded)
        if taken and values > MOST_VALUES:
            break
        taken.append((row.id, decoded))
    return taken


def _values_of(frame: Frame) -> int:
    stats = frame.layer_stats
    return len(stats.layers) * len(stats.steps) * len(stats.sections) if stats else 0


def _points_of_frames(frames: Iterable[tuple[int, Frame]], catalogue: Catalogue) -> dict[SeriesKey, _Series]:
    found: dict[SeriesKey, _Series] = defaultdict(_Series)
    for _, frame in frames:
        if frame.layer_stats is not None:
            stats = frame.layer_stats
            layout: Layout = ("layers", frame.rank, tuple(stats.layers))
            stream, steps = catalogue.streams[layout], np.array(stats.steps, np.int64)
            for part in stats.sections:
                values = section_floats(part, layers=len(stats.layers), steps=len(steps))
                found[stream, part.stat, frame.attempt].new.append((steps, values))
        for points in frame.metrics:
            stream = catalogue.streams["metrics", frame.rank, ()]
            values = np.frombuffer(points.values.data, "<f4").reshape(1, -1)
            found[stream, points.metric, frame.attempt].new.append((np.array(points.steps, np.int64), values))
    return found


def _add_touched_chunks(
    connection: Connection, number: int, series: dict[SeriesKey, _Series], catalogue: Catalogue
) -> None:
    """Add to each series the chunks that its new points fall into, or lengthen; all others stay as they are."""
    chunk, layers = tables.chunk, catalogue.layers()
    columns = (chunk.c.stream_id, chunk.c.stat, chunk.c.attempt)
    metas = connection.execute(
        sa.select(*columns, chunk.c.first_step, chunk.c.last_step, chunk.c.n)
        .where(chunk.c.run_id == number, chunk.c.level == 0, chunk.c.stream_id.in_({key[0] for key in series}))
        .order_by(chunk.c.first_step)
    )
    known: dict[SeriesKey, list[ChunkRow]] = defaultdict(list)
    for row in metas:
        known[row.stream_id, row.stat, row.attempt].append(row)
    for key, parts in series.items():
        touched = _touched(known[key], parts.steps(), short=chunk_points(len(layers[key[0]])) // 2)
        parts.borders = [row.first_step for row, is_touched in zip(known[key], touched, strict=True) if not is_touched]
        first_steps = [row.first_step for row, is_touched in zip(known[key], touched, strict=True) if is_touched]
        same = (chunk.c.run_id == number, *(column == part for column, part in zip(columns, key, strict=True)))
        for start in range(0, len(first_steps), CHUNKS_PER_QUERY):
            few = first_steps[start : start + CHUNKS_PER_QUERY]
            rows = connection.execute(
                sa.select(chunk)
                .where(*same, chunk.c.level == 0, chunk.c.first_step.in_(few))
                .order_by(chunk.c.first_step)
            )
            parts.old.extend(rows)


def _touched(chunks: Sequence[ChunkRow], steps: Steps, *, short: int) -> list[bool]:
    """Of each chunk (ascending) whether it has one of ``steps`` among its own, or is short and has some behind it."""
    ends = [row.first_step for row in chunks[1:]] + [int(steps[-1]) + 1]
    touched = []
    for row, next_first in zip(chunks, ends, strict=False):  # without any chunk, one end too many
        reach = max(row.last_step, next_first - 1) if row.n < short else row.last_step
        inside = np.searchsorted(steps, [row.first_step, reach + 1])
        touched.append(bool(inside[1] > inside[0]))
    return touched


def merged(points: list[Points]) -> Points:
    """Points of sources in order of arrival as one series: ascending steps, of equal ones the last received."""
    steps = np.concatenate([part[0] for part in points])
    values = np.concatenate([part[1] for part in points], axis=1)
    order = np.argsort(steps, kind="stable")
    ordered = steps[order]
    order = order[np.append(ordered[1:] != ordered[:-1], True)] if len(order) else order
    return steps[order], values[:, order]


def _merged_rows(
    number: int, series: dict[SeriesKey, _Series], catalogue: Catalogue
) -> Iterable[dict[str, Any]]:  # Any: columns of the chunk table
    layers = catalogue.layers()
    for (stream, stat, attempt), parts in series.items():
        columns = max(1, len(layers[stream]))
        steps, values = merged([*(raw_points(row, layers=columns) for row in parts.old), *parts.new])
        key = {"run_id": number, "stream_id": stream, "stat": stat, "attempt": attempt}
        borders = [0, *np.searchsorted(steps, parts.borders).tolist(), len(steps)]
        for begin, finish in pairwise(borders):
            for start, end in cut_points(finish - begin, chunk_points(columns)) if finish > begin else ():
                piece = slice(begin + start, begin + end)
                yield from chunk_rows(key, steps[piece], values[:, piece])


def _delete_old_chunks(connection: Connection, number: int, series: dict[SeriesKey, _Series]) -> None:
    chunk = tables.chunk
    names = ("stream_id", "stat", "attempt")
    statement = sa.delete(chunk).where(
        chunk.c.run_id == number,
        *(chunk.c[name] == sa.bindparam(f"of_{name}") for name in names),
        chunk.c.first_step == sa.bindparam("of_first_step"),
    )
    rows = [
        {**{f"of_{name}": part for name, part in zip(names, key, strict=True)}, "of_first_step": row.first_step}
        for key, parts in series.items()
        for row in parts.old
    ]
    if rows:
        connection.execute(statement, rows)
