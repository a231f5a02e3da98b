"""Ends ranks that train together between the same two steps, so that none waits in a collective for one that is gone.

Rank 0 alone hears of findings. It says at the store by which the processes found each other that the training is to
end, and trains on until every rank has heard it; then it names the step, the next but one. Ranks that share anything in
a step are never further apart than that, so each comes by the store before it comes to that step. No step waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import msgspec

from trainvitals.ranks import Place, Store, meeting_place
from trainvitals.reactions import FindingRaised, TrainingStopped
from trainvitals.wire.messages import Finding

LOOK_SECONDS: Final = 0.5
HEARD_SECONDS: Final = 10.0  # for all ranks to hear; one that was given no on_finding never does
STEPS_AHEAD: Final = 2  # one that another rank may be in already, and the one after it
AT_ONCE: Final = -1  # a step that every rank is past


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """How the training is to end, and why."""

    raises: bool
    finding: Finding


class JointEnd:
    """One for each rank, which ``look``s between its steps. ``tell``: what to say where ranks do not end together."""

    def __init__(self, place: Place, *, key: str, tell: Callable[[str], None]) -> None:
        self._place = place
        self._key = key
        self._tell = tell
        self._store: Store | None = None  # a connection of its own; of the listener until it has heard
        self._error: TrainingStopped | FindingRaised | None = None  # with which to end
        self._deadline = 0.0
        self._last_step: int | None = None
        self._ends = 0  # that a script has caught
        self._over = threading.Event()

    @property
    def waiting(self) -> bool:
        """Whether an end is near; cheap enough for every step."""
        return self._error is not None

    def start(self) -> None:
        """Begin to listen, on a thread of its own; rank 0 has nobody to listen to."""
        if not self._place.leads:
            threading.Thread(target=self._listen, name="trainvitals-end", daemon=True).start()

    def stop(self) -> None:
        """The run is over."""
        self._over.set()

    def look(self, act: Callable[[], None], *, step: int) -> None:
        """Between two steps: ``act``, and end if it is time. Raises FindingRaised or TrainingStopped."""
        try:
            act()
        except (FindingRaised, TrainingStopped) as error:
            self._propose(error)
        if self._error is not None and self._is_time(step):
            ending, self._error, self._last_step = self._error, None, None
            self._ends += 1
            self.start()  # the script may catch it
            raise ending

    def _propose(self, error: TrainingStopped | FindingRaised) -> None:
        if self._error is not None:
            return  # one end is enough
        self._error, self._deadline = error, time.monotonic() + HEARD_SECONDS
        word = Word(raises=isinstance(error, FindingRaised), finding=error.finding)
        try:
            self._connected().set(self._at("word"), msgspec.json.encode(word))
        except Exception:  # noqa: BLE001  # no store, or it is gone: nobody can be told
            self._alone()

    def _is_time(self, step: int) -> bool:
        if self._last_step is None:
            try:
                if self._place.leads:
                    self._name_step(step)
                elif self._connected().check([self._at("step")]):
                    self._last_step = int(self._connected().get(self._at("step")))
            except Exception:  # noqa: BLE001  # the store is gone, and the process with it that the others wait for
                self._alone()
        return self._last_step is not None and step >= self._last_step

    def _name_step(self, step: int) -> None:
        store = self._connected()
        if store.check([self._at(f"heard/{rank}") for rank in range(1, self._place.ranks)]):
            self._last_step = step + STEPS_AHEAD
        elif time.monotonic() > self._deadline:
            self._alone()
        if self._last_step is not None:
            store.set(self._at("step"), str(self._last_step))

    def _alone(self) -> None:
        self._last_step = AT_ONCE
        self._tell("not every rank hears that the training is to end: give init() on_finding on each")

    def _listen(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            if meeting_place() is None:
                continue  # the processes have not met yet
            try:
                store = self._connected()
                if not store.check([self._at("word")]):
                    continue
                word = msgspec.json.decode(store.get(self._at("word")), type=Word)
                self._error = (FindingRaised if word.raises else TrainingStopped)(word.finding)
                store.set(self._at(f"heard/{self._place.rank}"), "")
            except Exception:  # noqa: BLE001  # the border: rank 0 is gone, or the store
                return
            return

    def _at(self, what: str) -> str:
        return f"{self._key}/{self._ends}/{what}"

    def _connected(self) -> Store:
        if self._store is None:
            self._store = meeting_place().clone()  # type: ignore[union-attr]  # where there is none, its callers cope
        return self._store
