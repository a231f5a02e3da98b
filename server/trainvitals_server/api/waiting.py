"""Requests that wait for trainings, looked up seldom enough for every acknowledgement to carry them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from starlette.concurrency import run_in_threadpool

from trainvitals.wire.capture import Capture, waits
from trainvitals_server.store.interface import Store, StoreError

LOOK_EVERY_SECONDS: Final = 1.0  # another server process may have taken the request
MOST_RUNS: Final = 10_000
log = logging.getLogger(__name__)


class Waiting:
    """What is known of each run's newest request, asked of the store once a second at most. On the event loop only;
    ``clock`` tells Unix seconds."""

    def __init__(self, store: Store, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[float, Capture | None]] = {}  # run → when it was looked up, and what was there
        self._looks: set[asyncio.Task[int | None]] = set()

    def known(self, run_id: str) -> int | None:
        """The number of the request that waits, as far as is known. Waits for nothing: what is old is looked up anew
        meanwhile, for the next that asks."""
        now = self._clock()
        looked_at, newest = self._known.get(run_id, (None, None))
        if looked_at is None or not 0 <= now - looked_at < LOOK_EVERY_SECONDS:
            self.note(run_id, newest)  # others that come meanwhile need not look
            look = asyncio.create_task(self.look(run_id))
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)
        return newest.number if newest is not None and waits(newest, now=now) else None

    async def look(self, run_id: str) -> int | None:
        """The number of the request that waits; as far as is known where the store does not answer."""
        try:
            self.note(run_id, await run_in_threadpool(self._store.capture, run_id))
        except StoreError as error:
            log.warning("whether a capture of run %s is asked for is not known: %s", run_id, error)
        _, newest = self._known.get(run_id, (None, None))
        return newest.number if newest is not None and waits(newest, now=self._clock()) else None

    def note(self, run_id: str, newest: Capture | None) -> None:
        """This is the run's newest request."""
        if len(self._known) >= MOST_RUNS:
            self._known.clear()
        self._known[run_id] = self._clock(), newest
