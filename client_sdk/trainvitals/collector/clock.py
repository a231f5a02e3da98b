"""How long steps take, and what watching adds to them."""

from __future__ import annotations

import time
from collections import deque
from statistics import median
from typing import Final

STEPS: Final = 16  # to take the median of
MOST_UNSEEN: Final = 2.0  # times what was measured: beyond it something else held the step up


class StepClock:
    """The seconds of the steps of late that were not sampled, or, while all are, of the sampled without their cost."""

    def __init__(self) -> None:
        self._ended_at: float | None = None
        self._bare: deque[float] = deque(maxlen=STEPS)
        self._sampled: deque[float] = deque(maxlen=STEPS)

    def step_ended(self, *, cost_seconds: float | None) -> float:
        """A step is over; ``cost_seconds``: what was measured of its snapshot's cost, None if it was not sampled.

        Answers what the snapshot cost in all: caches that it emptied and threads that it woke are not measured with it,
        but sampled steps take longer than others by so much.
        """
        now = time.perf_counter()
        before, self._ended_at = self._ended_at, now
        if before is None:
            return cost_seconds or 0.0
        if cost_seconds is None:
            self._bare.append(now - before)
            return 0.0
        self._sampled.append(max(0.0, now - before - cost_seconds))
        if not self._bare:
            return cost_seconds
        return min(max(cost_seconds, now - before - median(self._bare)), MOST_UNSEEN * cost_seconds)

    @property
    def step_seconds(self) -> float:
        """The median; 0 before anything is known."""
        known = self._bare or self._sampled
        return median(known) if known else 0.0
