"""What ranks beyond the first recorded, and how far they have come with the loss."""

from __future__ import annotations

import heapq
import itertools
from array import array
from collections.abc import Sequence
from typing import Final

import numpy as np

from trainvitals.wire.definitions import Definitions
from trainvitals_server.diagnosis.window import RankSeries, Series
from trainvitals_server.evaluator.thinning import Thinned

TOLD_BY_RANKS: Final = frozenset({"grad_norm", "seconds/data", "seconds/forward"})  # beside losses
MOST_RANKS: Final = 64
MOST_COMPARED: Final = 16  # metrics: a pattern may call any number of them a loss
NEWEST_STEPS: Final = 512  # of a metric, as of rank 0's
PAST_STEPS: Final = 512
MOST_AHEAD: Final = 200_000  # points at steps that rank 0 has not come to
OPEN: Final = 2**62  # a horizon beyond all steps


class RankPoints:
    """Points of metrics by which ranks differ, of at most 64 ranks. A rank that tells of its loss is waited for, unless
    it is left behind: until it has caught up. ``definitions`` tell which metrics are a loss."""

    def __init__(self) -> None:
        self.definitions = Definitions()
        self._points: dict[str, dict[int, Thinned[float]]] = {}
        self._reached: dict[int, int] = {}  # rank → its last step with a loss
        self._left: set[int] = set()
        self._ahead: list[tuple[int, int, str, int, float]] = []  # by step, in order of arrival
        self._arrived = itertools.count()
        self._step = -1  # of rank 0

    def add(self, metric: str, rank: int, step: int, value: float) -> None:
        """Take a point in, if it is of a metric that is compared."""
        if rank >= MOST_RANKS or not is_compared(metric, self.definitions):
            return
        if metric not in TOLD_BY_RANKS:
            self._reached[rank] = max(step, self._reached.get(rank, -1))
        heapq.heappush(self._ahead, (step, next(self._arrived), metric, rank, value))
        while self._ahead and (self._ahead[0][0] <= self._step or len(self._ahead) > MOST_AHEAD):
            self._keep(*heapq.heappop(self._ahead))

    def advance(self, step: int) -> None:
        """Rank 0 has come to ``step``: points up to it belong to the past. What is ahead would else thin it out."""
        self._step = max(self._step, step)
        while self._ahead and self._ahead[0][0] <= self._step:
            self._keep(*heapq.heappop(self._ahead))

    def _keep(self, step: int, _: int, metric: str, rank: int, value: float) -> None:
        if metric not in self._points and len(self._points) >= MOST_COMPARED:
            return
        of_ranks = self._points.setdefault(metric, {})
        if rank not in of_ranks:
            of_ranks[rank] = points_held(newest=NEWEST_STEPS, past=PAST_STEPS)
        of_ranks[rank].add(step, value)

    def forget_from(self, step: int) -> None:
        """Forget points at ``step`` and after."""
        for of_ranks in self._points.values():
            for points in of_ranks.values():
                points.forget_from(step)
        self._ahead = [one for one in self._ahead if one[0] < step]
        heapq.heapify(self._ahead)
        self._reached = {rank: min(last, step - 1) for rank, last in self._reached.items()}
        self._step = min(self._step, step - 1)

    def horizon(self) -> int:
        """The step to which all ranks that are waited for have come."""
        if not self._reached:
            return OPEN
        return min((last for rank, last in self._reached.items() if rank not in self._left), default=OPEN)

    def leave_behind(self, *, before: int) -> None:
        """Ranks that have not come to step ``before`` are not waited for."""
        self._left |= {rank for rank, last in self._reached.items() if last < before}

    def catch_up(self, step: int) -> None:
        """Ranks that have come to ``step`` are waited for again."""
        self._left -= {rank for rank in self._left if self._reached[rank] >= step}

    def beside(self, metric: str, own: Series) -> RankSeries | None:
        """A metric as each rank has it, at the steps of rank 0, whose points are ``own``; None where no other has."""
        of_ranks = self._points.get(metric)
        if not of_ranks or not len(own.steps):
            return None
        ranks = sorted(of_ranks)
        values = np.full((1 + len(ranks), len(own.steps)), np.nan, np.float32)
        present = np.zeros(values.shape, bool)
        values[0], present[0] = own.values, True
        for row, rank in enumerate(ranks, start=1):
            series = series_of(of_ranks[rank])
            if len(series.steps):
                places = np.minimum(np.searchsorted(series.steps, own.steps), len(series.steps) - 1)
                present[row] = series.steps[places] == own.steps
                values[row] = np.where(present[row], series.values[places], np.float32(np.nan))
        return RankSeries(ranks=(0, *ranks), steps=own.steps, values=values, present=present)

    def mean(self, metric: str, own: Series) -> Series:
        """A loss as the mean over all ranks, up to rank 0's last step; any other metric is rank 0's."""
        of_ranks = self._points.get(metric) if metric not in TOLD_BY_RANKS else None
        if not of_ranks or not len(own.steps):
            return own
        others = [series_of(points) for _, points in sorted(of_ranks.items())]
        last = int(own.steps[-1])
        return mean_over_ranks([own, *(_until(series, last) for series in others)])


def is_compared(metric: str, definitions: Definitions) -> bool:
    """Whether ranks are told apart by it: a loss, the gradient's norm, or where time goes."""
    return metric in TOLD_BY_RANKS or definitions.role(metric) == "loss"


def mean_over_ranks(of_ranks: Sequence[Series]) -> Series:
    """The mean over ranks at the steps of the first of them. A rank that logs more seldom counts between its points by
    its neighbours, and not before its first or after its last one, since a mean over changing ranks would jump; a step
    at which any rank is not finite is not."""
    parts = [(series, np.isfinite(series.values)) for series in of_ranks]
    steps = np.unique(np.concatenate([of_ranks[0].steps, *(series.steps[~finite] for series, finite in parts)]))
    total, count, bad = np.zeros(len(steps)), np.zeros(len(steps)), np.zeros(len(steps))
    for series, finite in parts:
        if finite.any():
            at, values = series.steps[finite], series.values[finite].astype(np.float64)
            inside = (steps >= at[0]) & (steps <= at[-1])
            total += np.where(inside, np.interp(steps, at, values), 0.0)
            count += inside
        if not finite.all():
            with np.errstate(invalid="ignore"):
                bad[np.searchsorted(steps, series.steps[~finite])] += series.values[~finite]
    mean = np.divide(total, count, out=np.full(len(steps), np.nan), where=count > 0)
    kept = (count > 0) | ~np.isfinite(bad)
    return Series(steps=steps[kept], values=np.where(np.isfinite(bad), mean, bad)[kept].astype(np.float32))


def points_held(*, newest: int, past: int, first: int = 0) -> Thinned[float]:
    """Room for the points of a metric, whose values are float32."""
    return Thinned(newest=newest, past=past, first=first, held_in=lambda: array("f"))


def series_of(points: Thinned[float]) -> Series:
    """Points as arrays."""
    parts = (points.old, points.recent)
    steps = np.concatenate([np.array(part.steps, np.int64) for part in parts])
    values = np.concatenate([np.array(part.items, np.float32) for part in parts])
    if not points.is_apart:
        order = np.argsort(steps)
        steps, values = steps[order], values[order]
    for array_ in (steps, values):
        array_.setflags(write=False)  # several looks, and all rules, read the same
    return Series(steps=steps, values=values)


def _until(series: Series, last: int) -> Series:
    count = int(np.searchsorted(series.steps, last, side="right"))
    return Series(steps=series.steps[:count], values=series.values[:count])
