"""Where a training's time goes: waiting for data, forward, backward, the optimizer's step."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import Final, Literal

from trainvitals.wire.facts import FACTS

Phase = Literal["data", "forward", "backward", "optimizer"]
MOST_WAITS: Final = 1024  # that are kept until they are told of
FEWEST_WAITS: Final = 8
PAUSE_EVERY: Final = 32  # steps, or more: an evaluation, a checkpoint; loaders pause at every so many workers
PHASES: Final[tuple[Phase, ...]] = ("data", "forward", "backward", "optimizer")


class Phases:
    """Adds up the host's seconds between marks. On a GPU, which works on while the host goes ahead, they say what the
    host waits for; what watching costs is not among them.

    "data" is all from the end of an optimizer's step to the next forward pass, "backward" all from the end of a forward
    pass to the next or to the optimizer: the loss, the backward pass, clipping.
    """

    def __init__(self) -> None:
        self._seconds = dict.fromkeys(PHASES, 0.0)
        self._is_whole = False  # what was added up began at the end of a step, and not in the midst of the first
        self._examples: dict[int, int] = {}  # by root
        self._steps = 0
        self._waits: list[float] = []  # seconds before each step
        self._phase: Phase | None = None
        self._since = 0.0

    def enter(self, phase: Phase, *, examples: int = 0, root: int = 0) -> None:
        """A phase begins, and the one before it ends; ``examples`` go in with a forward pass of a watched ``root``."""
        now = time.perf_counter()
        if self._phase is not None:
            spent = max(0.0, now - self._since)  # log() in another thread may have taken longer
            self._seconds[self._phase] += spent
            if self._phase == "data" and phase == "forward" and len(self._waits) < MOST_WAITS:
                self._waits.append(spent)
        self._phase, self._since = phase, now
        if examples:
            self._examples[root] = self._examples.get(root, 0) + examples

    def leave_out(self, seconds: float) -> None:
        """So much of the current phase was ours."""
        self._since += seconds

    def step_ended(self) -> None:
        """One more step."""
        self._steps += 1

    def metrics(self) -> dict[str, float]:
        """Of an average step since the last call: ``seconds/step``, from the end of the optimizer's step to that of the
        next, and of it ``seconds/<phase>``; ``examples_per_second`` where the model's first tensor has a batch
        dimension; of several models, one of which may feed another, it is that of the one to which most are given;
        ``facts/usual_wait``, the seconds of waiting for data without the longest one of each ``PAUSE_EVERY`` waits, in
        which something else may have been done. Empty where no whole step has gone by; of phases the optimizer's alone
        where no forward pass was seen, as of what is compiled: the rest would all seem to be waiting for data."""
        seconds, steps, examples = self._seconds, self._steps, max(self._examples.values(), default=0)
        waits, self._waits = sorted(self._waits), []
        self._seconds, self._steps, self._examples = dict.fromkeys(PHASES, 0.0), 0, {}
        was_whole, self._is_whole = self._is_whole, True
        whole = sum(seconds.values())
        if not steps or not whole or not was_whole:
            return {}
        found = {"seconds/step": whole / steps, "seconds/optimizer": seconds["optimizer"] / steps}
        if not seconds["forward"]:
            return found
        found |= {f"seconds/{phase}": spent / steps for phase, spent in seconds.items()}
        if len(waits) >= FEWEST_WAITS:
            usual = waits[: -math.ceil(len(waits) / PAUSE_EVERY)]
            # a critic's step is followed by a wait of its own
            in_a_step = len(waits) / steps if len(waits) < MOST_WAITS else 1.0
            found[f"{FACTS}usual_wait"] = in_a_step * sum(usual) / len(usual)
        return {**found, "examples_per_second": examples / whole} if examples else found


def examples_in(arguments: Iterable[object]) -> int:
    """The size of the first dimension of the first tensor among a module's arguments; 0 if there is none."""
    for argument in arguments:
        shape = getattr(argument, "shape", None)
        if shape is not None and len(shape) > 1:
            return int(shape[0])
    return 0
