"""Keeps frames as they come: once each, all that depends on them in the same transaction."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trainvitals.wire import coding
from trainvitals.wire.frame import Frame
from trainvitals_server.store import sparkline, tables
from trainvitals_server.store.catalogue import Catalogue, extend_catalogue, layouts_of, load_catalogue, note_attempts
from trainvitals_server.store.engine import Database, insert_into
from trainvitals_server.store.histograms import keep_histograms
from trainvitals_server.store.interface import ReceivedFrame, RunNotFound

REMEMBERED_RUNS: Final = 1000
PROGRESS: Final = ("status", "heartbeat_at", "data_at", "data_every", "attempt", "last_step", "spark", "loss_metric")
GAP_WEIGHT: Final = 0.25  # of the newest gap between frames in what is usual: a pause is forgotten after ten of them

RunRow = Any  # rows of the run table: SQLAlchemy types rows by their columns, which no signature can name


class Appender:
    """Appends frames; remembers which series runs have, so that most frames need not ask."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[int, Catalogue] = {}
        self._known_lock = threading.Lock()

    def append(self, frames: Sequence[ReceivedFrame]) -> list[bool]:
        """See Store.append."""
        if not frames:
            return []
        with self._database.writing() as connection:
            runs = _locked_runs(connection, {received.frame.run_id for received in frames})
            fresh = _unseen(connection, frames, runs)
            new = [received for received, is_new in zip(frames, fresh, strict=True) if is_new]
            learned = self._note_series(connection, new, runs)
            self._keep_histograms(connection, new, runs, learned)
            _insert_frames(connection, new, runs)
            note_attempts(connection, _first_steps(new, runs))
            _note_last_values(connection, new, runs)
            _note_progress(connection, new, runs)
        with self._known_lock:
            if len(self._known) > REMEMBERED_RUNS:
                self._known.clear()
            self._known.update(learned)
        return fresh

    def _note_series(
        self, connection: Connection, new: list[ReceivedFrame], runs: dict[str, RunRow]
    ) -> dict[int, Catalogue]:
        unknown: dict[int, list[Frame]] = {}
        for received in new:
            number = runs[received.frame.run_id].id
            known = self._known.get(number)
            layouts = layouts_of(received.frame)
            if known is None or not all(known.knows(layout, stats) for layout, stats in layouts.items()):
                unknown.setdefault(number, []).append(received.frame)
        return {number: extend_catalogue(connection, number, few) for number, few in unknown.items()}

    def _keep_histograms(
        self,
        connection: Connection,
        new: list[ReceivedFrame],
        runs: dict[str, RunRow],
        learned: dict[int, Catalogue],
    ) -> None:
        of_runs: dict[int, list[Frame]] = {}
        for received in new:
            if received.frame.histograms is not None:
                of_runs.setdefault(runs[received.frame.run_id].id, []).append(received.frame)
        for number, few in of_runs.items():
            catalogue = learned.get(number) or self._known.get(number) or load_catalogue(connection, number)
            keep_histograms(connection, number, catalogue, few)


def _locked_runs(connection: Connection, run_ids: set[str]) -> dict[str, RunRow]:
    # whoever holds a run's row appends alone to that run: its arrival numbers become visible in order
    run = tables.run
    columns = (run.c.id, run.c.uid, *(run.c[name] for name in PROGRESS))
    query = sa.select(*columns).where(run.c.uid.in_(sorted(run_ids))).order_by(run.c.id).with_for_update()
    found: dict[str, RunRow] = {row.uid: row for row in connection.execute(query).all()}
    for run_id in run_ids:
        if run_id not in found:
            raise RunNotFound(run_id)
    return found


def _unseen(connection: Connection, frames: Sequence[ReceivedFrame], runs: dict[str, RunRow]) -> list[bool]:
    seen = tables.frame_seen
    keys = [(runs[received.frame.run_id].id, received.frame.writer, received.frame.seq) for received in frames]
    statement = insert_into(connection, seen).on_conflict_do_nothing()
    rows = connection.execute(
        statement.returning(seen.c.run_id, seen.c.writer, seen.c.seq),
        [{"run_id": run, "writer": writer, "seq": seq} for run, writer, seq in dict.fromkeys(keys)],
    )
    inserted = {(row.run_id, row.writer, row.seq) for row in rows}
    fresh = []
    for key in keys:
        fresh.append(key in inserted)
        inserted.discard(key)
    return fresh


def _steps_of(frame: Frame) -> tuple[int, int] | None:
    steps = [points.steps for points in frame.metrics]
    if frame.layer_stats is not None:
        steps.append(frame.layer_stats.steps)
    if frame.histograms is not None:
        steps.append(frame.histograms.steps)
    if not steps:
        return None
    return min(map(min, steps)), max(map(max, steps))


