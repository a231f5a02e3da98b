"""The frame: what the SDK ships, named by (run, writer, seq) so that sending it twice is harmless."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, Literal

import msgspec
import zstandard

from trainvitals.wire import coding, histograms
from trainvitals.wire.errors import AbsurdShape, ChecksumMismatch, Malformed, UnknownVersion
from trainvitals.wire.floats import FLOAT_BYTES, Floats
from trainvitals.wire.histograms import Histograms
from trainvitals.wire.packing import Codec, decompress, pack, unpack

VERSION: Final[Literal[1]] = 1
MAX_STEP: Final = 2**53  # larger integers lose their last digit in JavaScript


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One stat of all layers at all steps of the frame: float32 [layers, steps], layer-major.

    ``data`` is packed by ``codec``. In JSON, ``values`` may stand in its place as plain numbers.
    """

    stat: str
    codec: Codec = "raw"
    data: bytes = b""
    values: Floats | None = None


class LayerStats(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshots of a frame: the stats of ``layers`` at ``steps`` (ascending)."""

    steps: list[int]
    layers: list[str]
    sections: list[Section]


class MetricPoints(msgspec.Struct, frozen=True, kw_only=True):
    """The points of one metric in a frame: float32 [steps], in the order in which they were logged."""

    metric: str
    steps: list[int]
    values: Floats


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """Snapshots and metric points shipped together.

    ``writer`` is drawn anew by every process (and rank); ``seq`` counts its frames from 0. ``checksum`` is the CRC-32
    of all data in order (see ``checksum_of``); JSON senders may leave it out (-1).
    """

    version: Literal[1] = VERSION
    run_id: str
    writer: int
    seq: int
    rank: int = 0
    attempt: int = 0
    layer_stats: LayerStats | None = None
    metrics: list[MetricPoints] = []
    histograms: Histograms | None = None
    checksum: int = -1


class _Version(msgspec.Struct):
    version: int = VERSION


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver is willing to take in one frame."""

    max_bytes: int = 4 * 1024 * 1024
    max_steps: int = 4096
    max_layers: int = 20_000
    max_stats: int = 64
    max_metrics: int = 10_000
    max_name_length: int = 512
    max_values: int = 16_000_000


def section(stat: str, matrix: bytes, *, codec: Codec = "zstd") -> Section:
    """A section from a little-endian float32 [layers, steps] matrix."""
    return Section(stat=stat, codec=codec, data=pack(matrix, codec))


def matrix_of(part: Section, *, layers: int, steps: int) -> bytes:
    """The little-endian float32 [layers, steps] matrix of a section. Raises AbsurdShape, Malformed."""
    size = layers * steps * FLOAT_BYTES
    if part.values is not None:
        if len(part.values) != layers * steps:
            raise AbsurdShape(f"stat {part.stat!r}: {len(part.values)} values for {layers} layers × {steps} steps")
        return part.values.data
    return unpack(part.data, part.codec, size=size)


def checksum_of(frame: Frame) -> int:
    """CRC-32 over the sections' data, the metrics' values and the histograms' data, in order."""
    crc = 0
    for piece in _pieces(frame):
        crc = zlib.crc32(piece, crc)
    return crc


def _pieces(frame: Frame) -> Iterator[bytes]:
    for part in frame.layer_stats.sections if frame.layer_stats else ():
        yield part.data if part.values is None else part.values.data
    for points in frame.metrics:
        yield points.values.data
    for taken in frame.histograms.parts if frame.histograms else ():
        yield histograms.data_of(taken)


def sealed(frame: Frame) -> Frame:
    """The frame with its checksum set."""
    return msgspec.structs.replace(frame, checksum=checksum_of(frame))


def encode_frame(frame: Frame, *, media_type: str = coding.MSGPACK) -> bytes:
    """A frame as bytes, sealed if it is not."""
    return coding.encode(frame if frame.checksum >= 0 else sealed(frame), media_type=media_type)


def decode_frame(data: bytes, *, media_type: str = coding.MSGPACK, limits: Limits | None = None) -> Frame:
    """Bytes as a frame, checked. Raises UnknownVersion, Malformed, AbsurdShape, ChecksumMismatch."""
    version = coding.decode(data, _Version, media_type=media_type).version
    if version != VERSION:
        raise UnknownVersion(version)
    frame = coding.decode(data, Frame, media_type=media_type)
    check_shape(frame, limits or Limits())
    if frame.checksum == -1 and media_type == coding.MSGPACK:
        raise ChecksumMismatch("the frame carries no checksum: seal it before it is sent")
    if frame.checksum != -1 and frame.checksum != checksum_of(frame):
        raise ChecksumMismatch(f"frame {frame.seq} of writer {frame.writer} was damaged on its way: send it again")
    _check_data(frame)
    return frame


def check_shape(frame: Frame, limits: Limits) -> None:
    """Raise AbsurdShape, or Malformed, unless sizes agree with each other and stay within ``limits``."""
    if frame.writer < 0 or frame.seq < 0 or frame.rank < 0 or frame.attempt < 0:
        raise AbsurdShape("writer, seq, rank and attempt count from 0")
    if frame.writer >= 2**63 or frame.seq >= 2**63 or max(frame.rank, frame.attempt) >= 2**31:
        raise AbsurdShape("writer and seq fit 63 bits, rank and attempt 31")
    _check_name(frame.run_id, limits)
    if frame.layer_stats is not None:
        _check_layer_stats(frame.layer_stats, limits)
    if frame.histograms is not None:
        _check_histograms(frame.histograms, limits)
    if len(frame.metrics) > limits.max_metrics:
        raise AbsurdShape(f"{len(frame.metrics)} metrics in a frame: at most {limits.max_metrics}")
    for points in frame.metrics:
        _check_name(points.metric, limits)
        _check_steps(points.steps, limits)
        if len(points.values) != len(points.steps):
            raise AbsurdShape(f"metric {points.metric!r}: {len(points.values)} values at {len(points.steps)} steps")


def _check_layer_stats(stats: LayerStats, limits: Limits) -> None:
    layers, steps = len(stats.layers), len(stats.steps)
    _check_grid(stats.steps, stats.layers, limits)
    names = {part.stat for part in stats.sections}
    if not 0 < len(stats.sections) <= limits.max_stats or len(names) != len(stats.sections):
        raise AbsurdShape(f"{len(stats.sections)} stats in a frame: between 1 and {limits.max_stats}, each once")
    if layers * steps * len(stats.sections) > limits.max_values:
        raise AbsurdShape(f"more than {limits.max_values} values in a frame")
    for part in stats.sections:
        _check_name(part.stat, limits)
        _check_section(part, layers=layers, steps=steps)


def _check_grid(steps: list[int], layers: list[str], limits: Limits) -> None:
    _check_steps(steps, limits)
    if any(later <= earlier for earlier, later in pairwise(steps)):
        raise AbsurdShape("the steps of a frame's snapshots ascend, each once")
    if not 0 < len(layers) <= limits.max_layers or len(set(layers)) != len(layers):
        raise AbsurdShape(f"{len(layers)} layers in a frame: between 1 and {limits.max_layers}, each once")
    for name in layers:
        _check_name(name, limits)


def _check_histograms(taken: Histograms, limits: Limits) -> None:
    layers, steps = len(taken.layers), len(taken.steps)
    _check_grid(taken.steps, taken.layers, limits)
    if not 0 < len({part.kind for part in taken.parts}) == len(taken.parts):
        raise AbsurdShape("the histograms of a frame are of one kind or more, each once")
    if layers * steps * len(taken.parts) * histograms.CELLS > limits.max_values:
        raise AbsurdShape(f"more than {limits.max_values} values in a frame's histograms")
    for part in taken.parts:
        histograms.check_part(part, layers=layers, steps=steps)


def _check_section(part: Section, *, layers: int, steps: int) -> None:
    size = layers * steps * FLOAT_BYTES
    if part.values is not None:
        stated = len(part.values) * FLOAT_BYTES
    elif part.codec == "raw":
        stated = len(part.data)
    else:
        try:
            stated = zstandard.frame_content_size(part.data)
        except zstandard.ZstdError as error:
            raise Malformed(f"stat {part.stat!r}: not a zstd frame") from error
    if stated != size:
        raise AbsurdShape(
            f"stat {part.stat!r}: {stated} bytes of data where {layers} layers × {steps} steps take {size}"
        )


def _check_data(frame: Frame) -> None:
    """Unpack what is compressed, now that its size is known to be bearable: no one can ask for it anew later."""
    stats = frame.layer_stats
    for part in stats.sections if stats else ():
        if stats and part.values is None and part.codec == "zstd":
            decompress(part.data, size=len(stats.layers) * len(stats.steps) * FLOAT_BYTES)
    taken = frame.histograms
    for given in taken.parts if taken else ():
        if taken and given.values is None and given.codec == "zstd":
            histograms.cells_of(given, layers=len(taken.layers), steps=len(taken.steps))


def _check_steps(steps: list[int], limits: Limits) -> None:
    if not 0 < len(steps) <= limits.max_steps:
        raise AbsurdShape(f"{len(steps)} steps in a frame: between 1 and {limits.max_steps}")
    if min(steps) < 0 or max(steps) > MAX_STEP:
        raise AbsurdShape(f"steps count from 0 and stay under {MAX_STEP}")


def _check_name(name: str, limits: Limits) -> None:
    if not 0 < len(name) <= limits.max_name_length or "\x00" in name:
        raise AbsurdShape(f"names have 1 to {limits.max_name_length} characters, none of them NUL: {name[:60]!r}")
