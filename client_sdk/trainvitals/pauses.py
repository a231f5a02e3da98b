"""How long a training has come no step further, and its model was not called either."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

from trainvitals.wire.facts import FACTS

LEAST_SECONDS: Final = 60.0  # without a step, before anything is told
EVERY_SECONDS: Final = 30.0  # it is told again
FEWEST_STEPS: Final = 20  # before it is known how long pauses are
FEWEST_MOVES: Final = 2  # from look to look: the first may be a jump to where a run is resumed


class Pauses:
    """To be asked often, on one thread. ``clock``: seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._step: int | None = None
        self._calls = 0
        self._since = self._told = clock()
        self._longest = 0.0
        self._moves = self._passed = 0  # many steps pass between two looks

    def look(self, step: int | None, *, calls: int = 0) -> dict[str, float]:
        """The training is at ``step``, None where no optimizer of a watched model drives it, before and after it; its
        model was called so often, as a validation does without a step. Facts of how long neither has changed and for
        how long at most they had not before, where that is longer, and not told just now. In a notebook, where people
        think between two cells, there are none."""
        now = self._clock()
        if (step, calls) != (self._step, self._calls):
            if self._step is not None and step is not None:
                self._longest = max(self._longest, now - self._since)
                self._moves += step != self._step
                self._passed += max(0, step - self._step)
            self._step, self._calls, self._since = step, calls, now
            return {}
        idle = now - self._since
        is_short = idle < LEAST_SECONDS or idle <= self._longest or now - self._told < EVERY_SECONDS
        if step is None or self._moves < FEWEST_MOVES or self._passed < FEWEST_STEPS or is_short:
            return {}
        self._told = now
        if "ipykernel" in sys.modules:
            return {}
        facts = {"idle_seconds": idle, "longest_pause_seconds": self._longest, "idle_step": float(step)}
        return {FACTS + name: value for name, value in facts.items()}
