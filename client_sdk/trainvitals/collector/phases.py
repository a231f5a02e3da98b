"""Where a training's time goes: waiting for data, forward, backward, the optimizer's step."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final, Literal

Phase = Literal["data", "forward", "backward", "optimizer"]
PHASES: Final[tuple[Phase, ...]] = ("data", "forward", "backward", "optimizer")


class Phases:
    """Adds up the host's seconds between marks. On a GPU, which works on while the host goes ahead, they say what the
    host waits for; what watching costs is not among them.

    "data" is all from the end of an optimizer's step to the next forward pass, "backward" all from the end of a forward
    pass to the next or to the optimizer: the loss, the backward pass, clipping.
    """

    def __init__(self) -> None:
        self._seconds = dict.fromkeys(PHASES, 0.0)
        self._examples = 0
        self._steps = 0
        self._phase: Phase | None = None
        self._since = 0.0

    def enter(self, phase: Phase, *, examples: int = 0) -> None:
        """A phase begins, and the one before it ends; ``examples`` go in with a forward pass."""
        now = time.perf_counter()
        if self._phase is not None:
            self._seconds[self._phase] += max(0.0, now - self._since)  # log() in another thread may have taken longer
        self._phase, self._since = phase, now
        self._examples += examples

    def leave_out(self, seconds: float) -> None:
        """So much of the current phase was ours."""
        self._since += seconds

    def step_ended(self) -> None:
        """One more step."""
        self._steps += 1

    def metrics(self) -> dict[str, float]:
        """Of an average step since the last call: ``seconds/<phase>``, and ``examples_per_second`` where the model's
        first tensor has a batch dimension. Empty where no whole step has gone by; the optimizer's alone where no
        forward pass was seen, as of what is compiled: the rest would all seem to be waiting for data."""
        seconds, steps, examples = self._seconds, self._steps, self._examples
        self._seconds, self._steps, self._examples = dict.fromkeys(PHASES, 0.0), 0, 0
        whole = sum(seconds.values())
        if not steps or not whole:
            return {}
        if not seconds["forward"]:
            return {"seconds/optimizer": seconds["optimizer"] / steps}
        found = {f"seconds/{phase}": spent / steps for phase, spent in seconds.items()}
        return {**found, "examples_per_second": examples / whole} if examples else found


def examples_in(arguments: Iterable[object]) -> int:
    """The size of the first dimension of the first tensor among a module's arguments; 0 if there is none."""
    for argument in arguments:
        shape = getattr(argument, "shape", None)
        if shape is not None and len(shape) > 1:
            return int(shape[0])
    return 0
