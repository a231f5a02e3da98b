"""Learns which optimizers train which models, from PyTorch's own global hooks, where a script does not say it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle

from trainvitals.collector.hooks import Faults, Hook
from trainvitals.collector.roots import Models, named_roots
from trainvitals.collector.steps import StepCounter

MOST_TRIES: Final = 20  # steps in which no module turns up that owns what the optimizer changes

Watch = Callable[[Models, list[Optimizer]], None]


class Found(Protocol):
    """Where models come from."""

    def add(self, models: Iterable[nn.Module]) -> None:
        """These, too."""

    def known(self) -> list[nn.Module]:
        """All that were found so far, whether they are trained or not."""

    def search(self) -> None:
        """Keep the eyes open: there may be more models."""

    def rest(self) -> None:
        """All are known."""


class Given:
    """Models that the script has named."""

    def __init__(self, models: Iterable[nn.Module]) -> None:
        self._models = list(models)

    def add(self, models: Iterable[nn.Module]) -> None:
        """See Found."""
        self._models.extend(model for model in models if not any(model is known for known in self._models))

    def known(self) -> list[nn.Module]:
        """See Found."""
        return self._models

    def search(self) -> None:
        """See Found; the script names others itself."""

    def rest(self) -> None:
        """See Found."""


class Called:
    """Models are what is called in training mode, from outside any other module, and has something to train."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._handle: RemovableHandle | None = None
        self._called: dict[int, weakref.ref[nn.Module]] = {}

    def add(self, models: Iterable[nn.Module]) -> None:
        """See Found."""
        self._called.update({id(model): weakref.ref(model) for model in models})

    def search(self) -> None:
        """See Found: every call of a module passes here from now on, which takes its time."""
        if self._handle is None:
            self._handle = register_module_forward_pre_hook(Hook(self._note, self._faults))

    def rest(self) -> None:
        """See Found."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def known(self) -> list[nn.Module]:
        """See Found."""
        alive = [module for reference in self._called.values() if (module := reference()) is not None]
        inner = {id(part) for module in alive for part in module.modules() if part is not module}
        return [
            module
            for module in alive
            if id(module) not in inner and any(parameter.requires_grad for parameter in module.parameters())
        ]

    def _note(self, module: nn.Module, *_: object) -> None:
        if module.training and torch.is_grad_enabled():
            self._called[id(module)] = weakref.ref(module)


class Lookout:
    """Calls ``watch`` with the models and their optimizers at the first step of an optimizer that trains them, and
    again when another optimizer has come: then at the next step of the first, so that no step is cut in two. Until then
    it counts the steps itself.

    ``before`` and ``after`` are called around each step of any optimizer: by torch, from ``start`` to ``stop``, or by
    who has such hooks already.
    """

    def __init__(self, models: Found, *, steps: StepCounter, watch: Watch, tell: Callable[[str], None]) -> None:
        self._models = models
        self._steps = steps
        self._watch = watch
        self._tell = tell
        self._faults = Faults(tell)
        self._optimizers: list[Optimizer] = []  # in the order of their first steps
        self._met: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        self._stepping: Optimizer | None = None
        self._watching = False
        self._tries_left = 0
        self._handles: list[RemovableHandle] = []

    def start(self) -> None:
        """See every optimizer's steps."""
        if not self._handles:
            before, after = Hook(self.before, self._faults), Hook(self.after, self._faults)
            self._handles = [register_optimizer_step_pre_hook(before), register_optimizer_step_post_hook(after)]

    def stop(self) -> None:
        """See nothing any more, and hold nothing."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._models.rest()
        self._optimizers.clear()

    def expect(self, models: Iterable[nn.Module]) -> None:
        """Models that the script names; what trains them is seen from now on."""
        self._models.add(models)
        self._tries_left = MOST_TRIES
        self.start()

    def place(self, optimizer: Optimizer) -> int | None:
        """Which of the optimizers it is, the first being 0; None for one within another's step."""
        places = [place for place, known in enumerate(self._optimizers) if known is optimizer]
        return places[0] if places else None

    def before(self, optimizer: Optimizer, *_: Any) -> None:  # Any: whatever torch hands to hooks
        """A step begins."""
        if self._stepping is not None and self._stepping is not optimizer:
            return  # one that another one wraps
        self._stepping = optimizer
        if optimizer not in self._met:
            self._meet(optimizer)
        is_first = self.place(optimizer) == 0
        if is_first and not self._watching:
            self._steps.driven = True
            self._steps.begin()
        if is_first and self._tries_left:
            self._try()

    def after(self, optimizer: Optimizer, *_: Any) -> None:  # Any: whatever torch hands to hooks
        """A step is over."""
        if self._stepping is not optimizer:
            return
        self._stepping = None
        if not self._watching and self.place(optimizer) == 0:
            self._steps.take()

    def _meet(self, optimizer: Optimizer) -> None:
        """An optimizer that takes over parameters replaces the one that had them."""
        self._met.add(optimizer)
        theirs = _parameters([optimizer])
        self._optimizers = [known for known in self._optimizers if not _parameters([known]) & theirs]
        self._optimizers.append(optimizer)
        self._tries_left = MOST_TRIES
        if not trained(self._models.known(), [optimizer]):
            self._models.search()

    def _try(self) -> None:
        self._tries_left -= 1
        known = self._models.known()
        models = trained(known, self._optimizers)
        if all(trained(models, [optimizer]) for optimizer in self._optimizers):
            self._tries_left = 0
        if not self._tries_left:
            self._models.rest()
        if not models:
            if not self._tries_left:
                self._tell("no module was called that owns what the optimizer changes: layers are not recorded")
            return
        if self._tries_left == 0 or not self._watching:
            self._watching = True
            self._watch(joined(models, among=known), list(self._optimizers))


def trained(models: Iterable[nn.Module], by: Iterable[Optimizer]) -> list[nn.Module]:
    """Those that own a parameter of these optimizers."""
    wanted = _parameters(by)
    return [model for model in models if any(id(parameter) in wanted for parameter in model.parameters())]


def joined(models: Sequence[nn.Module], *, among: Sequence[nn.Module]) -> Models:
    """The only model there is; several by their names, which are the same whichever of them, ``among`` all that there
    are, are joined."""
    if len(among) == 1:
        return among[0]
    return {name: model for name, model in named_roots(among).items() if any(model is one for one in models)}


def _parameters(optimizers: Iterable[Optimizer]) -> set[int]:
    return {
        id(parameter) for optimizer in optimizers for group in optimizer.param_groups for parameter in group["params"]
    }
