"""Hooks that never reach the training: they catch their own errors, and vanish from copies of the model."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable, Iterable
from typing import Any, Final

import torch
from torch import compiler, nn
from torch.compiler import is_dynamo_compiling
from torch.utils.hooks import RemovableHandle

from trainvitals.collector.toll import Toll

MAX_ERRORS: Final = 10


class Faults:
    """Counts errors of hooks, tells of each kind once, and says when it is enough."""

    too_many = False  # watching is to stop

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.count = 0

    def add(self, error: Exception) -> None:
        """One more."""
        self.count += 1
        self._tell(f"watching met {type(error).__name__}: {error}; the training goes on, the snapshot is incomplete")
        self.too_many = self.count >= MAX_ERRORS
        if self.count == MAX_ERRORS:
            self._tell(f"watching stopped after {MAX_ERRORS} errors; metrics that you log are still recorded")


class Hook:
    """A forward or optimizer hook. In copies and pickles of what carries it, it is a function that does nothing. One
    that stays at all steps has its ``toll``."""

    __slots__ = ("_body", "_faults", "_toll")

    def __init__(self, body: Callable[..., None], faults: Faults, toll: Toll | None = None) -> None:
        self._body = body
        self._faults = faults
        self._toll = toll

    def __call__(self, *arguments: Any) -> None:  # Any: whatever torch hands to hooks
        if is_dynamo_compiling() or compiler._is_compiling_flag:  # is_compiling(), in fewer calls
            return
        if torch._C._is_tracing() or self._faults.too_many:
            return
        try:
            if self._toll is not None and self._toll.is_due:
                self._toll.time(self._body, arguments)
            else:
                self._body(*arguments)
        except Exception as error:  # noqa: BLE001  # the border: no error of ours may reach the training
            self._faults.add(error)

    def __deepcopy__(self, memo: dict[int, object]) -> Callable[..., object]:
        return _nothing()

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        # from the standard library, so that a checkpoint loads where trainvitals is not installed
        return pickle.loads, (pickle.dumps(_nothing()),)


class Switch:
    """Hooks of modules, to be called after their forward or ``before`` it, in and out at once. Where one is out there
    is no trace of it but its number, under which it comes back: to register it anew takes ten times as long, which
    counts where there are hundreds."""

    def __init__(self, pairs: Iterable[tuple[nn.Module, Hook]], *, before: bool = False) -> None:
        self._pairs = list(pairs)
        self._before = before
        self._handles: list[RemovableHandle | None] = [None] * len(self._pairs)
        self._is_on = False

    def on(self) -> None:
        """The hooks are there from now on."""
        if self._is_on:
            return
        self._is_on = True
        for place, (module, hook) in enumerate(self._pairs):
            handle = self._handles[place]
            hooks = None if handle is None else handle.hooks_dict_ref()
            there = module._forward_pre_hooks if self._before else module._forward_hooks
            if handle is not None and hooks is there:
                there[handle.id] = hook
            else:
                register = module.register_forward_pre_hook if self._before else module.register_forward_hook
                self._handles[place] = register(hook)

    def off(self) -> None:
        """They are gone."""
        self._is_on = False
        for handle in self._handles:
            if handle is not None:
                handle.remove()


def _nothing() -> Callable[..., object]:
    return contextlib.nullcontext().__exit__
