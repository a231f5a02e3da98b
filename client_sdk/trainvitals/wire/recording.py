"""A recorded run in one file: what an SDK sent of it, or would have sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
import zstandard

from trainvitals.wire import coding
from trainvitals.wire.errors import Malformed
from trainvitals.wire.frame import Frame, decode_frame
from trainvitals.wire.looks import Look, decode_look
from trainvitals.wire.messages import ModelInfo, RunEnd, RunStart
from trainvitals.wire.notes import Note

SUFFIX: Final = ".run.zst"
LEVEL: Final = 19
FAST: Final = 1  # for a file that is read at once, and gone
MAX_BYTES: Final = 1 << 30  # unpacked: a kilobyte of zeros can become a gigabyte


class _File(msgspec.Struct, frozen=True):
    run_id: str
    records: list[tuple[str, bytes]]


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it came: ``messages`` are descriptions of the model, notes and frames, in their order; of several ranks
    each writer's one after another, or mixed as they came. ``looks`` inside it stand by themselves: nobody judges by
    them."""

    run_id: str
    start: RunStart
    messages: list[ModelInfo | Note | Frame]
    looks: list[Look] = []
    end: RunEnd | None = None

    @property
    def steps(self) -> int:
        """How many steps it had, by its own word."""
        return (self.end.last_step or 0) + 1 if self.end is not None else 0


def pack(run_id: str, records: Iterable[tuple[str, bytes]], *, level: int = LEVEL) -> bytes:
    """Records of a spool (kind, payload) as a file; ``level`` is zstd's."""
    return zstandard.ZstdCompressor(level=level).compress(msgspec.msgpack.encode(_File(run_id, list(records))))


def unpack(data: bytes) -> Recording:
    """A file as the run that it holds. Raises WireError, saying what is wrong with it."""
    try:
        size = zstandard.frame_content_size(data)
        if not 0 <= size <= MAX_BYTES:
            raise Malformed(f"it would be larger than {MAX_BYTES:,} bytes, or does not say how large")
        file = msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(data), type=_File)
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise Malformed(f"it is no recorded run: {error}") from error
    found: dict[str, RunStart | RunEnd] = {}
    messages: list[ModelInfo | Note | Frame] = []
    looks: list[Look] = []
    for kind, payload in file.records:
        if kind == "frame":
            messages.append(decode_frame(payload))
        elif kind == "model":
            messages.append(coding.decode(payload, ModelInfo))
        elif kind == "note":
            messages.append(coding.decode(payload, Note))
        elif kind == "look":
            looks.append(decode_look(payload))
        elif kind == "start":
            found.setdefault(kind, coding.decode(payload, RunStart))
        elif kind == "end":
            found[kind] = coding.decode(payload, RunEnd)
    start, end = found.get("start"), found.get("end")
    if not isinstance(start, RunStart):
        raise Malformed("it has no beginning: the start of a run is not among its records")
    ended = end if isinstance(end, RunEnd) else None
    return Recording(run_id=file.run_id, start=start, messages=messages, looks=looks, end=ended)
