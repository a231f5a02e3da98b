"""Everything of a run that works beside the training: outbox, recorder, spool, sender."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from trainvitals.client import Client
from trainvitals.console import Console
from trainvitals.delivery import Delivery
from trainvitals.outbox import Outbox
from trainvitals.recorder import Recorder
from trainvitals.sender import Sender
from trainvitals.settings import Settings
from trainvitals.spool import Spool
from trainvitals.wire import coding

if TYPE_CHECKING:
    from trainvitals.wire.messages import ModelInfo, RunEnd, RunStart


class Pipeline:
    """One run's way to the server; threads start in ``start``. Nothing here raises for disk or network."""

    def __init__(self, settings: Settings, spool: Spool, console: Console, *, writer: int) -> None:
        self._settings = settings
        self._spool = spool
        self._console = console
        self.outbox = Outbox()
        self._client = Client(settings.server_url, settings.token)
        delivery = Delivery(spool, self._client, console, drops=self.outbox.drops)
        self._sender = Sender(delivery, self._client, console) if settings.mode == "online" else None
        self._recorder = Recorder(
            self.outbox,
            spool,
            writer=writer,
            rank=_rank(),
            appended=self._sender.notify if self._sender else _nothing,
            tell=lambda key, line: console.say(line, once=key),
        )

    def start(self, start: Callable[[], RunStart]) -> None:
        """Begin; ``start`` is called on the background thread, so it may take its time."""
        self._recorder.start(lambda: coding.encode(start()))
        if self._sender is not None:
            self._sender.start()

    def introduce(self, model: ModelInfo) -> None:
        """The layers that snapshots have from now on."""
        self._recorder.introduce([layer.name for layer in model.layers], coding.encode(model))

    def close(self, end: RunEnd, *, seconds: float) -> None:
        """Deliver what can be within the deadline; the rest stays in the spool, and the terminal says so."""
        deadline = time.monotonic() + seconds
        self._recorder.close(coding.encode(end))
        recorded = self._recorder.join(seconds=seconds)
        delivered = False
        if self._sender is not None:
            delivered = self._sender.close(seconds=max(0.1, deadline - time.monotonic()))
        if recorded and delivered:
            self._spool.remove()
        else:
            self._console.say(self._left_over())
            if recorded and (self._sender is None or not self._sender.alive):
                self._spool.close()
        if self.outbox.drops:
            reasons = ", ".join(f"{count} ({reason})" for reason, count in self.outbox.drops.items())
            self._console.say(f"dropped: {reasons}")

    def abandon(self) -> None:
        """Let go of the files in a forked child; the parent goes on."""
        self._spool.abandon()

    def _left_over(self) -> str:
        directory, url = self._settings.directory, self._settings.server_url
        if self._settings.mode == "offline":
            return f"kept in {directory}; ship it with: trainvitals sync {directory} --server-url {url}"
        return f"not all has reached {url}; the rest waits in {directory}: the next run ships it, or `trainvitals sync`"


def _rank() -> int:
    text = os.environ.get("RANK", "0")
    return int(text) if text.isdecimal() else 0


def _nothing() -> None:
    return None
