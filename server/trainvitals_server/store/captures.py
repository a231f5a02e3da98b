"""What a run's training is asked to look at closely, kept with the run."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trainvitals.wire.capture import Capture, CaptureAnswer, waits
from trainvitals_server.store import tables
from trainvitals_server.store.interface import RunNotFound, RunNotRunning


def ask(connection: Connection, run_id: str, *, now: float) -> Capture:
    """See Store.ask_capture."""
    status, known = _held(connection, run_id)
    if status != "running":
        raise RunNotRunning(run_id, status)
    if known is not None and waits(known, now=now):
        return known
    return _keep(connection, run_id, Capture(number=1 if known is None else known.number + 1, asked_at=now))


def answered(connection: Connection, run_id: str, answer: CaptureAnswer) -> bool:
    """See Store.answer_capture."""
    _, known = _held(connection, run_id)
    if known is None or known.number != answer.number or known.outcome is not None:
        return False
    _keep(connection, run_id, msgspec.structs.replace(known, outcome=answer.outcome, step=answer.step))
    return True


def newest(connection: Connection, run_id: str) -> Capture | None:
    """See Store.capture."""
    run = tables.run
    row = connection.execute(sa.select(run.c.capture).where(run.c.uid == run_id)).first()
    if row is None:
        raise RunNotFound(run_id)
    return unpacked(row.capture)


def unpacked(data: bytes | None) -> Capture | None:
    """The request of a run's row."""
    return None if data is None else msgspec.msgpack.decode(data, type=Capture)


def _held(connection: Connection, run_id: str) -> tuple[str, Capture | None]:
    run = tables.run
    query = sa.select(run.c.status, run.c.capture).where(run.c.uid == run_id).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        raise RunNotFound(run_id)
    return row.status, unpacked(row.capture)


def _keep(connection: Connection, run_id: str, capture: Capture) -> Capture:
    values = {"capture": msgspec.msgpack.encode(capture)}
    connection.execute(sa.update(tables.run).where(tables.run.c.uid == run_id).values(values))
    return capture
