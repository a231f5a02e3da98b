"""Keeps looks inside runs: a row for each layer at each step, so that one layer's pictures are read by themselves."""

from __future__ import annotations

from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trainvitals.wire.answers import LookedAt, LookedInto, Looks
from trainvitals.wire.looks import KINDS, Look, Picture, superfluous
from trainvitals_server.store import tables
from trainvitals_server.store.interface import SeriesNotFound

NEWEST: Final = 20  # looks of a run that are kept whole: with the older ones 54 MB at the very most, mostly 5
PAST: Final = 40
ROWS: Final = 200  # in one statement


def keep_look(connection: Connection, run_number: int, look: Look) -> None:
    """See Store.keep_look."""
    table = tables.look
    connection.execute(sa.delete(table).where(table.c.run_id == run_number, table.c.step == look.step))
    rows = [
        {
            "run_id": run_number,
            "step": look.step,
            "layer": part.layer,
            "position": position,
            "kinds": ",".join(kind for kind in KINDS if any(one.kind == kind for one in part.pictures)),
            "shape": msgspec.msgpack.encode(next((one.shape for one in part.pictures if one.kind == "activation"), [])),
            "pictures": msgspec.msgpack.encode(part.pictures),
        }
        for position, part in enumerate(look.layers)
    ]
    for start in range(0, len(rows), ROWS):
        connection.execute(sa.insert(table), rows[start : start + ROWS])
    gone = superfluous(_steps(connection, run_number), newest=NEWEST, past=PAST)
    if gone:
        connection.execute(sa.delete(table).where(table.c.run_id == run_number, table.c.step.in_(gone)))


def load_looks(connection: Connection, run_id: str, run_number: int) -> Looks:
    """See Store.looks."""
    table = tables.look
    rows = connection.execute(
        sa.select(table.c.layer, table.c.step, table.c.kinds, table.c.shape)
        .where(table.c.run_id == run_number)
        .order_by(table.c.step.desc(), table.c.position)  # as the newest look has the layers
    )
    found: dict[str, tuple[set[str], list[int], bytes]] = {}
    for row in rows:
        kinds, steps, _ = found.setdefault(row.layer, (set(), [], row.shape))
        kinds.update(row.kinds.split(","))
        steps.insert(0, row.step)
    layers = [
        LookedAt(
            layer=layer,
            kinds=[kind for kind in KINDS if kind in kinds],
            steps=steps,
            shape=msgspec.msgpack.decode(shape, type=list[int]),
        )
        for layer, (kinds, steps, shape) in found.items()
    ]
    return Looks(run_id=run_id, steps=_steps(connection, run_number), layers=layers)


def load_pictures(connection: Connection, run_id: str, run_number: int, *, layer: str, step: int | None) -> LookedInto:
    """See Store.pictures."""
    table = tables.look
    query = (
        sa.select(table.c.step, table.c.pictures)
        .where(table.c.run_id == run_number, table.c.layer == layer)
        .order_by(table.c.step.desc())
        .limit(1)
    )
    row = connection.execute(query if step is None else query.where(table.c.step <= step)).first()
    if row is None:
        until = "" if step is None else f" until step {step}"
        raise SeriesNotFound(run_id, f"picture of layer {layer!r}{until}")
    pictures = msgspec.msgpack.decode(row.pictures, type=list[Picture])
    return LookedInto(run_id=run_id, layer=layer, step=row.step, pictures=pictures)


def _steps(connection: Connection, run_number: int) -> list[int]:
    table = tables.look
    query = sa.select(table.c.step).distinct().where(table.c.run_id == run_number).order_by(table.c.step)
    return list(connection.execute(query).scalars())
