"""What ranks beyond the first recorded, beside what rank 0 did."""

from __future__ import annotations

from typing import Final

import numpy as np

from trainvitals_server.diagnosis.window import LOSS_NAMES, RankSeries, Series
from trainvitals_server.evaluator.thinning import Thinned

TOLD_BY_RANKS: Final = frozenset({*LOSS_NAMES, "grad_norm", "seconds/data", "seconds/forward"})
MOST_RANKS: Final = 64
NEWEST_STEPS: Final = 512  # of a metric, as of rank 0's
PAST_STEPS: Final = 512
LONGEST_WAIT_STEPS: Final = 500  # for a rank that told of its loss before: it may have ended


class RankPoints:
    """Points of metrics by which ranks differ, of at most 64 ranks: metric → step → rank → value."""

    def __init__(self) -> None:
        self._metrics: dict[str, Thinned[dict[int, float]]] = {}
        self._newest: dict[str, dict[int, int]] = {}  # metric → rank → step

    def add(self, metric: str, rank: int, step: int, value: float) -> None:
        """Take a point in, if it is of a metric that is compared."""
        if metric not in TOLD_BY_RANKS or rank >= MOST_RANKS:
            return
        points = self._metrics.setdefault(metric, Thinned(newest=NEWEST_STEPS, past=PAST_STEPS))
        points.add(step, {**(points.get(step) or {}), rank: value})
        newest = self._newest.setdefault(metric, {})
        newest[rank] = max(step, newest.get(rank, step))

    def forget_from(self, step: int) -> None:
        """Forget points at ``step`` and after."""
        for points in self._metrics.values():
            points.forget_from(step)
        for newest in self._newest.values():
            newest.update({rank: min(at, step - 1) for rank, at in newest.items()})

    def beside(self, metric: str, own: Series) -> RankSeries | None:
        """A metric as each rank has it, at the steps of rank 0, whose points are ``own``; None where no other has."""
        if metric not in self._metrics:
            return None
        points, ranks = self._metrics[metric], (0, *sorted(self._newest[metric]))
        values = np.full((len(ranks), len(own.steps)), np.nan, np.float32)
        present = np.zeros(values.shape, bool)
        values[0], present[0] = own.values, True
        place = {rank: row for row, rank in enumerate(ranks)}
        for column, step in enumerate(own.steps.tolist()):
            for rank, value in (points.get(step) or {}).items():
                values[place[rank], column], present[place[rank], column] = value, True
        return RankSeries(ranks=ranks, steps=own.steps, values=values, present=present)

    def mean(self, metric: str, own: Series, *, is_last: bool) -> Series:
        """A loss as the mean over all ranks, up to the step that all of them have told of; one that is 500 steps behind
        is not waited for, nor is what is not finite, which the mean is then, too. Any other metric is rank 0's."""
        together = self.beside(metric, own) if metric in LOSS_NAMES else None
        if together is None:
            return own
        count = together.present.sum(axis=0)
        total = np.where(together.present, together.values.astype(np.float64), 0.0).sum(axis=0)
        values = (total / count).astype(np.float32)
        newest = int(own.steps[-1]) if len(own.steps) else 0
        told = [step for step in self._newest[metric].values() if step >= newest - LONGEST_WAIT_STEPS]
        is_told = own.steps <= (newest if is_last else min(told, default=newest))
        kept = is_told | ~np.isfinite(values)
        return Series(steps=own.steps[kept], values=values[kept])
