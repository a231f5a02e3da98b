"""Notices an optimizer that trains a watched model in the place of a watched one, or beside it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence

from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from trainvitals.collector.hooks import Faults, Hook
from trainvitals.collector.steps import StepCounter

Follow = Callable[[list[Optimizer]], None]


class Successors:
    """Calls ``follow`` with the optimizers to watch from now on, after the first step of a new one. Its step is
    counted if it takes the place of the first, for which all that is logged would else be of one step.

    One that steps around a watched one, as a wrapper does, or in turn with it, is none: it has to step twice without
    the other.
    """

    def __init__(self, models: Iterable[nn.Module], *, steps: StepCounter, follow: Follow, faults: Faults) -> None:
        self._parameters = {id(parameter) for model in models for parameter in model.parameters()}
        self._steps, self._follow = steps, follow
        self._watched: list[Optimizer] = []
        self._met: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        self._last: weakref.ref[Optimizer] | None = None  # that stepped, if it is not watched
        self._handle = register_optimizer_step_post_hook(Hook(self._stepped, faults))

    def know(self, watched: Sequence[Optimizer]) -> None:
        """These are watched."""
        self._watched = list(watched)
        self._met.update(watched)

    def stop(self) -> None:
        """See nothing any more, and hold nothing."""
        self._handle.remove()
        self._watched = []

    def _stepped(self, optimizer: Optimizer, *_: object) -> None:
        last, self._last = self._last, None
        if not self._watched or any(optimizer is known for known in self._watched):
            return
        theirs = _parameters(optimizer)
        if not theirs & self._parameters:
            return
        self._last = weakref.ref(optimizer)
        is_new, again = optimizer not in self._met, last is not None and last() is optimizer
        self._met.add(optimizer)
        beside = [one for one in self._watched if _parameters(one) & self._parameters and not _parameters(one) & theirs]
        is_sure = is_new and not (len(beside) < len(self._watched) and self._steps.is_taken)
        if is_sure or again:
            self._succeed(optimizer, beside)

    def _succeed(self, optimizer: Optimizer, beside: list[Optimizer]) -> None:
        is_first = not any(one is self._watched[0] for one in beside)
        if is_first:
            self._steps.begin()
            self._steps.take()
        self._follow([optimizer, *beside] if is_first else [*beside, optimizer])


def _parameters(optimizer: Optimizer) -> set[int]:
    return {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
