"""One feed: numbered updates, the newest kept in a ring, so that viewers resume after a gap."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from trainvitals.wire import coding
from trainvitals.wire.answers import LiveUpdate, RunSummary
from trainvitals_server.live.updates import merged

RING: Final = 600  # a minute at ten updates a second, …
RING_BYTES: Final = 16 * 1024 * 1024  # … unless they are large
STEP_BYTES: Final = 40  # of a Python number in a list
FINDING_BYTES: Final = 4096


class RunsMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of the runs table that changed. ``sent_at``: by the server's clock."""

    seq: int
    sent_at: float = 0.0
    runs: list[RunSummary]
    reset: bool = False  # more changed since than is known here: ask for all


class Channel:
    """Updates of one run; all of it on the event loop.

    ``first`` is the number that the feed begins with: a clock in milliseconds, so that a number from before a restart
    is never taken for one of this feed.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.first = self.seq = int(clock() * 1000)
        self.viewers = 0
        self.expected_until = 0.0  # a viewer: kept without one
        self.attempt: int | None = None  # the newest that pages know of
        self._ring: deque[LiveUpdate] = deque()
        self._ring_bytes = 0
        self._row: tuple[int, RunSummary | None] = (-1, None)  # only the newest counts, and it may be large
        self._changed = asyncio.Event()
        self._encoded: tuple[int, int, str] = (-1, -1, "")

    def publish(self, update: LiveUpdate, *, attempt: int | None = None) -> None:
        """Add an update; of a newer attempt than the last, a reset, for it hides what was shown."""
        if attempt is not None:
            resumed = self.attempt is not None and attempt != self.attempt
            self.attempt = attempt
            update = LiveUpdate(seq=0, reset=True) if resumed else update
        self.seq += 1
        if update.run is not None:
            self._row = (self.seq, update.run)
            update = msgspec.structs.replace(update, run=None)
        self._ring.append(msgspec.structs.replace(update, seq=self.seq))
        self._ring_bytes += _size(update)
        while len(self._ring) > RING or (self._ring_bytes > RING_BYTES and len(self._ring) > 1):
            self._ring_bytes -= _size(self._ring.popleft())
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self, since: int) -> None:
        """Return once there is something after ``since``."""
        while self.seq == since:
            await self._changed.wait()

    def message(self, since: int) -> str:
        """All after ``since`` as JSON; viewers who are level share the encoding."""
        if self._encoded[:2] != (since, self.seq):
            self._encoded = (since, self.seq, coding.encode(self._update(since), media_type=coding.JSON).decode())
        return self._encoded[2]

    def _update(self, since: int) -> LiveUpdate:
        oldest = self._ring[0].seq if self._ring else self.seq + 1
        if not self.first <= since <= self.seq or since + 1 < oldest:
            return LiveUpdate(seq=self.seq, sent_at=self._clock(), reset=True)
        fresh = [update for update in self._ring if update.seq > since]
        update, (at, row) = merged(fresh, seq=self.seq, sent_at=self._clock()), self._row
        return msgspec.structs.replace(update, run=row) if at > since and not update.reset else update


class RunsChannel:
    """Changed rows of the runs table: only the newest state of each row counts. ``first`` is as in ``Channel``."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.first = self.seq = int(clock() * 1000)
        self.viewers = 0
        self._forgotten = self.first  # rows that changed up to here may be gone
        self._rows: dict[str, tuple[int, RunSummary]] = {}
        self._changed = asyncio.Event()

    def publish(self, rows: list[RunSummary]) -> None:
        """Rows that changed."""
        self.seq += 1
        for row in rows:
            self._rows.pop(row.run_id, None)
            self._rows[row.run_id] = (self.seq, row)
        while len(self._rows) > RING:
            self._forgotten = self._rows.pop(next(iter(self._rows)))[0]
        self._changed.set()
        self._changed = asyncio.Event()

    def forget(self) -> None:
        """From here on nothing is known of what was before: a page that comes back asks for all rows anew."""
        self._rows.clear()
        self.seq += 1
        self._forgotten = self.seq

    async def changed(self, since: int) -> None:
        """Return once there is something after ``since``."""
        while self.seq == since:
            await self._changed.wait()

    def message(self, since: int) -> str:
        """All rows that changed after ``since``, as JSON. 0 is a page that was just built."""
        is_gap = since != 0 and not self._forgotten <= since <= self.seq
        rows = [] if is_gap else [row for seq, row in self._rows.values() if seq > since]
        message = RunsMessage(seq=self.seq, sent_at=self._clock(), runs=rows, reset=is_gap)
        return coding.encode(message, media_type=coding.JSON).decode()


def _size(update: LiveUpdate) -> int:
    """Roughly, in bytes."""
    metrics = sum(len(steps) * STEP_BYTES + len(values.data) for steps, values in update.metrics.values())
    stats = len(update.layer_steps) * STEP_BYTES + sum(len(values.data) for values in update.stats.values())
    return metrics + stats + len(update.findings) * FINDING_BYTES
