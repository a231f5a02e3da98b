"""Histograms in frames: how the values of layers are distributed, over bins that are the same everywhere."""

from __future__ import annotations

import array
import math
import sys
from typing import Final, Literal, get_args

import msgspec
import zstandard

from trainvitals.wire.errors import AbsurdShape, Malformed
from trainvitals.wire.packing import Codec, pack, unpack

ValueKind = Literal["weights", "gradients", "activations"]
VALUE_KINDS: Final[tuple[ValueKind, ...]] = get_args(ValueKind)

# Three bins to a factor of 16, each 2.46 to 2.6 times as wide as the one before. From the smallest number that half
# precision tells from zero to the one that it has no more room for.
MAGNITUDES: Final = (*(digit * 16.0**power for power in range(-6, 4) for digit in (1.0, 2.5, 6.5)), 16.0**4)
EDGES: Final = (-math.inf, *(-edge for edge in reversed(MAGNITUDES)), 0.0, *MAGNITUDES, math.inf)
BINS: Final = len(EDGES) - 1
CELLS: Final = BINS + 1  # the last is of what is not finite
WHOLE: Final = 65_535  # what a cell holds that has all values
CELL_BYTES: Final = 2


class HistogramPart(msgspec.Struct, frozen=True, kw_only=True):
    """Histograms of one kind of values: uint16 [layers, steps, 65], layer-major: the shares of the 64 bins, and of what
    is not finite, in parts of 65,535. What holds anything holds 1 at the least; a histogram of nothing but zeros was
    not taken.

    ``data`` is packed by ``codec``. In JSON, ``values`` may stand in its place as plain numbers.
    """

    kind: ValueKind
    codec: Codec = "raw"
    data: bytes = b""
    values: list[int] | None = None


class Histograms(msgspec.Struct, frozen=True, kw_only=True):
    """The histograms of a frame: of ``layers`` at ``steps`` (ascending)."""

    steps: list[int]
    layers: list[str]
    parts: list[HistogramPart]


def part(kind: ValueKind, cells: bytes, *, codec: Codec = "zstd") -> HistogramPart:
    """A part from a little-endian uint16 [layers, steps, 65] array."""
    return HistogramPart(kind=kind, codec=codec, data=pack(cells, codec, item_bytes=CELL_BYTES))


def cells_of(given: HistogramPart, *, layers: int, steps: int) -> bytes:
    """The little-endian uint16 [layers, steps, 65] array of a part. Raises AbsurdShape, Malformed."""
    if given.values is not None:
        return data_of(given)
    return unpack(given.data, given.codec, size=layers * steps * CELLS * CELL_BYTES, item_bytes=CELL_BYTES)


def data_of(given: HistogramPart) -> bytes:
    """The bytes that the frame's checksum is over. Raises AbsurdShape."""
    if given.values is None:
        return given.data
    try:
        packed = array.array("H", given.values)
    except OverflowError as error:
        raise AbsurdShape(f"histograms of {given.kind}: shares are from 0 to {WHOLE}") from error
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def check_part(given: HistogramPart, *, layers: int, steps: int) -> None:
    """Raise AbsurdShape, or Malformed, unless a part states as many cells as there have to be."""
    size = layers * steps * CELLS * CELL_BYTES
    stated = len(data_of(given))
    if given.values is None and given.codec == "zstd":
        try:
            stated = zstandard.frame_content_size(given.data)
        except zstandard.ZstdError as error:
            raise Malformed(f"histograms of {given.kind}: not a zstd frame") from error
    if stated != size:
        raise AbsurdShape(
            f"histograms of {given.kind}: {stated} bytes of data where {layers} layers × {steps} steps take {size}"
        )
