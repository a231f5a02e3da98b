"""Which streams and series a run has, numbered in order of first sight, and where its attempts resumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trainvitals.wire.frame import Frame
from trainvitals_server.store import tables
from trainvitals_server.store.engine import insert_into
from trainvitals_server.store.interface import TooManySeries

Kind = Literal["layers", "metrics"]
Layout = tuple[Kind, int, tuple[str, ...]]  # kind, rank, layers
NEVER: Final = 2**62  # a step beyond all steps
MOST_SERIES: Final = 10_000  # of one rank: a name per step would else grow without end, …
MOST_LAYOUTS: Final = 1_000  # … and so would layers that are named after one
# of all ranks but rank 0, which tells of the run and is never refused for their sake
MOST_SERIES_OF_OTHERS: Final = 50_000
MOST_LAYOUTS_OF_OTHERS: Final = 10_000


@dataclass(slots=True, kw_only=True)
class Catalogue:
    """A run's streams (layout → number) and series (stream, stat)."""

    streams: dict[Layout, int] = field(default_factory=dict)
    series: dict[tuple[int, str], int] = field(default_factory=dict)

    def knows(self, layout: Layout, stats: Iterable[str]) -> bool:
        """Whether all of these series are known."""
        number = self.streams.get(layout)
        return number is not None and all((number, stat) in self.series for stat in stats)

    def layers(self) -> dict[int, tuple[str, ...]]:
        """Stream → its layers."""
        return {number: layout[2] for layout, number in self.streams.items()}

    def layer_streams(self, *, rank: int | None) -> dict[int, tuple[str, ...]]:
        """Stream → its layers, of one rank (or all), without metrics."""
        return {
            number: layers
            for (kind, at, layers), number in self.streams.items()
            if kind == "layers" and (rank is None or at == rank)
        }

    def metric_streams(self) -> dict[int, int]:
        """Rank → the stream of its metrics, ascending."""
        return {rank: number for (kind, rank, _), number in sorted(self.streams.items()) if kind == "metrics"}


def layouts_of(frame: Frame) -> dict[Layout, list[str]]:
    """The series that a frame has points of: layout → stats, or names of metrics."""
    found: dict[Layout, list[str]] = {}
    if frame.layer_stats is not None:
        found["layers", frame.rank, tuple(frame.layer_stats.layers)] = [
            part.stat for part in frame.layer_stats.sections
        ]
    if frame.histograms is not None:
        found.setdefault(("layers", frame.rank, tuple(frame.histograms.layers)), [])
    if frame.metrics:
        found["metrics", frame.rank, ()] = list(dict.fromkeys(points.metric for points in frame.metrics))
    return found


def load_catalogue(connection: Connection, run_number: int) -> Catalogue:
    """What the database knows of a run, in order of first sight."""
    stream, series = tables.stream, tables.series
    streams = connection.execute(
        sa.select(stream.c.stream_id, stream.c.kind, stream.c.rank, stream.c.layers)
        .where(stream.c.run_id == run_number)
        .order_by(stream.c.stream_id)
    )
    known = connection.execute(
        sa.select(series.c.stream_id, series.c.stat, series.c.position)
        .where(series.c.run_id == run_number)
        .order_by(series.c.position)
    )
    return Catalogue(
        streams={
            (row.kind, row.rank, tuple(msgspec.msgpack.decode(row.layers, type=list[str]))): row.stream_id
            for row in streams
        },
        series={(row.stream_id, row.stat): row.position for row in known},
    )


def extend_catalogue(connection: Connection, run_number: int, frames: Iterable[Frame]) -> Catalogue:
    """The run's catalogue with the series of ``frames`` added; the caller holds the run's row. Raises TooManySeries."""
    catalogue = load_catalogue(connection, run_number)
    rank_of = {number: rank for (_, rank, _), number in catalogue.streams.items()}
    layouts_told, series_told = Counter(rank_of.values()), Counter(rank_of[number] for number, _ in catalogue.series)
    streams, series = [], []
    for frame in frames:
        for layout, stats in layouts_of(frame).items():
            number = catalogue.streams.get(layout)
            if number is None:
                number = catalogue.streams[layout] = len(catalogue.streams) + 1
                kind, rank, layers = layout
                layouts_told[rank] += 1
                packed = msgspec.msgpack.encode(layers)
                streams.append(
                    {"run_id": run_number, "stream_id": number, "kind": kind, "rank": rank, "layers": packed}
                )
            for stat in stats:
                if (number, stat) not in catalogue.series:
                    position = catalogue.series[number, stat] = len(catalogue.series) + 1
                    series_told[frame.rank] += 1
                    series.append({"run_id": run_number, "stream_id": number, "stat": stat, "position": position})
        _check(frame, series_told, "series", MOST_SERIES, MOST_SERIES_OF_OTHERS)
        _check(frame, layouts_told, "sets of layers", MOST_LAYOUTS, MOST_LAYOUTS_OF_OTHERS)
    if streams:
        connection.execute(sa.insert(tables.stream), streams)
    if series:
        connection.execute(sa.insert(tables.series), series)
    return catalogue


def _check(frame: Frame, told: Counter[int], what: str, most: int, most_of_others: int) -> None:
    """``told``: rank → how many it has with the frame's."""
    if told[frame.rank] > most:
        raise TooManySeries(frame.run_id, f"{most:,} {what} of rank {frame.rank}, the most that one rank may have")
    if frame.rank and told.total() - told[0] > most_of_others:
        most_told = f"{most_of_others:,} {what} of ranks other than 0, the most that these may have together"
        raise TooManySeries(frame.run_id, most_told)


def note_attempts(connection: Connection, first_steps: dict[tuple[int, int], int]) -> None:
    """Keep where attempts resumed: (run number, attempt) → a step; the lowest ever seen stays."""
    if not first_steps:
        return
    statement = insert_into(connection, tables.attempt)
    statement = statement.on_conflict_do_update(
        index_elements=["run_id", "attempt"],
        set_={"from_step": statement.excluded.from_step},
        where=statement.excluded.from_step < tables.attempt.c.from_step,
    )
    rows = [{"run_id": run, "attempt": number, "from_step": step} for (run, number), step in first_steps.items()]
    connection.execute(statement, rows)


@dataclass(frozen=True, slots=True)
class Attempts:
    """Where newer attempts hide older ones."""

    from_step: dict[int, int]

    def limit(self, attempt: int) -> int:
        """The first step at which a newer attempt hides ``attempt``."""
        return min((step for number, step in self.from_step.items() if number > attempt), default=NEVER)


def load_attempts(connection: Connection, run_number: int) -> Attempts:
    """The attempts of a run after its first."""
    table = tables.attempt
    rows = connection.execute(sa.select(table.c.attempt, table.c.from_step).where(table.c.run_id == run_number))
    return Attempts({row.attempt: row.from_step for row in rows})
