"""The one thread that talks to the server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Final

from trainvitals.client import Client, delay
from trainvitals.console import Console
from trainvitals.delivery import Delivery
from trainvitals.spool import Spool, left_over

HEARTBEAT_SECONDS: Final = 10.0


class Sender:
    """Ships the run's spool as it grows, then what dead trainings left beside it; heartbeats when there is nothing.
    ``ended`` is called when the thread has done its work.

    ``close`` gives it a deadline; what is not shipped by then stays in the spool.
    """

    def __init__(self, delivery: Delivery, client: Client, console: Console, *, ended: Callable[[], None]) -> None:
        self._delivery = delivery
        self._client = client
        self._console = console
        self._ended = ended
        self._wake = threading.Condition()
        self._news = False
        self._closing = False
        self._failures = 0
        self._adoption = self._adopt()
        self._thread = threading.Thread(target=self._work, name="trainvitals-sender", daemon=True)
        self.delivered = False

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def notify(self) -> None:
        """There is a new record."""
        with self._wake:
            self._news = True
            self._wake.notify()

    def close(self, *, seconds: float) -> bool:
        """Deliver the rest; True if all of it, the end included, arrived in time."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(seconds)
        return self.delivered

    def _work(self) -> None:
        try:
            while self._turn():
                pass
        except Exception as error:  # noqa: BLE001  # the border: what is in the spool is safe
            self._console.say(
                f"the sender stopped ({type(error).__name__}: {error}): send later with `trainvitals sync`"
            )
        finally:
            self._adoption.close()
            self._client.close()
            self._ended()

    def _turn(self) -> bool:
        with self._wake:
            closing, self._news = self._closing, False
        progress = self._delivery.step()
        if progress == "ended":
            self.delivered = True
            return False
        if progress == "sent":
            self._failures = 0
            return True
        if progress == "stuck":
            self._failures += 1
            outcome = self._delivery.last.outcome
            if closing and outcome != "busy" and (self._failures > 1 or outcome != "unreachable"):
                return False
            self._wait(delay(self._failures, self._delivery.last), for_news=False, closing=closing)
            return True
        if closing:
            return False
        if not next(self._adoption, False) and not self._wait(HEARTBEAT_SECONDS, for_news=True, closing=False):
            self._delivery.heed(self._client.heartbeat(self._delivery.spool.run_id))
        return True

    def _wait(self, seconds: float, *, for_news: bool, closing: bool) -> bool:
        """Until there is news, if wanted, or closing begins; False if neither happened in time."""
        with self._wake:
            return self._wake.wait_for(
                lambda: (for_news and self._news) or (self._closing and not closing), timeout=seconds
            )

    def _adopt(self) -> Generator[bool, None, None]:
        """One record of what others left behind at a time; False: the server does not take it, try the next later."""
        for spool in left_over(self._delivery.spool.path.parent, tell=self._console.say):
            try:
                yield from self._adopt_one(spool)
            except OSError as error:
                self._console.say(f"{spool.path} could not be shipped ({error}): `trainvitals sync` tries again")

    def _adopt_one(self, spool: Spool) -> Generator[bool, None, None]:
        delivery = Delivery(spool, self._client, self._console)
        try:
            while (progress := delivery.step()) != "empty":
                yield progress != "stuck"
                if progress == "stuck":
                    return
            spool.remove()
            self._console.say(f"shipped what run {spool.run_id} had left behind")
        finally:
            spool.close()
