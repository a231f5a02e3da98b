"""Requests that wait for trainings, looked up seldom enough for every acknowledgement to carry them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from starlette.concurrency import run_in_threadpool

from trainvitals.wire.capture import waits
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
        self._known: dict[str, tuple[float, int | None]] = {}  # run → when it was looked up, and what waits

    async def capture(self, run_id: str) -> int | None:
        """The number of the request that waits; None if none does, or the store cannot say: the next answer will."""
        now = self._clock()
        looked_at, number = self._known.get(run_id, (None, None))
        if looked_at is not None and 0 <= now - looked_at < LOOK_EVERY_SECONDS:
            return number
        if len(self._known) >= MOST_RUNS:
            self._known.clear()
        self._known[run_id] = now, None  # others that come meanwhile need not ask
        try:
            newest = await run_in_threadpool(self._store.capture, run_id)
        except StoreError as error:
            log.warning("whether run %s is asked for a capture is not known: %s", run_id, error)
            return None
        number = newest.number if newest is not None and waits(newest, now=now) else None
        self._known[run_id] = now, number
        return number

    def changed(self, run_id: str) -> None:
        """There is news of the run's request."""
        self._known.pop(run_id, None)
