"""Watches a training whose script does not know of us."""

from __future__ import annotations

from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from trainvitals import active
from trainvitals.collector.hooks import Faults, Hook
from trainvitals.console import Console
from trainvitals.lookout import Called, Lookout
from trainvitals.losses import Losses
from trainvitals.run import Run

_console = Console()


class Automatic:
    """Begins a run at the first step of an optimizer, has its models watched, and logs the loss.

    A script that begins a run of its own has its way: this one is not begun, or ends there.
    """

    def __init__(self) -> None:
        faults = Faults(_console.say)
        self._models = Called(faults)
        self._losses = Losses(_console.say)
        self._lookout: Lookout | None = None
        self._step = 0  # of the first optimizer, which counts for all
        self._run: Run | None = None
        self._is_over = False
        self._before, self._after = Hook(self._begin_step, faults), Hook(self._end_step, faults)
        self._undo: list[Callable[[], None]] = []

    def start(self) -> None:
        """Look for a training from now on."""
        self._undo = [
            self._losses.start(),
            register_optimizer_step_pre_hook(self._before).remove,
            register_optimizer_step_post_hook(self._after).remove,
        ]
        self._models.search()
        active.give_way(self.stop)

    def stop(self) -> None:
        """Leave the script alone. Hooks are taken out, but for the while of a step."""
        if self._is_over:
            return
        self._is_over = True
        while self._undo:
            self._undo.pop()()
        if self._lookout is not None:
            self._lookout.stop()
        self._models.rest()
        if self._run is not None:
            self._run.finish()

    def _begin_step(self, optimizer: Optimizer, *_: object) -> None:
        if self._is_over:
            return
        if self._lookout is None:
            self._is_over = True  # unless it begins
            self._lookout = self._begin()
            self._is_over = False
        self._lookout.before(optimizer)

    def _end_step(self, optimizer: Optimizer, *_: object) -> None:
        if self._is_over or self._lookout is None or self._run is None:
            return
        place = self._lookout.place(optimizer)
        self._lookout.after(optimizer)
        if place == 0:
            self._step = self._run.step
        if place is not None and (loss := self._losses.take()) is not None:
            # a forward pass may have begun the next step, as long as it is not known that others step after the first
            self._run.log({f"loss/{place}" if place else "loss": loss}, step=self._step)

    def _begin(self) -> Lookout:
        active.give_way(None)
        run = self._run = active.init()
        active.give_way(self.stop)
        return run.look_out(self._models)


def watch_unseen() -> Automatic:
    """Begin to look for a training."""
    automatic = Automatic()
    automatic.start()
    return automatic
