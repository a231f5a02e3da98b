"""Spools and imported runs as recorded runs, for those who judge them without a server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from trainvitals.spool import Spool
from trainvitals.wire import recording

SUFFIX = ".spool"


class SpoolInUse(OSError):
    """A living training writes the spool."""


@contextmanager
def as_recording(path: Path) -> Iterator[Path]:
    """The file of a recorded run, while it is looked at, made of a spool, which stays as it is. Raises OSError,
    SpoolInUse."""
    spool = Spool(path)
    if not spool.open(create=False):
        raise SpoolInUse(f"{path} is written by a training that goes on: ask its server, or wait for its end")
    try:
        records = [(record.kind, record.payload) for record in spool.records()]
    finally:
        spool.close()
    with recorded(spool.run_id, records) as file:
        yield file


@contextmanager
def recorded(run_id: str, records: Iterable[tuple[str, bytes]]) -> Iterator[Path]:
    """The file of a recorded run, while it is looked at, made of records (kind, payload). Raises OSError."""
    packed = recording.pack(run_id, records, level=recording.FAST)
    with tempfile.TemporaryDirectory(prefix="trainvitals-") as folder:
        file = Path(folder) / f"{run_id}{recording.SUFFIX}"
        file.write_bytes(packed)
        yield file
