"""How long a training has come no step further."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

from trainvitals.wire.facts import FACTS

LEAST_SECONDS: Final = 60.0  # without a step, before anything is told
EVERY_SECONDS: Final = 30.0  # it is told again
FEWEST_STEPS: Final = 20  # before it is known how long pauses are


class Pauses:
    """To be asked often, on one thread. ``clock``: seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._step: int | None = None
        self._since = self._told = clock()
        self._longest = 0.0
        self._moves = 0

    def look(self, step: int | None) -> dict[str, float]:
        """The training is at ``step``; None where no optimizer of a watched model drives it, before and after it.
        Facts of how long it has been there and how long it was at any before, where that is long, and not told just
        now. In a notebook, where people think between two cells, there are none."""
        now = self._clock()
        if step != self._step:
            if self._step is not None and step is not None:
                self._longest = max(self._longest, now - self._since)
                self._moves += 1
            self._step, self._since = step, now
            return {}
        idle = now - self._since
        if step is None or self._moves < FEWEST_STEPS or idle < LEAST_SECONDS or now - self._told < EVERY_SECONDS:
            return {}
        self._told = now
        if "ipykernel" in sys.modules:
            return {}
        return {FACTS + "idle_seconds": idle, FACTS + "longest_pause_seconds": self._longest}
