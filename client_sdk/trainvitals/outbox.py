"""The outbox: what the training hands to the background thread, bounded in memory, drops counted."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor

    from trainvitals.collector.snapshots import Pending

MAX_SNAPSHOTS: Final = 256  # some 14 kB each for 200 layers; every tenth, with histograms, some 250 kB
MAX_POINTS: Final = 100_000
FLUSH_SNAPSHOTS: Final = 16
FLUSH_POINTS: Final = 4000  # with those of the snapshots fewer than a frame may have of one metric


@dataclass(frozen=True, slots=True)
class Point:
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
        self._points: deque[Point] = deque()
        self._max_snapshots = max_snapshots
        self._max_points = max_points
        self._changed = threading.Condition()
        self._closed = False
        self.drops: Counter[str] = Counter()

    def put_snapshot(self, snapshot: Pending) -> None:
        """Add a snapshot; never waits for the server or the disk."""
        with self._changed:
            if len(self._snapshots) >= self._max_snapshots:
                self._snapshots.popleft()
                self.drops["outbox full"] += 1
            self._snapshots.append(snapshot)
            if len(self._snapshots) >= FLUSH_SNAPSHOTS:
                self._changed.notify()

    def put_points(self, points: list[Point]) -> None:
        """Add metric points; never waits for the server or the disk."""
        with self._changed:
            surplus = len(self._points) + len(points) - self._max_points
            for _ in range(min(surplus, len(self._points))):
                self._points.popleft()
                self.drops["outbox full (metric points)"] += 1
            self._points.extend(points)
            if len(self._points) >= FLUSH_POINTS:
                self._changed.notify()

    def take(self, *, seconds: float) -> Batch:
        """Up to a frame's worth, after waiting until there is that much, the outbox closes or time is up."""
        with self._changed:
            if not self._closed and not self._enough():
                self._changed.wait_for(lambda: self._closed or self._enough(), timeout=seconds)
            snapshots = [self._snapshots.popleft() for _ in range(min(FLUSH_SNAPSHOTS, len(self._snapshots)))]
            points = [self._points.popleft() for _ in range(min(FLUSH_POINTS, len(self._points)))]
            return Batch(snapshots=snapshots, points=points)

    def _enough(self) -> bool:
        return len(self._snapshots) >= FLUSH_SNAPSHOTS or len(self._points) >= FLUSH_POINTS

    def close(self) -> None:
        """Wake the background thread for the last time."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def finished(self) -> bool:
        """Closed and empty."""
        with self._changed:
            return self._closed and not self._snapshots and not self._points
