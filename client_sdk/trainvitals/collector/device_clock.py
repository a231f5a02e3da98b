"""How long a device works for watching, which the host does not see: it goes ahead while kernels wait their turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, Protocol

import torch
from torch import Tensor

HAS_CUDA: Final = torch.backends.cuda.is_built()
TIMED: Final = 4  # one snapshot in so many is timed and stands for all; those in depth are met as often as they come
MOST_SECTIONS: Final = 4096  # of a snapshot; what is beyond is not timed
MOST_WAITING: Final = 16  # snapshots that the device has not got to
_UNTIMED: Final = nullcontext()


class Mark(Protocol):
    """A place in the device's queue of work."""

    def query(self) -> bool:
        """Whether the device has passed it. Does not wait."""

    def elapsed_time(self, end_event: Any, /) -> float:  # Any: another of its own kind
        """Milliseconds from here to there, both passed."""


class DeviceClock:
    """Puts marks around the collector's own work, and reads them when the device has passed them, in a later step.
    ``mark`` sets one; None where there is no queue: on a CPU the host's time is all there is."""

    def __init__(self, mark: Callable[[], Mark | None]) -> None:
        self._mark = mark
        self._snapshots = 0
        self._is_timed = False
        self._sections: list[tuple[Mark, Mark]] = []
        self._waiting: deque[tuple[list[tuple[Mark, Mark]], float]] = deque(maxlen=MOST_WAITING)

    def begin(self) -> None:
        """A snapshot begins."""
        self._snapshots += 1
        self._is_timed = self._snapshots % TIMED == 0
        self._sections = []

    def section(self) -> AbstractContextManager[None]:
        """What is done within is done for the snapshot."""
        return self._timed() if self._is_timed and len(self._sections) < MOST_SECTIONS else _UNTIMED

    def ended(self, *, counted_seconds: float) -> float:
        """The snapshot's step is over, and so much is counted as its cost. Answers the seconds that snapshots have cost
        beyond what was counted, because the device, as far as it has got, was busy for longer."""
        if self._sections:
            self._waiting.append((self._sections, counted_seconds))
        self._sections, self._is_timed = [], False
        beyond = 0.0
        while self._waiting and self._waiting[0][0][-1][1].query():
            sections, counted = self._waiting.popleft()
            seconds = sum(start.elapsed_time(end) for start, end in sections) / 1000
            beyond += TIMED * max(0.0, seconds - counted)
        return beyond

    @contextmanager
    def _timed(self) -> Iterator[None]:
        start = self._mark()
        yield
        end = self._mark()
        if start is not None and end is not None:
            self._sections.append((start, end))


def clock_of(tensor: Tensor) -> DeviceClock:
    """That of the device on which the tensor is, wherever it goes."""

    def mark() -> torch.cuda.Event | None:
        if tensor.device.type != "cuda" or torch.cuda.is_current_stream_capturing():
            return None
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(tensor.device))
        return event

    return DeviceClock(mark)


def is_capturing() -> bool:
    """Whether a CUDA graph is being made: what is computed now is computed when it is played."""
    return HAS_CUDA and torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()
