"""Whether the store can do its work, asked once however many want to know."""

from __future__ import annotations

import asyncio

from starlette.concurrency import run_in_threadpool

from trainvitals_server.store.interface import Store


class Pulse:
    """One ping at a time, shared by all who ask: a store that hangs holds one thread and one connection, not one for
    each. On the event loop only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asked: asyncio.Task[None] | None = None

    async def check(self, *, seconds: float) -> None:
        """Raises StoreUnavailable, TimeoutError."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.create_task(run_in_threadpool(self._store.ping))
            self._asked.add_done_callback(lambda task: task.cancelled() or task.exception())  # heard, if by nobody
        await asyncio.wait_for(asyncio.shield(self._asked), seconds)
