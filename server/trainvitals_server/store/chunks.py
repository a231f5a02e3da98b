"""A chunk's rows: the points of one stat as recorded, with the pyramid over them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from trainvitals_server.store.blobs import (
    CODEC,
    Counts,
    Floats32,
    Steps,
    pack_matrix,
    pack_steps,
    stride_of,
    unpack_counts,
    unpack_floats,
    unpack_steps,
)
from trainvitals_server.store.pyramid import LEVELS, Cells, cells_of_points, every

VALUES_IN_A_CHUNK: Final = 262_144  # measured best between 200 and 260 thousand
SMALLEST, LARGEST = 256, 8192
LAST_STEP: Final = 2**62  # beyond all steps

ChunkRow = Any  # rows of the chunk table: SQLAlchemy types rows by their columns, which no signature can name


def chunk_points(layers: int) -> int:
    """How many points of so many layers a chunk should have."""
    wanted = VALUES_IN_A_CHUNK // max(1, layers)
    return min(LARGEST, max(SMALLEST, 1 << max(0, wanted.bit_length() - 1)))


def cut_points(count: int, size: int) -> list[tuple[int, int]]:
    """Ranges of ``size`` points that cover ``count``; a last one of less than half joins the one before."""
    starts = list(range(0, count, size))
    if len(starts) > 1 and count - starts[-1] < size // 2:
        starts.pop()
    return list(zip(starts, [*starts[1:], count], strict=True))


def chunk_rows(key: dict[str, Any], steps: Steps, values: Floats32) -> list[dict[str, Any]]:
    """Rows for the chunk table, one a level; ``key``: run_id, stream_id, stat, attempt; ``values``: [layers, n]."""
    stride = stride_of(steps)
    common = {
        **key,
        "first_step": int(steps[0]),
        "last_step": int(steps[-1]),
        "stride": stride,
        "n": len(steps),
        "codec": CODEC,
    }
    raw = {"level": 0, "steps": None if stride else pack_steps(steps), "value": pack_matrix(values)}
    rows = [{**common, **raw, "low": None, "high": None, "nonfinite": None}]
    cells, reached = cells_of_points(steps, values), 1
    for level in LEVELS:
        if level > len(steps):
            break
        cells, reached = every(cells, level // reached), level
        rows.append({**common, "level": level, **_level_blobs(cells, arithmetic=stride > 0)})
    return rows


def _level_blobs(cells: Cells, *, arithmetic: bool) -> dict[str, Any]:
    return {
        "steps": None if arithmetic else pack_steps(np.concatenate([cells.first, cells.last])),
        "value": pack_matrix(cells.mean),
        "low": pack_matrix(cells.low),
        "high": pack_matrix(cells.high),
        "nonfinite": pack_matrix(cells.bad.astype("<u4")) if cells.bad.any() else None,
    }


def raw_points(
    row: ChunkRow, *, layers: int, only: int | None = None, first: int = 0, last: int = LAST_STEP
) -> tuple[Steps, Floats32]:
    """Steps int64 [n] and values float32 [layers, n] (or [1, n]) of a chunk's level 0, steps ``first`` to ``last``."""
    if row.steps is None:
        steps = row.first_step + np.arange(row.n, dtype=np.int64) * row.stride
    else:
        steps = unpack_steps(row.steps, count=row.n)
    part = slice(int(np.searchsorted(steps, first)), int(np.searchsorted(steps, last, side="right")))
    return steps[part], unpack_floats(row.value, rows=layers, columns=row.n, row=only, part=part)


def level_cells(row: ChunkRow, *, layers: int, only: int | None = None) -> Cells:
    """The buckets of a chunk's level above 0."""
    count = -(-row.n // row.level)
    starts = np.arange(count, dtype=np.int64) * row.level
    ends = np.minimum(starts + row.level, row.n)
    if row.steps is None:
        first, last = row.first_step + starts * row.stride, row.first_step + (ends - 1) * row.stride
    else:
        first, last = np.split(unpack_steps(row.steps, count=2 * count), 2)
    size = ends - starts
    bad = _counts(row.nonfinite, layers=layers, count=count, only=only)
    return Cells(
        first=first,
        last=last,
        size=size,
        low=unpack_floats(row.low, rows=layers, columns=count, row=only),
        mean=unpack_floats(row.value, rows=layers, columns=count, row=only),
        high=unpack_floats(row.high, rows=layers, columns=count, row=only),
        finite=size - bad,
        bad=bad,
        whole=row.nonfinite is None,
    )


def _counts(blob: bytes | None, *, layers: int, count: int, only: int | None) -> Counts:
    if blob is None:
        return np.zeros((layers if only is None else 1, count), np.int64)
    return unpack_counts(blob, rows=layers, columns=count, row=only)
