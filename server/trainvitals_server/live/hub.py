"""The live feeds of this process: takes what the writer and the evaluator report, and keeps rows fresh."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from starlette.concurrency import run_in_threadpool

from trainvitals.wire.answers import LiveUpdate, RunSummary
from trainvitals.wire.errors import WireError
from trainvitals.wire.messages import Finding
from trainvitals_server.live.channel import RING, Channel, RunsChannel
from trainvitals_server.live.updates import update_of
from trainvitals_server.store.interface import ReceivedFrame, RunQuery, Store, StoreError

ROWS_EVERY_SECONDS: Final = 0.5
ROWS: Final = 200
EXPECTED_SECONDS: Final = 60.0  # from the making of a page to its websocket, at most
log = logging.getLogger(__name__)


class Hub:
    """Channels of the runs that are watched. ``committed``, ``found``, ``noted``, ``looked`` and ``touch`` may be
    called on any thread."""

    def __init__(self, store: Store, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._channels: dict[str, Channel] = {}
        self._changing = threading.Lock()  # which channels there are
        self._watched: set[str] = set()  # runs with viewers whose rows changed
        self._unseen: dict[str, None] = {}  # rows that the table's viewers, or the next one, must be sent; in order
        self._loop: asyncio.AbstractEventLoop | None = None
        self.table = RunsChannel(clock=clock)

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop that channels live on."""
        self._loop = loop

    def expect(self, run_id: str) -> int:
        """A viewer will come, and knows all up to here: the number of the run's last update. On any thread."""
        with self._changing:
            channel = self._channel(run_id)
            channel.expected_until = self._clock() + EXPECTED_SECONDS
            return channel.seq

    def knows(self, run_id: str, *, attempt: int) -> None:
        """Pages have been made of this attempt: the first frame of a newer one hides some of what they show."""
        with self._changing:
            channel = self._channels.get(run_id)
            if channel is not None and channel.attempt is None:
                channel.attempt = attempt

    def enter(self, run_id: str) -> Channel:
        """A viewer comes."""
        with self._changing:
            channel = self._channel(run_id)
            channel.viewers += 1
            return channel

    def leave(self, run_id: str) -> None:
        """A viewer goes."""
        self._channels[run_id].viewers -= 1
        self._forget_unwatched()

    def _channel(self, run_id: str) -> Channel:
        channel = self._channels.get(run_id)
        if channel is None:
            channel = self._channels[run_id] = Channel(clock=self._clock)
        return channel

    def _forget_unwatched(self) -> None:
        """Channels without a viewer, of whom none is expected."""
        now = self._clock()
        with self._changing:
            gone = [
                run_id
                for run_id, channel in self._channels.items()
                if not channel.viewers and channel.expected_until <= now
            ]
            for run_id in gone:
                del self._channels[run_id]

    def committed(self, frames: Sequence[ReceivedFrame]) -> None:
        """Frames that are new in the store."""
        for received in frames:
            frame = received.frame
            if frame.run_id in self._channels and frame.rank == 0:
                try:
                    update = update_of(frame)
                except WireError as error:
                    log.warning("frame %d of run %s is not shown live: %s", frame.seq, frame.run_id, error)
                    continue
                self._soon(self._publish, frame.run_id, update, frame.attempt)
        self.touch(*{received.frame.run_id for received in frames})

    def found(self, run_id: str, findings: list[Finding], health: int | None) -> None:
        """Findings that changed; ``health`` is in the run's row, which is read anew."""
        if findings and run_id in self._channels:
            self._soon(self._publish, run_id, LiveUpdate(seq=0, findings=findings), None)
        self.touch(run_id)

    def noted(self, run_id: str) -> None:
        """The run has new notes."""
        if run_id in self._channels:
            self._soon(self._publish, run_id, LiveUpdate(seq=0, noted=True), None)
        self.touch(run_id)

    def looked(self, run_id: str) -> None:
        """There is a new look inside the run."""
        if run_id in self._channels:
            self._soon(self._publish, run_id, LiveUpdate(seq=0, looked=True), None)

    def touch(self, *run_ids: str) -> None:
        """The rows of these runs changed."""
        self._soon(self._mark, run_ids)

    def enter_table(self) -> RunsChannel:
        """A viewer of the runs table comes."""
        self.table.viewers += 1
        return self.table

    def leave_table(self) -> None:
        """A viewer of the runs table goes; what was sent last grows stale when nobody is left."""
        self.table.viewers -= 1
        if not self.table.viewers:
            self.table.forget()

    async def keep_rows_fresh(self) -> None:
        """Send changed rows, twice a second at most, until cancelled."""
        while True:
            await asyncio.sleep(ROWS_EVERY_SECONDS)
            self._forget_unwatched()
            wanted, self._watched = self._watched, set()
            if self.table.viewers:
                wanted |= self._unseen.keys()
                self._unseen.clear()
            if not wanted:
                continue
            try:
                rows = await run_in_threadpool(self._rows, wanted)
            except StoreError as error:
                log.warning("rows of %d runs are not refreshed: %s", len(wanted), error)
                self._mark(sorted(wanted))
                continue
            except Exception:  # the border: pages go on living when one refresh fails
                log.exception("rows of %d runs are not refreshed", len(wanted))
                continue
            for row in rows:
                self._publish(row.run_id, LiveUpdate(seq=0, run=row), None)
            if rows and self.table.viewers:
                self.table.publish(rows)

    def _rows(self, run_ids: set[str]) -> list[RunSummary]:
        few = sorted(run_ids)
        pages = (few[start : start + ROWS] for start in range(0, len(few), ROWS))
        return [
            row
            for ids in pages
            for row in self._store.runs(RunQuery(run_ids=frozenset(ids), has_deleted=True, limit=ROWS)).runs
        ]

    def _publish(self, run_id: str, update: LiveUpdate, attempt: int | None) -> None:
        channel = self._channels.get(run_id)
        if channel is not None:
            channel.publish(update, attempt=attempt)

    def _mark(self, run_ids: Sequence[str]) -> None:
        for run_id in run_ids:
            if run_id in self._channels:
                self._watched.add(run_id)
            self._unseen.pop(run_id, None)
            self._unseen[run_id] = None
        while len(self._unseen) > RING:
            del self._unseen[next(iter(self._unseen))]
            self.table.forget()

    def _soon(self, call: Callable[..., object], *arguments: object) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)
