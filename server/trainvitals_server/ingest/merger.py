"""Merges frames into chunks in the background, and steps back while frames wait to be written."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from trainvitals_server.store.interface import Store, StoreUnavailable

PAUSE_SECONDS: Final = 0.5
BUSY_PAUSE_SECONDS: Final = 0.1
RETRY_SECONDS: Final = 5.0
STOP_SECONDS: Final = 5.0
log = logging.getLogger(__name__)


class Merger:
    """A thread around ``store.merge``; ``busy`` tells whether writing has the right of way."""

    def __init__(self, store: Store, *, busy: Callable[[], bool]) -> None:
        self._store = store
        self._busy = busy
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="trainvitals-merger", daemon=True)

    def start(self) -> None:
        """Begin to merge."""
        self._thread.start()

    def stop(self) -> None:
        """End after the merge that is under way."""
        self._stop.set()
        self._thread.join(STOP_SECONDS)

    def _work(self) -> None:
        pause = PAUSE_SECONDS
        while not self._stop.wait(pause):
            pause = self._merged()

    def _merged(self) -> float:
        try:
            written = self._store.merge()
        except StoreUnavailable as error:
            log.warning("merging waits %.0f s: %s", RETRY_SECONDS, error)
            return RETRY_SECONDS
        except Exception:
            log.exception("a run's frames could not be merged: they stay as they are, and can be read or deleted")
            return RETRY_SECONDS
        if not written:
            return PAUSE_SECONDS
        return BUSY_PAUSE_SECONDS if self._busy() else 0.0
