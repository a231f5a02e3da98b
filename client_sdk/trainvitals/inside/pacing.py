"""When to look inside: often at first, when most happens, then ever more rarely, and never for more than its share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

GROWTH: Final = 1.4  # from one look's step to the next: some forty looks in a million steps
FIRST: Final = 6  # looks, whatever they cost: a short run is to show something
SHARE: Final = 0.25  # of the budget, which snapshots leave


class Pacing:
    """``every``: a fixed interval, which costs what it costs; None: steps that grow apart, within a share of the time
    that the training has taken. ``clock`` tells seconds."""

    def __init__(self, *, every: int | None, budget: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._share = SHARE * budget
        self._clock = clock
        self._began = clock()
        self._next = 0
        self._spent = 0.0
        self.looks = 0

    def is_due(self, step: int) -> bool:
        """Whether to look after this step; for every step of a training."""
        if self._every is not None:
            return step % self._every == 0
        if step < self._next:
            return False
        if self.looks < FIRST:
            return True
        needed = self._spent + self._spent / self.looks
        return needed <= self._share * (self._clock() - self._began)

    def looked(self, step: int, *, seconds: float) -> None:
        """A look has taken so long."""
        self.looks += 1
        self._spent += seconds
        self._next = max(step + 1, math.ceil(step * GROWTH))
