"""One server per SQLite file: a lock that the system drops when its holder dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class AlreadyServed(Exception):
    """Another server has the database."""

    def __init__(self, database: Path) -> None:
        super().__init__(
            f"another server already uses {database}: open its page, stop it, or name another folder with --data"
        )
        self.database = database


class NoPlace(Exception):
    """There is no folder for the database, and none can be made."""

    def __init__(self, database: Path, error: OSError) -> None:
        super().__init__(
            f"{database} cannot be kept in {database.parent} ({error.strerror}): name a folder that can be written "
            "with --data"
        )


@contextmanager
def sole_server_of(database: Path) -> Iterator[None]:
    """Hold the lock beside the database file. Raises AlreadyServed, NoPlace."""
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise NoPlace(database, error) from error
    try:
        try:
            _lock(descriptor)
        except OSError as error:
            raise AlreadyServed(database) from error
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