def _insert_frames(connection: Connection, new: list[ReceivedFrame], runs: dict[str, RunRow]) -> None:
    rows = []
    for received in new:
        frame, span = received.frame, _steps_of(received.frame)
        if span is None or (frame.layer_stats is None and not frame.metrics):
            continue  # histograms alone: they have their own table
        stats = frame.layer_stats
        rows.append(
            {
                "run_id": runs[frame.run_id].id,
                "rank": frame.rank,
                "attempt": frame.attempt,
                "received_at": received.received_at,
                "first_step": span[0],
                "last_step": span[1],
                "layers_last": stats.steps[-1] if stats else None,
                "points": len(stats.steps) if stats else 0,
                "metric_points": sum(len(points.steps) for points in frame.metrics),
                "size": len(received.payload),
                "payload": received.payload,
            }
        )
    if rows:
        connection.execute(sa.insert(tables.frame), rows)


def _first_steps(new: list[ReceivedFrame], runs: dict[str, RunRow]) -> dict[tuple[int, int], int]:
    first: dict[tuple[int, int], int] = {}
    for received in new:
        span = _steps_of(received.frame)
        if received.frame.attempt and span is not None:
            key = (runs[received.frame.run_id].id, received.frame.attempt)
            first[key] = min(span[0], first.get(key, span[0]))
    return first


def _note_last_values(connection: Connection, new: list[ReceivedFrame], runs: dict[str, RunRow]) -> None:
    newest: dict[tuple[int, str], tuple[tuple[int, int, int], float]] = {}
    for received in new:
        frame = received.frame
        for points in frame.metrics:
            key, values = (runs[frame.run_id].id, points.metric), points.values.tolist()
            step, place = max((step, place) for place, step in enumerate(points.steps))
            age = (frame.attempt, -frame.rank, step)
            if key not in newest or age >= newest[key][0]:
                newest[key] = (age, values[place])
    if not newest:
        return
    last = tables.metric_last
    statement = insert_into(connection, last)
    given = statement.excluded
    is_newer = sa.tuple_(given.attempt, -given.rank, given.step) >= sa.tuple_(last.c.attempt, -last.c.rank, last.c.step)
    statement = statement.on_conflict_do_update(
        index_elements=["run_id", "metric"],
        set_={name: given[name] for name in ("attempt", "rank", "step", "value")},
        where=is_newer,
    )
    connection.execute(
        statement,
        [
            {
                "run_id": run,
                "metric": metric,
                "attempt": age[0],
                "rank": -age[1],
                "step": age[2],
                "value": None if value != value else value,
            }
            for (run, metric), (age, value) in sorted(newest.items())
        ],
    )


def _note_progress(connection: Connection, new: list[ReceivedFrame], runs: dict[str, RunRow]) -> None:
    by_run: dict[str, list[ReceivedFrame]] = {}
    for received in new:
        by_run.setdefault(received.frame.run_id, []).append(received)
    run = tables.run
    rows = [_progress(runs[run_id], received) for run_id, received in by_run.items()]
    if rows:
        statement = sa.update(run).where(run.c.id == sa.bindparam("number"))
        connection.execute(statement.values({name: sa.bindparam(f"new_{name}") for name in PROGRESS}), rows)


def _progress(row: RunRow, new: list[ReceivedFrame]) -> dict[str, object]:
    attempt, last_step, spark = row.attempt, row.last_step, sparkline.load(row.spark)
    for received in new:
        frame, span = received.frame, _steps_of(received.frame)
        if span is not None and frame.attempt >= attempt:
            is_resumed = frame.attempt > attempt or last_step is None
            attempt, last_step = frame.attempt, span[1] if is_resumed else max(last_step, span[1])
        if frame.rank == 0:
            spark = sparkline.extended(spark, frame.metrics)
    data_at = max([row.data_at or 0.0, *(received.received_at for received in new)])
    return {
        "number": row.id,
        "new_status": "running" if row.status == "lost" else row.status,
        "new_heartbeat_at": max([row.heartbeat_at, *(received.received_at for received in new)]),
        "new_data_at": data_at,
        "new_data_every": _usual_gap(row, data_at),
        "new_attempt": attempt,
        "new_last_step": last_step,
        "new_spark": sparkline.dump(spark),
        "new_loss_metric": spark.metric or None,
    }


def _usual_gap(row: RunRow, data_at: float) -> float | None:
    """Seconds. Frames that came together count as one; how long a run was lost tells nothing of its pace."""
    usual: float | None = row.data_every
    if row.data_at is None or row.status == "lost":
        return usual
    gap: float = data_at - row.data_at
    return gap if usual is None else usual + GAP_WEIGHT * (gap - usual)


def read_frame(payload: bytes) -> Frame:
    """A frame that was checked when it came."""
    return coding.decode(payload, Frame)
