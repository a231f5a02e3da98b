"""The one thread that appends frames, many in one transaction, and tells each request when its frame is safe."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from trainvitals_server.store.interface import ReceivedFrame, RunNotFound, Store, StoreUnavailable, TooManySeries

GROUP_FRAMES: Final = 64
STOP_SECONDS: Final = 10.0
log = logging.getLogger(__name__)

OnCommitted = Callable[[list[ReceivedFrame], list[bool]], None]
Outcome = bool | Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    received: ReceivedFrame
    future: asyncio.Future[bool]


class Writer:
    """A queue in front of ``store.append``; ``on_committed`` is called on the writer's thread."""

    def __init__(self, store: Store, *, max_bytes: int, on_committed: OnCommitted) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._on_committed = on_committed
        self._reserved = 0
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="trainvitals-writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, then end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(STOP_SECONDS)

    @property
    def busy(self) -> bool:
        """Frames are waiting."""
        return bool(self._queue)

    def reserve(self, size: int) -> bool:
        """Room for a body of ``size`` bytes; False if there is none. On the event loop only, and give it back."""
        if self._reserved and self._reserved + size > self._max_bytes:
            return False
        self._reserved += size
        return True

    def give_back(self, size: int) -> None:
        """Room that was reserved and is free again. On the event loop only."""
        self._reserved -= size

    async def append(self, received: ReceivedFrame) -> bool:
        """Wait until the frame is durable; True if it was new. Raises RunNotFound, TooManySeries, StoreUnavailable."""
        waiting = _Waiting(received=received, future=asyncio.get_running_loop().create_future())
        with self._changed:
            if self._stopping:
                raise StoreUnavailable("the server is shutting down")
            self._queue.append(waiting)
            self._changed.notify()
        return await waiting.future

    def _work(self) -> None:
        while group := self._next_group():
            outcomes = self._written(group)
            kept = [(entry.received, new) for entry, new in zip(group, outcomes, strict=True) if isinstance(new, bool)]
            if kept:
                self._tell([received for received, _ in kept], [new for _, new in kept])
            _resolve(group, outcomes)  # last, so that a run's end never overtakes its frames on their way to the rules

    def _next_group(self) -> list[_Waiting]:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stopping)
            return [self._queue.popleft() for _ in range(min(GROUP_FRAMES, len(self._queue)))]

    def _written(self, group: Sequence[_Waiting]) -> list[Outcome]:
        try:
            return list(self._store.append([entry.received for entry in group]))
        except RunNotFound as error:
            if len(group) == 1:
                return [error]
            guilty = [entry.received.frame.run_id == error.run_id for entry in group]
            if not any(guilty):
                return [outcome for entry in group for outcome in self._written([entry])]
            innocent = [entry for entry, bad in zip(group, guilty, strict=True) if not bad]
            others = iter(self._written(innocent) if innocent else [])
            return [error if bad else next(others) for bad in guilty]
        except TooManySeries as error:
            return [error] if len(group) == 1 else [outcome for entry in group for outcome in self._written([entry])]
        except StoreUnavailable as error:
            log.warning("%d frames were not stored: %s", len(group), error)
            return [error] * len(group)
        except Exception as error:  # the border: one bad group must not end the only writer
            log.exception("%d frames were not stored", len(group))
            if len(group) > 1:
                return [outcome for entry in group for outcome in self._written([entry])]
            return [error]

    def _tell(self, frames: list[ReceivedFrame], new: list[bool]) -> None:
        try:
            self._on_committed(frames, new)
        except Exception:
            log.exception("%d stored frames could not be passed on to live pages and rules", len(frames))


def _resolve(group: Sequence[_Waiting], outcomes: Sequence[Outcome]) -> None:
    loop = group[0].future.get_loop()

    def settle() -> None:
        for entry, outcome in zip(group, outcomes, strict=True):
            if entry.future.done():  # its client went away
                continue
            if isinstance(outcome, Exception):
                entry.future.set_exception(outcome)
            else:
                entry.future.set_result(outcome)

    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)
