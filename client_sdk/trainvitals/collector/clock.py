"""How long steps take, and what watching adds to them."""

from __future__ import annotations

import time
from collections import deque
from statistics import median
from typing import Final

STEPS: Final = 16  # to take the median of


class StepClock:
    """The seconds of the steps of late that were not sampled, or, while all are, of the sampled without their cost."""

    def __init__(self) -> None:
        self._ended_at: float | None = None
        self._bare: deque[float] = deque(maxlen=STEPS)
        self._sampled: deque[float] = deque(maxlen=STEPS)

    def step_ended(self, *, cost_seconds: float | None) -> None:
        """A step is over; ``cost_seconds``: what its snapshot cost, None if it was not sampled."""
        now = time.perf_counter()
        before, self._ended_at = self._ended_at, now
        if before is None:
            return
        if cost_seconds is None:
            self._bare.append(now - before)
        else:
            self._sampled.append(max(0.0, now - before - cost_seconds))

    @property
    def step_seconds(self) -> float:
        """The median; 0 before anything is known."""
        known = self._bare or self._sampled
        return median(known) if known else 0.0
