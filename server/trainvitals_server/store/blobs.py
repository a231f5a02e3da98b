"""Arrays to bytes and back: byte planes, then zstd; one row is unshuffled alone where one is enough."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trainvitals.wire import packing
from trainvitals.wire.frame import Section, matrix_of

CODEC: Final = 1  # byte planes + zstd; a later codec gets the next number, and this one stays readable
ITEM_BYTES: Final = 4
ALL: Final = slice(None)

Floats32 = NDArray[np.float32]
Counts = NDArray[np.int64]
Steps = NDArray[np.int64]


def pack_matrix(matrix: NDArray[Any]) -> bytes:  # Any: float32 or uint32
    """A matrix of 4-byte items as bytes."""
    if matrix.dtype.itemsize != ITEM_BYTES:
        raise TypeError(f"{matrix.dtype} has not {ITEM_BYTES} bytes")
    return packing.pack(np.ascontiguousarray(matrix).tobytes(), "zstd")


def unpack_floats(blob: bytes, *, rows: int, columns: int, row: int | None = None, part: slice = ALL) -> Floats32:
    """Float32 [rows, columns], or [1, columns] where ``row`` is given; of the columns only ``part``."""
    return _unpack(blob, rows=rows, columns=columns, row=row, part=part).view("<f4")[..., 0]


def unpack_counts(blob: bytes, *, rows: int, columns: int, row: int | None = None) -> Counts:
    """Counts [rows, columns], or [1, columns] where ``row`` is given."""
    return _unpack(blob, rows=rows, columns=columns, row=row).view("<u4")[..., 0].astype(np.int64)


def _unpack(blob: bytes, *, rows: int, columns: int, row: int | None, part: slice = ALL) -> NDArray[np.uint8]:
    plain = packing.decompress(blob, size=rows * columns * ITEM_BYTES)
    planes = np.frombuffer(plain, np.uint8).reshape(ITEM_BYTES, rows, columns)[:, :, part]
    if row is not None:
        planes = planes[:, row : row + 1]
    items = np.empty((*planes.shape[1:], ITEM_BYTES), np.uint8)
    for number in range(ITEM_BYTES):  # plane by plane is four times faster than a transposed copy
        items[..., number] = planes[number]
    return items


def section_floats(part: Section, *, layers: int, steps: int, row: int | None = None) -> Floats32:
    """A frame's section as float32 [layers, steps], or [1, steps] where ``row`` is given."""
    if part.values is None and part.codec == "zstd":
        return unpack_floats(part.data, rows=layers, columns=steps, row=row)
    matrix = np.frombuffer(matrix_of(part, layers=layers, steps=steps), "<f4").reshape(layers, steps)
    return matrix if row is None else matrix[row : row + 1]


def stride_of(steps: Steps) -> int:
    """The constant distance between steps; 0 where there is none."""
    if len(steps) < 2:
        return 1
    gaps = np.diff(steps)
    return int(gaps[0]) if (gaps == gaps[0]).all() else 0


def pack_steps(steps: Steps) -> bytes:
    """Whole numbers as bytes, small where neighbours differ little."""
    return packing.pack(np.diff(steps, prepend=0).astype("<i8").tobytes(), "zstd")


def unpack_steps(blob: bytes, *, count: int) -> Steps:
    """The ``count`` whole numbers that were packed."""
    gaps = np.frombuffer(packing.unpack(blob, "zstd", size=count * 8), "<i8")
    return np.cumsum(gaps, dtype=np.int64)
