"""Medians of the few numbers that rules look at: sorting these is several times faster than ``numpy.median``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def median(values: NDArray[Any]) -> float:
    """The median of all values, whatever their shape; NaN where there is none or any is NaN."""
    ordered = np.sort(values, axis=None)
    if not len(ordered) or np.isnan(ordered[-1]):  # NaNs are sorted last
        return math.nan
    return float((ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2)


def medians(values: NDArray[Any], *, axis: int) -> NDArray[Any]:
    """The medians along an axis that is not empty; NaN where any value is NaN."""
    count = values.shape[axis]
    ordered = np.sort(values, axis=axis)
    low, high, last = (ordered.take(place, axis=axis) for place in ((count - 1) // 2, count // 2, count - 1))
    middle = (low + high) / 2
    return np.asarray(np.where(np.isnan(last), last, middle))
