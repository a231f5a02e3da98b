"""When to look inside: often at first, when most happens, then ever more rarely, and never for more than its share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

CERTAIN: Final = (
    0,
    1,
    3,
    10,
    20,
    50,
    100,
    200,
    500,
    1000,
)  # steps, whatever it costs: a short run is to show something
GROWTH: Final = 1.4  # from one look's step to the next between these, and beyond: some forty in a million steps
NEVER: Final = 2**62
SHARE: Final = 0.25  # of the budget, which snapshots leave


class Pacing:
    """``every``: a fixed interval, which costs what it costs; None: steps that grow apart, within a share of the time
    that the training has taken but for the few that are certain. ``clock`` tells seconds."""

    def __init__(self, *, every: int | None, budget: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._share = SHARE * budget
        self._clock = clock
        self._began = clock()
        self._next = self._next_certain = 0
        self._spent = 0.0
        self.looks = 0

    def is_due(self, step: int) -> bool:
        """Whether to look after this step; for every step of a training."""
        if self._every is not None:
            return step % self._every == 0
        if step < self._next:
            return False
        if step >= self._next_certain:
            return True
        needed = self._spent + self._spent / self.looks
        return needed <= self._share * (self._clock() - self._began)

    def looked(self, step: int, *, seconds: float) -> None:
        """A look has taken so long."""
        self.looks += 1
        self._spent += seconds
        self._next_certain = next((one for one in CERTAIN if one > step), NEVER)
        self._next = min(max(step + 1, math.ceil(step * GROWTH)), self._next_certain)
