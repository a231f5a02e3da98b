"""Rank 0's steps, held until the other ranks have come as far."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from trainvitals_server.diagnosis.window import Floats32

MOST_FRAMES: Final = 32  # that wait for other ranks: a quarter of a minute, as the SDK cuts them
MOST_VALUES: Final = 4_000_000  # of snapshots that wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What rank 0 recorded of a step: points of metrics, and the stats of layers (stat → float32 [layers])."""

    step: int
    points: Sequence[tuple[str, float]] = ()
    layers: tuple[str, ...] = ()
    snapshot: dict[str, Floats32] | None = None

    @property
    def values(self) -> int:
        """How many values its snapshot has."""
        return len(self.layers) * len(self.snapshot or ())


@dataclass(slots=True)
class Lineup:
    """A queue by step; of one step in order of arrival."""

    _waiting: list[tuple[int, int, Recorded]] = field(default_factory=list)
    _frames: deque[int] = field(default_factory=deque)  # last steps of the frames that wait
    _arrived: int = 0
    _values: int = 0

    def put(self, steps: Sequence[Recorded], *, is_frame: bool = False) -> None:
        """More steps; ``is_frame``: they came together just now."""
        for recorded in steps:
            heapq.heappush(self._waiting, (recorded.step, self._arrived, recorded))
            self._arrived += 1
            self._values += recorded.values
        if steps and is_frame:
            self._frames.append(steps[-1].step)

    @property
    def first_step(self) -> int | None:
        """The step that is next; None if nothing waits."""
        return self._waiting[0][0] if self._waiting else None

    @property
    def is_long(self) -> bool:
        """Whether no more should wait."""
        return len(self._frames) > MOST_FRAMES or self._values > MOST_VALUES

    def pop(self) -> Recorded:
        """What is next."""
        step, _, recorded = heapq.heappop(self._waiting)
        self._values -= recorded.values
        while self._frames and (self._frames[0] <= step or not self._waiting):
            self._frames.popleft()
        return recorded

    def forget_from(self, step: int) -> None:
        """Forget what waits from ``step`` on."""
        self._waiting = [one for one in self._waiting if one[0] < step]
        heapq.heapify(self._waiting)
        self._frames = deque(last for last in self._frames if last < step)
        self._values = sum(recorded.values for _, _, recorded in self._waiting)
