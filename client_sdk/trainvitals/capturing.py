"""Requests to look closely for a while, as they come with the server's answers, carried out once and answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainvitals.client import Answer, Client
    from trainvitals.wire.capture import CaptureOutcome

Capture = Callable[[], "tuple[CaptureOutcome, int]"]


class Capturing:
    """What the sender's thread does with them. A request comes with every answer until the server has heard what became
    of it; an answer that was lost is repeated, the capture is not."""

    def __init__(self, client: Client, run_id: str) -> None:
        self.capture: Capture | None = None  # None: nobody here carries it out
        self._client = client
        self._run_id = run_id
        self._newest: tuple[int, CaptureOutcome, int] | None = None

    def heed(self, answer: Answer) -> None:
        """Do what an answer asks for."""
        number = answer.capture
        if number is None or self.capture is None:
            return
        from trainvitals.wire.capture import CaptureAnswer

        if self._newest is None or self._newest[0] != number:
            self._newest = (number, *self.capture())
        _, outcome, step = self._newest
        self._client.answer_capture(self._run_id, CaptureAnswer(number=number, outcome=outcome, step=step))
