"""Calls of PyTorch's loss functions, under whatever name a module has imported them, told to who wants to know; when
nobody does any more, all is as it was."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from trainvitals.collector.replaced import Replaced
from trainvitals.wire.facts import LOSS_FUNCTIONS

# Frames of files whose names have both words in them are passed over by warnings that are to show the caller's line.
_PASSED_OVER: Final = f"{__file__} (by warnings as importlib._bootstrap)"
_HANDLE: Final = "handle_torch_function"


@dataclass(frozen=True, slots=True, kw_only=True)
class LossCall:
    """A call of the loss ``function``, by the names of its parameters, and its answer."""

    function: str
    given: dict[str, Any]  # Any: the function's own arguments, defaults among them
    answer: Tensor

    @property
    def prediction(self) -> Tensor:
        """What the network says."""
        return self.given["input"]  # type: ignore[no-any-return]  # see given

    @property
    def target(self) -> Tensor:
        """What it should say."""
        return self.given["target"]  # type: ignore[no-any-return]  # see given


class Listener(Protocol):
    """Who wants to know. Must not raise."""

    def wants_losses(self) -> bool:
        """Whether to tell of the call that is just being made."""

    def lost(self, call: Callable[[], LossCall]) -> None:
        """A loss function was called."""


listeners: list[Listener] = []
_replaced: Final = Replaced()


def listen(listener: Listener) -> None:
    """Report to it from now on."""
    if not listeners:
        reporting = {theirs: _reporting(name, theirs) for name, theirs in _functions()}
        ours = {id(theirs): (theirs, replacement) for theirs, replacement in reporting.items()}
        for module, key, replacement in list(_names_of(ours)):
            _replaced.put(module, key, replacement)
        handle = _handing_on({replacement: theirs for theirs, replacement in reporting.items()})
        _replaced.put(functional, _HANDLE, handle)
    listeners.append(listener)


def leave(listener: Listener) -> None:
    """Report to it no more."""
    if listener in listeners:
        listeners.remove(listener)
    if not listeners:
        _replaced.undo()


def _functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in LOSS_FUNCTIONS:
        if (function := getattr(functional, name, None)) is not None:
            yield name, function


def _reporting(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    signature: Final = inspect.signature(original)

    def reporting(*arguments: Any, **named: Any) -> Any:
        answer = original(*arguments, **named)
        if not torch.compiler.is_compiling() and isinstance(answer, Tensor):
            for listener in list(listeners):
                if listener.wants_losses():
                    listener.lost(lambda: _call(name, signature, arguments, named, answer))
        return answer

    reporting.__code__ = reporting.__code__.replace(co_filename=_PASSED_OVER)  # else they would show this one
    loss = functools.wraps(original)(reporting)
    # so that TorchScript compiles what calls it as it always did
    loss.__prepare_scriptable__ = lambda: original  # type: ignore[attr-defined]  # TorchScript's own
    return loss


def _handing_on(originals: dict[Callable[..., Any], Callable[..., Any]]) -> Callable[..., Any]:
    """What tells tensors and modes with a ``__torch_function__`` which function is called. A loss names itself by its
    global name, which is ours: they look it up in tables, and call it, as the original."""
    theirs: Final = getattr(functional, _HANDLE)

    @functools.wraps(theirs)
    def handle(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return theirs(originals.get(function, function), *arguments, **named)

    return handle


def _call(name: str, signature: inspect.Signature, arguments: Any, named: Any, answer: Tensor) -> LossCall:
    bound = signature.bind(*arguments, **named)
    bound.apply_defaults()
    return LossCall(function=name, given=dict(bound.arguments), answer=answer)


def _names_of(ours: dict[int, tuple[Any, Any]]) -> Iterator[tuple[ModuleType, str, Any]]:
    """Global names of all loaded modules that stand for one of the functions, in one pass over them: some 10 ms."""
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType):
            for key, value in list(vars(module).items()):
                found = ours.get(id(value))
                if found is not None and found[0] is value:
                    yield module, key, found[1]
