"""What the hooks that stay cost at every step, sampled or not."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import median
from typing import Any, Final

from torch import nn
from torch.nn.modules.module import _has_any_global_hook

TIMED: Final = 16  # one step in so many is timed and stands for all: reading a clock costs something, too
KNOWN: Final = 8  # timed steps, of which the median counts: single ones wait for other processes
CALLS: Final = 20  # of a layer that does nothing, to learn what a hook costs that does nothing …
ROUNDS: Final = 5  # … of which the quickest counts


class Toll:
    """Times the bodies of hooks in the steps in which it ``is_due``; what snapshots cost is left out, for it is
    counted by itself. What PyTorch takes to call a hook is learnt once, by ``calibrate``."""

    def __init__(self) -> None:
        self.is_due = False
        self._call_seconds = 0.0  # of a hook that does nothing
        self._apart = 0.0  # spent on a snapshot since a hook began
        self._seconds = 0.0
        self._steps = 0
        self._known: deque[float] = deque(maxlen=KNOWN)
        self._per_step = 0.0

    def calibrate(self, hook: Callable[..., None]) -> None:
        """Learn what it takes to call ``hook``, which does nothing, before and after a layer. Takes a millisecond.
        Where there are hooks of all modules nothing is learnt: whose they are would see layers that are not theirs."""
        if _has_any_global_hook():
            return
        bare, hooked = nn.Identity(), nn.Identity()
        hooked.register_forward_pre_hook(hook)
        hooked.register_forward_hook(hook, always_call=True)
        pairs = [(_seconds(bare), _seconds(hooked)) for _ in range(ROUNDS)]
        without, with_two = (min(times) for times in zip(*pairs, strict=True))
        self._call_seconds = max(0.0, with_two - without) / (2 * CALLS)

    def time(self, body: Callable[..., None], arguments: tuple[Any, ...]) -> None:  # Any: whatever torch hands to hooks
        """Call a hook's body."""
        self._apart = 0.0
        started = time.perf_counter()
        try:
            body(*arguments)
        finally:
            self._seconds += time.perf_counter() - started - self._apart + self._call_seconds

    def leave_out(self, seconds: float) -> None:
        """So much of the hook that is running was for a snapshot."""
        self._apart += seconds

    def step_ended(self) -> float:
        """A step is over; the seconds that the hooks that stay have cost in it, as far as is known."""
        if self.is_due:
            self._known.append(self._seconds)
            self._per_step = median(self._known)
            self._seconds = 0.0
        self._steps += 1
        self.is_due = self._steps % TIMED == 1
        return self._per_step


def _seconds(layer: nn.Module) -> float:
    started = time.perf_counter()
    for _ in range(CALLS):
        layer(None)
    return time.perf_counter() - started
