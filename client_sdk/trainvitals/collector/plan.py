"""Which steps several ranks sample, together: one plan, made by one of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

LEAD_SECONDS: Final = 3.0  # between a change and its first step, for the others to hear of it
LEAD_SNAPSHOTS: Final = 4  # as they hear of it with a snapshot


@dataclass(frozen=True, slots=True)
class Turn:
    """From a step on, every ``interval``-th is sampled."""

    first_step: int
    interval: int


class Plan:
    """Turns in order. Written by one thread and read by others: the tuple is replaced as a whole."""

    def __init__(self, interval: int) -> None:
        self.turns: tuple[Turn, ...] = (Turn(0, interval),)

    @property
    def usual(self) -> int:
        """The interval in the end, once the turns that are known have come."""
        return self.turns[-1].interval

    def interval_at(self, step: int) -> int:
        """The interval that holds at a step."""
        turns = self.turns
        return next((turn.interval for turn in reversed(turns) if turn.first_step <= step), turns[0].interval)

    def change(self, *, step: int, interval: int, step_seconds: float, for_steps: int | None = None) -> int:
        """Sample every ``interval``-th step, from some step after the current one on; where ``for_steps`` is said,
        for so many, and as before after them. The step from which on. ``step_seconds``: how long steps take."""
        lead = LEAD_SNAPSHOTS * self.interval_at(step) + math.ceil(LEAD_SECONDS / max(step_seconds, 1e-6))
        first = max(step + lead, self.turns[-1].first_step)
        kept = [turn for turn in self.turns if turn.first_step < first]
        passed = sum(turn.first_step <= step for turn in kept)
        after = [] if for_steps is None else [Turn(first + for_steps, self.usual)]
        self.turns = (*kept[max(0, passed - 1) :], Turn(first, interval), *after)
        return first
