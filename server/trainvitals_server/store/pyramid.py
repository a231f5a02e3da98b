"""Thins points into buckets of minimum, mean, maximum and non-finite count, and buckets into coarser ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from trainvitals_server.store.blobs import Counts, Floats32, Steps

LEVELS: Final = (16, 64, 256, 1024)  # points in a bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Buckets in order of their steps: ``first``, ``last`` int64 [n]; ``size`` int64 [n], the points in each.

    The rest are [rows, n]: ``low``, ``mean``, ``high`` over finite values only, NaN where there are none; ``finite``
    counts those, ``bad`` the others. ``whole``: all are known to be finite, which is far less to compute.
    """

    first: Steps
    last: Steps
    size: Counts
    low: Floats32
    mean: Floats32
    high: Floats32
    finite: Counts
    bad: Counts
    whole: bool = False


def cells_of_points(steps: Steps, values: Floats32) -> Cells:
    """Every point a bucket: ``steps`` int64 [n], ``values`` float32 [rows, n]."""
    good = np.isfinite(values)
    whole = bool(good.all())
    finite = values if whole else np.where(good, values, np.float32(np.nan))
    return Cells(
        first=steps,
        last=steps,
        size=np.ones(len(steps), np.int64),
        low=finite,
        mean=finite,
        high=finite,
        finite=_everywhere(1, values) if whole else good.astype(np.int64),
        bad=_everywhere(0, values) if whole else (~good).astype(np.int64),
        whole=whole,
    )


def _everywhere(count: int, values: Floats32) -> Counts:
    return np.broadcast_to(np.int64(count), values.shape)


def fold(cells: Cells, starts: Counts) -> Cells:
    """Coarser buckets, each from ``starts[i]`` to before ``starts[i + 1]``; means are weighted by finite counts."""
    if cells.whole:
        return _fold_whole(cells, starts)
    finite = np.add.reduceat(cells.finite, starts, axis=1)
    weighted = np.where(cells.finite > 0, cells.mean.astype(np.float64) * cells.finite, 0.0)
    with np.errstate(invalid="ignore"):
        mean = np.add.reduceat(weighted, starts, axis=1) / np.where(finite > 0, finite, np.nan)
        low = np.fmin.reduceat(cells.low, starts, axis=1)
        high = np.fmax.reduceat(cells.high, starts, axis=1)
    return Cells(
        first=cells.first[starts],
        last=np.maximum.reduceat(cells.last, starts),
        size=np.add.reduceat(cells.size, starts),
        low=low,
        mean=mean.astype(np.float32),
        high=high,
        finite=finite,
        bad=np.add.reduceat(cells.bad, starts, axis=1),
    )


def _fold_whole(cells: Cells, starts: Counts) -> Cells:
    size = np.add.reduceat(cells.size, starts)
    weighted = np.multiply(cells.mean, cells.size, dtype=np.float64)
    mean = (np.add.reduceat(weighted, starts, axis=1) / size).astype(np.float32)
    return Cells(
        first=cells.first[starts],
        last=np.maximum.reduceat(cells.last, starts),
        size=size,
        low=np.minimum.reduceat(cells.low, starts, axis=1),
        mean=mean,
        high=np.maximum.reduceat(cells.high, starts, axis=1),
        finite=np.broadcast_to(size, mean.shape),
        bad=_everywhere(0, mean),
        whole=True,
    )


def every(cells: Cells, count: int) -> Cells:
    """Buckets of ``count`` neighbours; the last may have fewer."""
    return fold(cells, np.arange(0, len(cells.first), count, dtype=np.int64))


def joined(parts: Sequence[Cells], *, rows: int) -> Cells:
    """Buckets of several sources that do not overlap, in order of their steps."""
    if not parts:
        return cells_of_points(np.empty(0, np.int64), np.empty((rows, 0), np.float32))
    if len(parts) == 1:
        return parts[0]
    first = np.concatenate([part.first for part in parts])
    order = np.argsort(first, kind="stable")
    return Cells(
        first=first[order],
        last=np.concatenate([part.last for part in parts])[order],
        size=np.concatenate([part.size for part in parts])[order],
        low=np.concatenate([part.low for part in parts], axis=1)[:, order],
        mean=np.concatenate([part.mean for part in parts], axis=1)[:, order],
        high=np.concatenate([part.high for part in parts], axis=1)[:, order],
        finite=np.concatenate([part.finite for part in parts], axis=1)[:, order],
        bad=np.concatenate([part.bad for part in parts], axis=1)[:, order],
        whole=all(part.whole for part in parts),
    )


def group_starts(size: Counts, *, at_most: int) -> Counts:
    """Where to start each of ``at_most`` groups of about as many points; ``size``: points per bucket, int64 [n]."""
    before = np.cumsum(size) - size
    group = before // bucket_size(int(size.sum()), at_most=at_most)
    return np.flatnonzero(np.append(True, group[1:] != group[:-1])).astype(np.int64)


def bucket_size(total: int, *, at_most: int) -> int:
    """How many points go into a bucket so that there are at most ``at_most``."""
    return max(1, -(-total // max(1, at_most)))
