"""A second way to histograms: value by value, between the edges."""

from __future__ import annotations

import math
from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trainvitals.wire.histograms import BINS, CELLS, MAGNITUDES, WHOLE

Cells = NDArray[np.uint16]


def counted(*tensors: Tensor) -> list[int]:
    """Values of tensors in each cell."""
    cells = [0] * CELLS
    for value in (value for tensor in tensors for value in tensor.detach().flatten().tolist()):
        if not math.isfinite(value):
            cells[BINS] += 1
            continue
        level = bisect_right(MAGNITUDES, abs(value))
        cells[BINS // 2 + level if value >= 0 else BINS // 2 - 1 - level] += 1
    return cells


def parts(*tensors: Tensor) -> list[int]:
    """What the wire says of tensors that are counted as one."""
    counts = counted(*tensors)
    return [max(1, round(count / sum(counts) * WHOLE)) if count else 0 for count in counts]


def same(taken: Cells, expected: list[int]) -> bool:
    """But for the last place, in which float32 may round otherwise."""
    return bool((np.abs(taken.astype(int) - expected) <= 1).all()) and list(taken > 0) == [
        cell > 0 for cell in expected
    ]
