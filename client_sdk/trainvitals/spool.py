"""The spool: what a run still owes the server, on disk, whatever becomes of the process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast

Kind = Literal["start", "model", "frame", "end", "note", "preflight", "look"]

KINDS: Final[tuple[Kind, ...]] = (
    "start",
    "model",
    "frame",
    "end",
    "note",
    "preflight",
    "look",
)  # places are on disk: add at the end
GROWING: Final[tuple[Kind, ...]] = ("frame", "note", "look")  # those of which there is no end
_HEADER: Final = struct.Struct("<IIB")  # length of the payload, CRC-32 of kind and payload, kind
_POSITION: Final = struct.Struct("<QI")  # acknowledged bytes, their CRC-32
HELD: Final = -1
MAX_HELD_BYTES: Final = 64 * 1024 * 1024
COMPACT_BYTES: Final = 4 * 1024 * 1024


class SpoolFull(Exception):
    """The spool has reached its size limit; it empties when the server is reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing to ship. ``end``: the position after it, to be acknowledged; HELD where it is not on disk."""

    kind: Kind
    payload: bytes
    end: int


class Spool:
    """An append-only file of one run and writer: ``RUN_ID.WRITER.spool``, beside it ``.acked`` and ``.lock``.

    One thread appends, another reads and acknowledges. What the disk does not take is held in memory, up to 64 MiB, and
    written when it does; meanwhile it is read like the rest. A spool that was never opened holds all there is. While
    the object lives its lock file is held (flock), so that nobody else takes a living run's spool for one left behind.
    A torn last record reads as the end, and so do the zeros that a file system may leave in its place: no record is
    empty.
    """

    def __init__(self, path: Path, *, max_bytes: int = 2**63) -> None:
        self.path = path
        self.run_id = path.name.split(".")[0]
        self._max_bytes = max_bytes
        self._guard = threading.Lock()
        self._lock_file: int | None = None
        self._file: int | None = None
        self._size = 0
        self._acked = 0
        self._held: deque[tuple[Kind, bytes]] = deque()
        self._held_bytes = 0
        self._lost = 0

    @classmethod
    def create(cls, directory: Path, *, run_id: str, writer: int, max_bytes: int) -> Spool:
        """A new spool. Raises OSError where the folder cannot be written."""
        directory.mkdir(parents=True, exist_ok=True)
        spool = cls(directory / f"{run_id}.{writer}.spool", max_bytes=max_bytes)
        if not spool.open():
            raise FileExistsError(f"spool {spool.path} is in use by another process")
        return spool

    def open(self, *, create: bool = True) -> bool:
        """Take the lock and open the file; False where a living process has it. Unless it may ``create`` the file, it
        leaves no trace where there is none and raises FileNotFoundError."""
        lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        except OSError:
            os.close(lock)
            raise
        self._lock_file = lock
        try:
            self._file = os.open(self.path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                with contextlib.suppress(OSError):
                    self._lock_path.unlink(missing_ok=True)
            self.close()
            raise
        self._size = os.fstat(self._file).st_size
        self._acked = self._read_acked()
        return True

    def append(self, kind: Kind, payload: bytes) -> OSError | None:
        """Add a record. None: it survives the death of the process; an error: it is held in memory for now, and why.
        Raises SpoolFull."""
        with self._guard:
            if kind in GROWING and self._size + len(payload) + _HEADER.size > self._max_bytes:
                raise SpoolFull(f"spool {self.path} has reached {self._size} bytes")
            self._held.append((kind, payload))
            self._held_bytes += len(payload)
            try:
                while self._held:
                    self._write(*self._held[0])
                    self._let_go()
            except OSError as error:
                while self._held_bytes > MAX_HELD_BYTES:
                    self._let_go(self._oldest_growing())
                    self._lost += 1
                return error
            return None

    def _oldest_growing(self) -> int:
        """Without its first records a run cannot be understood; of frames there are many."""
        return next((place for place, (kind, _) in enumerate(self._held) if kind in GROWING), 0)

    def _let_go(self, place: int = 0) -> None:
        self._held_bytes -= len(self._held[place][1])
        del self._held[place]

    def _write(self, kind: Kind, payload: bytes) -> None:
        """All or nothing. Raises OSError."""
        if self._file is None:
            raise OSError(f"spool {self.path} is not open")
        number = KINDS.index(kind)
        record = _HEADER.pack(len(payload), zlib.crc32(payload, number), number) + payload
        written = 0
        try:
            while written < len(record):
                written += os.pwrite(self._file, record[written:], self._size + written)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self._size += len(record)

    def next(self) -> Record | None:
        """The oldest record that is not acknowledged, or None."""
        with self._guard:
            record = self._read_at(self._acked)
            if record is None and self._held:
                kind, payload = self._held[0]
                return Record(kind=kind, payload=payload, end=HELD)
            return record

    def records(self) -> Iterator[Record]:
        """All records that are still on disk, acknowledged or not, oldest first."""
        position = 0
        while (record := self._read_at(position)) is not None:
            yield record
            position = record.end

    def acknowledge(self, record: Record) -> None:
        """Never read this record again."""
        with self._guard:
            if record.end == HELD:
                # if the disk has taken it meanwhile it is sent again, which is harmless
                if self._held and self._held[0][1] is record.payload:
                    self._let_go()
                return
            if self._file is None:
                return
            self._acked = record.end
            if self._acked == self._size and self._size >= COMPACT_BYTES:
                # the position first: if the process dies in between, records are sent twice, which is harmless
                self._acked = 0
                self._write_acked()
                os.ftruncate(self._file, 0)
                self._size = 0
                return
            self._write_acked()

    @property
    def on_disk(self) -> bool:
        """Whether it is open, so that what is appended can outlive the process."""
        return self._file is not None

    @property
    def unacknowledged_bytes(self) -> int:
        """How much is still to be shipped."""
        return self._size - self._acked

    def remove(self) -> None:
        """Delete the files: all was delivered."""
        for path in (self.path, self._acked_path, self._lock_path):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        self.close()

    def close(self) -> int:
        """Let go of the files, and of the lock; how many records were lost because the disk never took them."""
        with self._guard:
            lost = self._lost + len(self._held)
            self._held.clear()
            self.abandon()
            return lost

    def abandon(self) -> None:
        """Close without waiting for anybody: for a forked child, which must not keep its parent's lock alive."""
        for number in (self._file, self._lock_file):
            if number is not None:
                os.close(number)
        self._file = self._lock_file = None

    def _read_at(self, position: int) -> Record | None:
        if self._file is None:
            return None
        header = os.pread(self._file, _HEADER.size, position)
        if len(header) < _HEADER.size:
            return None
        length, crc, number = _HEADER.unpack(header)
        start = position + _HEADER.size
        if not length or number >= len(KINDS) or start + length > self._size:
            return None
        payload = os.pread(self._file, length, start)
        if len(payload) != length or zlib.crc32(payload, number) != crc:
            return None
        return Record(kind=KINDS[number], payload=payload, end=start + length)

    @property
    def _lock_path(self) -> Path:
        return self.path.with_suffix(".lock")

    @property
    def _acked_path(self) -> Path:
        return self.path.with_suffix(".acked")

    def _read_acked(self) -> int:
        try:
            data = self._acked_path.read_bytes()
        except FileNotFoundError:
            return 0
        if len(data) != _POSITION.size:
            return 0
        position, crc = _POSITION.unpack(data)
        intact = zlib.crc32(data[:8]) == crc and position <= self._size
        return cast(int, position) if intact else 0

    def _write_acked(self) -> None:
        position = struct.pack("<Q", self._acked)
        with contextlib.suppress(OSError):  # an old position only means that records are sent twice
            self._acked_path.write_bytes(_POSITION.pack(self._acked, zlib.crc32(position)))


def left_over(directory: Path, *, tell: Callable[[str], None]) -> Iterator[Spool]:
    """The spools in a folder, and in those beneath it, whose process is dead: opened, oldest first; close each."""
    for path in sorted(directory.rglob("*.spool"), key=lambda path: path.name):
        spool = Spool(path)
        try:
            is_free = spool.open(create=False)
        except FileNotFoundError:  # another process has shipped it meanwhile
            continue
        except OSError as error:  # another user's, perhaps
            tell(f"{path} cannot be read and stays where it is ({error})")
            continue
        if is_free:
            yield spool
