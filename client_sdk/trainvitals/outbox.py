"""The outbox: what the training hands to the background thread, bounded in memory, drops counted."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

    from trainvitals.collector.snapshots import Pending

MAX_SNAPSHOTS: Final = 256  # some 14 kB each for 200 layers; every tenth, with histograms, some 250 kB
MAX_POINTS: Final = 100_000
FLUSH_SNAPSHOTS: Final = 16
FLUSH_POINTS: Final = 4000  # with those of the snapshots fewer than a frame may have of one metric


class Point(NamedTuple):
    """One value of one metric; a tensor is read by the background thread."""

    metric: str
    step: int
    value: float | Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What was waiting, in order."""

    snapshots: list[Pending]
    points: list[Point]


class Outbox:
    """A bounded queue; when full the oldest goes, and is counted in ``drops`` by reason. Safe between threads."""

    def __init__(self, *, max_snapshots: int = MAX_SNAPSHOTS, max_points: int = MAX_POINTS) -> None:
        self._snapshots: deque[Pending] = deque()
        self._logged: deque[tuple[int, Mapping[str, float | Tensor]]] = deque()
        self._points = 0  # among what was logged
        self._max_snapshots = max_snapshots
        self._max_points = max_points
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._closed = False
        self.drops: Counter[str] = Counter()
        self.seconds_per_snapshot = 0.0  # that the background thread works on one: what it takes, the training lacks

    def put_snapshot(self, snapshot: Pending) -> None:
        """Add a snapshot; never waits for the server or the disk."""
        with self._lock:
            if len(self._snapshots) >= self._max_snapshots:
                self._snapshots.popleft()
                self.drops["outbox full"] += 1
            self._snapshots.append(snapshot)
            if len(self._snapshots) >= FLUSH_SNAPSHOTS:
                self._changed.notify()

    def put_points(self, step: int, values: Mapping[str, float | Tensor]) -> None:
        """Add the points of metrics at a step; never waits for the server or the disk. For every step of a training:
        what can be done later is."""
        with self._lock:
            self._logged.append((step, values))
            self._points += len(values)
            while self._points > self._max_points:
                self.drops["outbox full (metric points)"] += len(self._pop())
            if self._points >= FLUSH_POINTS:
                self._changed.notify()

    def take(self, *, seconds: float) -> Batch:
        """Up to a frame's worth, after waiting until there is that much, the outbox closes or time is up."""
        with self._changed:
            if not self._closed and not self._enough():
                self._changed.wait_for(lambda: self._closed or self._enough(), timeout=seconds)
            snapshots = [self._snapshots.popleft() for _ in range(min(FLUSH_SNAPSHOTS, len(self._snapshots)))]
            points: list[Point] = []
            while self._logged and len(points) < FLUSH_POINTS:
                points += self._pop()
            return Batch(snapshots=snapshots, points=points)

    def _pop(self) -> list[Point]:
        step, values = self._logged.popleft()
        self._points -= len(values)
        return [Point(metric, step, value) for metric, value in values.items()]

    def _enough(self) -> bool:
        return len(self._snapshots) >= FLUSH_SNAPSHOTS or self._points >= FLUSH_POINTS

    def close(self) -> None:
        """Wake the background thread for the last time."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def finished(self) -> bool:
        """Closed and empty."""
        with self._changed:
            return self._closed and not self._snapshots and not self._logged
