"""Everything of a run that works beside the training: outbox, recorder, spool, sender."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from trainvitals.capturing import Capture, Capturing
from trainvitals.client import Client
from trainvitals.console import Console
from trainvitals.delivery import Delivery
from trainvitals.environment import describe
from trainvitals.notes import Notes
from trainvitals.outbox import Outbox
from trainvitals.recorder import Recorder
from trainvitals.sender import Sender
from trainvitals.settings import Settings
from trainvitals.spool import Spool
from trainvitals.wire import coding

if TYPE_CHECKING:
    from trainvitals.collector.steps import StepCounter
    from trainvitals.inside.looking import Taken
    from trainvitals.wire.messages import Finding, ModelInfo, RunEnd, RunStart
    from trainvitals.wire.preflight import PreflightReport


class Pipeline:
    """One run's way to the server; threads start in ``start``. Nothing here raises for disk or network. ``found`` is
    given the findings that come back, on the sender's thread."""

    def __init__(
        self,
        settings: Settings,
        spool: Spool,
        console: Console,
        notes: Notes,
        *,
        rank: int,
        found: Callable[[Sequence[Finding]], None],
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._console = console
        self.outbox = Outbox()
        self._client = Client(settings.server_url, settings.token)
        self._capturing = Capturing(self._client, spool.run_id)
        delivery = Delivery(
            spool, self._client, console, drops=self.outbox.drops, found=found, heed=self._capturing.heed
        )
        self._parts = 1
        self._guard = threading.Lock()
        self._sender: Sender | None = None
        if settings.mode == "online":
            self._parts = 2
            self._sender = Sender(delivery, self._client, console, ended=self._part_ended)
        self._recorder = Recorder(
            self.outbox,
            spool,
            notes,
            writer=notes.writer,
            rank=rank,
            appended=self._sender.notify if self._sender else _nothing,
            ended=self._part_ended,
            tell=lambda key, line: console.say(line, once=key),
        )

    def start(self, start: RunStart) -> None:
        """Begin; the environment is found out on the background thread, for it takes its time."""
        self._recorder.start(lambda: coding.encode(replace(start, environment=describe())))
        if self._sender is not None:
            self._sender.start()

    def capture_by(self, capture: Capture) -> None:
        """What carries out requests for a close look, on the sender's thread; says what comes of it."""
        self._capturing.capture = capture

    def follow(self, steps: StepCounter) -> None:
        """The training's count, by which it is known to go on."""
        self._recorder.steps = steps

    def introduce(self, model: ModelInfo) -> None:
        """The layers that snapshots have from now on."""
        self._recorder.introduce(coding.encode(model))

    def report(self, preflight: PreflightReport) -> None:
        """What the newest preflight found."""
        self._recorder.report(coding.encode(preflight))

    def look(self, taken: Taken) -> None:
        """What was seen inside the model."""
        self._recorder.look(taken.encoded, size=taken.size)

    def close(self, end: RunEnd, *, seconds: float) -> None:
        """Deliver what can be within the deadline; the rest stays in the spool, and the terminal says so."""
        deadline = time.monotonic() + seconds
        on_disk = self._spool.on_disk
        self._recorder.close(coding.encode(end))
        recorded = self._recorder.join(seconds=seconds)
        delivered = False
        if self._sender is not None:
            delivered = self._sender.close(seconds=max(0.1, deadline - time.monotonic()))
        if not (recorded and delivered):
            self._console.say(self._left_over() if on_disk else self._lost())
        if self.outbox.drops:
            reasons = ", ".join(f"{count} ({reason})" for reason, count in dict(self.outbox.drops).items())
            self._console.say(f"dropped: {reasons}")

    def abandon(self) -> None:
        """Let go of the files in a forked child; the parent goes on."""
        self._spool.abandon()

    def _part_ended(self) -> None:
        """The last of recorder and sender to end closes the spool, however long after the deadline that is."""
        with self._guard:
            self._parts -= 1
            if self._parts:
                return
        if self._sender is not None and self._sender.delivered:
            self._spool.remove()
            return
        if lost := self._spool.close():
            self.outbox.drops["never on disk"] += lost

    def _left_over(self) -> str:
        directory, url = self._settings.directory, self._settings.server_url
        if self._settings.mode == "offline":
            return f"kept in {directory}; ship it with: trainvitals sync {directory} --server-url {url}"
        return f"not all has reached {url}; the rest waits in {directory}: the next run ships it, or `trainvitals sync`"

    def _lost(self) -> str:
        folder, url = self._settings.directory, self._settings.server_url
        return f"not all has reached {url}, and what has not is lost: the spool in {folder} could not be written"


def _nothing() -> None:
    return None
