"""Keeps histograms as they come, few layers to a row, so that one layer's are read without those of all others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from trainvitals.wire import packing
from trainvitals.wire.answers import LayerHistograms
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame
from trainvitals.wire.histograms import BINS, CELL_BYTES, CELLS, EDGES, WHOLE, Histograms, ValueKind, cells_of
from trainvitals_server.store import tables
from trainvitals_server.store.catalogue import Catalogue, load_attempts, load_catalogue
from trainvitals_server.store.chunks import LAST_STEP
from trainvitals_server.store.engine import insert_into
from trainvitals_server.store.interface import SeriesNotFound, Span

LAYERS_IN_A_ROW: Final = 32
STEPS_PER_QUERY: Final = 500
MOST_READ: Final = 2_000  # of which those are left out that have nothing of the layer

T = TypeVar("T")

Cells = NDArray[np.uint16]
Place = tuple[int, int, int]  # stream, attempt, step


def keep_histograms(connection: Connection, run_number: int, catalogue: Catalogue, frames: Iterable[Frame]) -> None:
    """Insert those of frames, or put them in place of what one attempt said of the same step before."""
    table, rows = tables.histogram, {}
    for frame in frames:
        if frame.histograms is not None:
            stream = catalogue.streams["layers", frame.rank, tuple(frame.histograms.layers)]
            for row in _rows(frame.histograms):
                key = (run_number, stream, row["kind"], row["block"], frame.attempt, row["step"])
                rows[key] = {**row, "run_id": run_number, "stream_id": stream, "attempt": frame.attempt}
    if not rows:
        return
    statement = insert_into(connection, table)
    statement = statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_={"cells": statement.excluded.cells}
    )
    connection.execute(statement, [rows[key] for key in sorted(rows)])


def _rows(taken: Histograms) -> Iterator[dict[str, Any]]:  # Any: columns of the histogram table
    shape = (len(taken.layers), len(taken.steps), CELLS)
    for part in taken.parts:
        cells = np.frombuffer(cells_of(part, layers=shape[0], steps=shape[1]), "<u2").reshape(shape)
        for block, start in enumerate(range(0, shape[0], LAYERS_IN_A_ROW)):
            few = cells[start : start + LAYERS_IN_A_ROW]
            for place, step in enumerate(taken.steps):
                data = packing.pack(np.ascontiguousarray(few[:, place]).tobytes(), "zstd", item_bytes=CELL_BYTES)
                yield {"kind": part.kind, "block": block, "step": step, "layers": len(few), "cells": data}


def layer_histograms(
    connection: Connection,
    run_id: str,
    run_number: int,
    *,
    kind: ValueKind,
    layer: str,
    span: Span,
    columns: int,
    rank: int,
) -> LayerHistograms:
    """See Store.histograms."""
    known = load_catalogue(connection, run_number).layer_streams(rank=rank)
    streams = {number: layers.index(layer) for number, layers in known.items() if layer in layers}
    places = _visible(connection, run_number, streams, kind=kind, span=span)
    taken = _read(connection, run_number, streams, _spread(places, at_most=MOST_READ), kind=kind)
    shown = _spread([(step, cells) for step, cells in sorted(taken.items()) if cells.any()], at_most=columns)
    if not shown:
        raise SeriesNotFound(run_id, f"histogram of the {kind} of layer {layer!r} of rank {rank}")
    shares = np.stack([cells for _, cells in shown]).astype("<f4") / np.float32(WHOLE)
    return LayerHistograms(
        run_id=run_id,
        layer=layer,
        kind=kind,
        edges=Floats.of(EDGES),
        steps=[step for step, _ in shown],
        shares=Floats(np.ascontiguousarray(shares[:, :BINS]).tobytes()),
        nonfinite=Floats(np.ascontiguousarray(shares[:, BINS]).tobytes()),
    )


def _visible(
    connection: Connection, run_number: int, streams: dict[int, int], *, kind: ValueKind, span: Span
) -> list[Place]:
    """Where the histograms lie that no newer attempt hides, by step. ``streams``: number → the layer's place in it. Of
    two layouts with one step, that seen later."""
    table, attempts = tables.histogram, load_attempts(connection, run_number)
    of_blocks: dict[int, list[int]] = defaultdict(list)
    for stream, row_of_layer in streams.items():
        of_blocks[row_of_layer // LAYERS_IN_A_ROW].append(stream)
    first, last = span.first or 0, LAST_STEP if span.last is None else span.last
    found: dict[int, Place] = {}
    for block, numbers in of_blocks.items():
        rows = connection.execute(
            sa.select(table.c.stream_id, table.c.attempt, table.c.step)
            .where(table.c.run_id == run_number, table.c.stream_id.in_(numbers))
            .where(table.c.kind == kind, table.c.block == block, table.c.step.between(first, last))
        )
        for row in rows:
            place = (row.stream_id, row.attempt, row.step)
            if row.step < attempts.limit(row.attempt) and place > found.get(row.step, (0, 0, 0)):
                found[row.step] = place
    return [found[step] for step in sorted(found)]


def _read(
    connection: Connection, run_number: int, streams: dict[int, int], places: list[Place], *, kind: ValueKind
) -> dict[int, Cells]:
    """Step → uint16 [65] of the layer."""
    table = tables.histogram
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for stream, attempt, step in places:
        groups[stream, attempt].append(step)
    found: dict[int, Cells] = {}
    for (stream, attempt), steps in groups.items():
        block, row_in_block = divmod(streams[stream], LAYERS_IN_A_ROW)
        for start in range(0, len(steps), STEPS_PER_QUERY):
            rows = connection.execute(
                sa.select(table.c.step, table.c.layers, table.c.cells)
                .where(table.c.run_id == run_number, table.c.stream_id == stream, table.c.kind == kind)
                .where(table.c.block == block, table.c.attempt == attempt)
                .where(table.c.step.in_(steps[start : start + STEPS_PER_QUERY]))
            )
            for row in rows:
                plain = packing.unpack(row.cells, "zstd", size=row.layers * CELLS * CELL_BYTES, item_bytes=CELL_BYTES)
                found[row.step] = np.frombuffer(plain, "<u2").reshape(-1, CELLS)[row_in_block]
    return found


def _spread(items: list[T], *, at_most: int) -> list[T]:
    """As many of the items as there may be, evenly spread, the first and the last among them."""
    if len(items) <= at_most:
        return items
    if at_most == 1:
        return items[-1:]
    return [items[place * (len(items) - 1) // (at_most - 1)] for place in range(at_most)]
