"""Fetches what a question needs in one view: buckets where whole chunks can answer, points where they cannot.

A chunk answers by its pyramid if it lies wholly inside the span, no newer attempt hides a part of it, and no waiting
frame or other chunk has steps among its own. Everything else is read as recorded, so that thinned answers count every
point exactly once. A step that two layouts recorded for one layer keeps the value of the layout that was seen later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trainvitals_server.store import tables
from trainvitals_server.store.blobs import Steps, section_floats
from trainvitals_server.store.catalogue import Attempts, load_attempts
from trainvitals_server.store.chunks import LAST_STEP, ChunkRow, level_cells, raw_points
from trainvitals_server.store.frames import read_frame
from trainvitals_server.store.interface import Span
from trainvitals_server.store.merging import Points, merged
from trainvitals_server.store.pyramid import LEVELS, Cells

KEYS_PER_QUERY: Final = 500

FrameRow = Any  # rows of the frame table, as ChunkRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One stat (or metric) of ``streams``: number → layers, in order of first sight; of one ``layer``, or of all."""

    run_number: int
    rank: int
    stat: str
    streams: dict[int, tuple[str, ...]]
    layer: str | None
    span: Span

    @property
    def first(self) -> int:
        return 0 if self.span.first is None else self.span.first

    @property
    def last(self) -> int:
        return LAST_STEP if self.span.last is None else self.span.last

    def rows(self, stream: int) -> int:
        """How many columns of the stream its matrices have."""
        return max(1, len(self.streams[stream]))

    def only(self, stream: int) -> int | None:
        """The row that is asked for, if one is."""
        return None if self.layer is None else self.streams[stream].index(self.layer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Of each stream the points read as recorded, and buckets of the rest."""

    points: dict[int, Points]
    cells: dict[int, list[Cells]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    raw: list[ChunkRow] = field(default_factory=list)
    whole: list[ChunkRow] = field(default_factory=list)


def gather(connection: Connection, wanted: Wanted, *, buckets: int) -> Gathered:
    """Points and buckets of what is wanted, at the coarsest level that still gives half of ``buckets``."""
    return gather_each(connection, [wanted], buckets=buckets)[0]


def gather_each(connection: Connection, wanted: Sequence[Wanted], *, buckets: int) -> list[Gathered]:
    """The same of several ranks (one run and span), for which most is asked once."""
    if not wanted:
        return []
    attempts = load_attempts(connection, wanted[0].run_number)
    frames = _waiting_frames(connection, wanted)
    chunks = _chunks_in_span(connection, wanted)
    return [
        _gathered(
            connection,
            each,
            frames[each.rank],
            [
                row
                for stream in each.streams
                for row in chunks[stream, each.stat]
                if row.first_step < attempts.limit(row.attempt)
            ],
            attempts,
            buckets=buckets,
        )
        for each in wanted
    ]


def _gathered(
    connection: Connection,
    wanted: Wanted,
    frames: list[FrameRow],
    chunks: list[ChunkRow],
    attempts: Attempts,
    *,
    buckets: int,
) -> Gathered:
    waiting = _points_of_frames(frames, wanted)
    total = sum(_points_inside(row, wanted, attempts) for row in chunks)
    total += sum(len(steps) for parts in waiting.values() for _, (steps, _) in parts)
    level = 0 if total <= buckets else max((size for size in LEVELS if total // size >= buckets // 2), default=0)
    plan = _plan(chunks, waiting, wanted, attempts) if level else _Plan(raw=chunks)
    cells: dict[int, list[Cells]] = defaultdict(list)
    raw = list(plan.raw)
    whole: dict[int, list[ChunkRow]] = defaultdict(list)
    for row in plan.whole:
        best = max((size for size in LEVELS if size <= min(level, row.n)), default=0)
        (whole[best] if best else raw).append(row)
    for size, rows in whole.items():
        for row in _fetch(connection, wanted, rows, level=size):
            stream = row.stream_id
            cells[stream].append(level_cells(row, layers=wanted.rows(stream), only=wanted.only(stream)))
    points = _visible_points(_fetch(connection, wanted, raw, level=0), waiting, wanted, attempts)
    return Gathered(points=points, cells=dict(cells))


def gather_recorded(connection: Connection, wanted: Sequence[Wanted]) -> dict[str, dict[int, Points]]:
    """Stat → stream → points as recorded, of several stats of one run, rank and span, in three queries."""
    attempts = load_attempts(connection, wanted[0].run_number)
    frames = _waiting_frames(connection, wanted[:1])[wanted[0].rank]
    chunk, streams = tables.chunk, {stream for each in wanted for stream in each.streams}
    rows = connection.execute(
        sa.select(chunk)
        .where(chunk.c.run_id == wanted[0].run_number, chunk.c.stream_id.in_(sorted(streams)), chunk.c.level == 0)
        .where(chunk.c.first_step <= wanted[0].last, chunk.c.last_step >= wanted[0].first)
    )
    of_stats: dict[str, list[ChunkRow]] = defaultdict(list)
    for row in rows:
        of_stats[row.stat].append(row)
    return {
        each.stat: _visible_points(of_stats[each.stat], _points_of_frames(frames, each), each, attempts)
        for each in wanted
    }


def _waiting_frames(connection: Connection, wanted: Sequence[Wanted]) -> dict[int, list[FrameRow]]:
    """Rank → frames that are not merged yet, in order of arrival."""
    frame, ranks = tables.frame, sorted(each.rank for each in wanted)
    query = (
        sa.select(frame.c.rank, frame.c.attempt, frame.c.payload)
        .where(frame.c.run_id == wanted[0].run_number, frame.c.rank.in_(ranks))
        .where(frame.c.first_step <= wanted[0].last, frame.c.last_step >= wanted[0].first)
        .order_by(frame.c.id)
    )
    found: dict[int, list[FrameRow]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.rank].append(row)
    return found


def _points_of_frames(rows: list[FrameRow], wanted: Wanted) -> dict[int, list[tuple[int, Points]]]:
    """Stream → (attempt, points), in order of arrival."""
    numbers = {layers: number for number, layers in wanted.streams.items()}
    found: dict[int, list[tuple[int, Points]]] = defaultdict(list)
    for row in rows:
        for layers, points in _points_of(row.payload, wanted, numbers):
            kept = (points[0] >= wanted.first) & (points[0] <= wanted.last)
            found[numbers[layers]].append((row.attempt, (points[0][kept], points[1][:, kept])))
    return found


def _points_of(
    payload: bytes, wanted: Wanted, numbers: dict[tuple[str, ...], int]
) -> Iterator[tuple[tuple[str, ...], Points]]:
    frame = read_frame(payload)
    stats, layers = frame.layer_stats, tuple(frame.layer_stats.layers) if frame.layer_stats else ()
    if () in numbers:
        for points in frame.metrics:
            if points.metric == wanted.stat:
                values = np.frombuffer(points.values.data, "<f4").reshape(1, -1)
                yield (), (np.array(points.steps, np.int64), values)
    elif stats is not None and layers in numbers:
        for part in stats.sections:
            if part.stat == wanted.stat:
                only = wanted.only(numbers[layers])
                values = section_floats(part, layers=len(layers), steps=len(stats.steps), row=only)
                yield layers, (np.array(stats.steps, np.int64), values)


def _chunks_in_span(connection: Connection, wanted: Sequence[Wanted]) -> dict[tuple[int, str], list[ChunkRow]]:
    """Stream and stat → its chunks, without their data."""
    chunk, streams = tables.chunk, [stream for each in wanted for stream in each.streams]
    columns = (chunk.c.stream_id, chunk.c.stat, chunk.c.attempt, chunk.c.first_step, chunk.c.last_step, chunk.c.n)
    query = (
        sa.select(*columns)
        .where(chunk.c.run_id == wanted[0].run_number, chunk.c.stream_id.in_(streams))
        .where(chunk.c.stat.in_(sorted({each.stat for each in wanted})), chunk.c.level == 0)
        .where(chunk.c.first_step <= wanted[0].last, chunk.c.last_step >= wanted[0].first)
        .order_by(chunk.c.stream_id, chunk.c.attempt, chunk.c.first_step)
    )
    found: dict[tuple[int, str], list[ChunkRow]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.stream_id, row.stat].append(row)
    return found


def _points_inside(row: ChunkRow, wanted: Wanted, attempts: Attempts) -> int:
    """About how many of a chunk's points are visible within the span."""
    first = max(row.first_step, wanted.first)
    last = min(row.last_step, wanted.last, attempts.limit(row.attempt) - 1)
    if row.last_step == row.first_step:
        return int(row.n)
    share = (last - first) / (row.last_step - row.first_step)
    return int(share * (row.n - 1)) + 1


def _plan(
    chunks: list[ChunkRow], waiting: dict[int, list[tuple[int, Points]]], wanted: Wanted, attempts: Attempts
) -> _Plan:
    new_steps = {
        stream: np.unique(np.concatenate([steps[steps < attempts.limit(number)] for number, (steps, _) in parts]))
        for stream, parts in waiting.items()
        if parts
    }
    plan = _Plan()
    has_rivals = len({(row.stream_id, row.attempt) for row in chunks}) > 1
    for row in chunks:
        is_cut = (
            row.first_step < wanted.first
            or row.last_step > wanted.last
            or row.last_step >= attempts.limit(row.attempt)
            or any(
                _any_between(steps, row.first_step, row.last_step)
                for stream, steps in new_steps.items()
                if _share_layers(wanted, stream, row.stream_id)
            )
            or (
                has_rivals
                and any(
                    (other.stream_id, other.attempt) != (row.stream_id, row.attempt)
                    and other.first_step <= row.last_step
                    and min(other.last_step, attempts.limit(other.attempt) - 1) >= row.first_step
                    and _share_layers(wanted, other.stream_id, row.stream_id)
                    for other in chunks
                )
            )
        )
        (plan.raw if is_cut else plan.whole).append(row)
    return plan


def _any_between(steps: Steps, first: int, last: int) -> bool:
    place = int(np.searchsorted(steps, first))
    return place < len(steps) and bool(steps[place] <= last)


def _share_layers(wanted: Wanted, one: int, other: int) -> bool:
    return one == other or wanted.layer is not None or not set(wanted.streams[one]).isdisjoint(wanted.streams[other])


def _fetch(connection: Connection, wanted: Wanted, rows: Iterable[ChunkRow], *, level: int) -> Iterator[ChunkRow]:
    chunk = tables.chunk
    ordered = sorted(rows, key=lambda row: (row.stream_id, row.attempt, row.first_step))
    for (stream, attempt), group in groupby(ordered, key=lambda row: (row.stream_id, row.attempt)):
        first_steps = [row.first_step for row in group]
        for start in range(0, len(first_steps), KEYS_PER_QUERY):
            query = (
                sa.select(chunk)
                .where(chunk.c.run_id == wanted.run_number, chunk.c.stream_id == stream, chunk.c.stat == wanted.stat)
                .where(chunk.c.attempt == attempt, chunk.c.level == level)
                .where(chunk.c.first_step.in_(first_steps[start : start + KEYS_PER_QUERY]))
                .order_by(chunk.c.first_step)
            )
            yield from connection.execute(query)


def _visible_points(
    chunks: Iterable[ChunkRow],
    waiting: dict[int, list[tuple[int, Points]]],
    wanted: Wanted,
    attempts: Attempts,
) -> dict[int, Points]:
    """Points as recorded, of each stream ascending, each step once."""
    parts: dict[int, list[tuple[int, Points]]] = defaultdict(list)
    for row in chunks:
        stream = row.stream_id
        last = min(wanted.last, attempts.limit(row.attempt) - 1)
        points = raw_points(row, layers=wanted.rows(stream), only=wanted.only(stream), first=wanted.first, last=last)
        parts[stream].append((row.attempt, points))
    for stream, few in waiting.items():
        parts[stream].extend(few)
    found = {}
    for stream, of_stream in parts.items():
        visible = []
        for number, (steps, values) in of_stream:
            kept = (steps >= wanted.first) & (steps <= wanted.last) & (steps < attempts.limit(number))
            visible.append((steps[kept], values[:, kept]) if not kept.all() else (steps, values))
        found[stream] = merged(visible)
    return found


def newest_steps(connection: Connection, run_number: int, *, rank: int, streams: Iterable[int]) -> Span | None:
    """Steps among which the newest visible one with layer stats is; None where there is none."""
    attempts = load_attempts(connection, run_number)
    chunk, frame = tables.chunk, tables.frame
    in_chunks = connection.execute(
        sa.select(chunk.c.attempt, chunk.c.first_step, chunk.c.last_step)
        .where(chunk.c.run_id == run_number, chunk.c.stream_id.in_(list(streams)), chunk.c.level == 0)
        .distinct()
    )
    waiting = connection.execute(
        sa.select(frame.c.attempt, sa.literal(0).label("first_step"), frame.c.layers_last.label("last_step")).where(
            frame.c.run_id == run_number, frame.c.rank == rank, frame.c.layers_last.is_not(None)
        )
    )
    lower, upper = [], []
    for row in [*in_chunks, *waiting]:
        limit = attempts.limit(row.attempt)
        if row.first_step < limit:
            lower.append(row.last_step if row.last_step < limit else row.first_step)
            upper.append(min(row.last_step, limit - 1))
    return Span(first=max(lower), last=max(upper)) if upper else None
