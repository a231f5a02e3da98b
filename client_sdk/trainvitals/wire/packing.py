"""Arrays made small: byte planes, then zstd (lossless; 2.1 to 2.5 bytes a float32 on training statistics)."""

from __future__ import annotations

import threading
from typing import Final, Literal

import zstandard

from trainvitals.wire.errors import AbsurdShape, Malformed
from trainvitals.wire.floats import FLOAT_BYTES

Codec = Literal["raw", "zstd"]
LEVEL: Final = 1  # levels above cost time and gain nothing measurable


class _Contexts(threading.local):
    # zstandard contexts crash when threads share one
    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_contexts = _Contexts()


def pack(matrix: bytes, codec: Codec, *, item_bytes: int = FLOAT_BYTES) -> bytes:
    """The bytes of little-endian items, packed."""
    if codec == "raw":
        return matrix
    planes = b"".join(matrix[plane::item_bytes] for plane in range(item_bytes))
    return _contexts.compressor.compress(planes)


def unpack(data: bytes, codec: Codec, *, size: int, item_bytes: int = FLOAT_BYTES) -> bytes:
    """The ``size`` bytes that were packed. Raises AbsurdShape if there are more or fewer, Malformed if damaged."""
    if codec == "raw":
        if len(data) != size:
            raise AbsurdShape(f"{len(data)} bytes of data where {size} were expected")
        return data
    planes = decompress(data, size=size)
    matrix = bytearray(size)
    count = size // item_bytes
    for plane in range(item_bytes):
        matrix[plane::item_bytes] = planes[plane * count : (plane + 1) * count]
    return bytes(matrix)


def decompress(data: bytes, *, size: int) -> bytes:
    """A zstd frame of exactly ``size`` bytes; the size it states is checked first, so that no bomb goes off."""
    try:
        stated = zstandard.frame_content_size(data)
        if stated != size:
            raise AbsurdShape(f"the data unpack to {stated} bytes where {size} were expected")
        planes = _contexts.decompressor.decompress(data, max_output_size=size)
    except zstandard.ZstdError as error:
        raise Malformed(f"damaged zstd data: {error}") from error
    if len(planes) != size:
        raise AbsurdShape(f"the data unpack to {len(planes)} bytes where {size} were expected")
    return planes
